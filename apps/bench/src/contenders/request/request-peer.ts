import type { Setup } from '../../harness/bench.js';
import type { Payload } from '../payload.js';

export interface Answer {
  readonly i: number;
}

/** What every responder does. */
export class Answering {
  /** Requests answered so far: they must all have come to the responder's process. */
  count = 0;

  constructor(private readonly turn: boolean) {}

  /** At once, or a turn of the event loop later. */
  readonly answer = (payload: Payload): Answer | Promise<Answer> => {
    this.count++;
    const value = { i: payload.i };
    if (!this.turn) return value;
    return new Promise((resolve) => {
      setImmediate(resolve, value);
    });
  };
}

export interface Caller {
  ask(payload: Payload): Promise<Answer>;
  close(): Promise<void>;
}

export type OpenCaller = (setup: Setup) => Promise<Caller>;
export type OpenResponder = (setup: Setup, answer: Answering['answer']) => Promise<{ close(): Promise<void> }>;

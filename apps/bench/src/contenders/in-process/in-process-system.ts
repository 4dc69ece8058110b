import type { Setup } from '../../harness/bench.js';
import type { Payload } from '../payload.js';

/** An event bus within the process, with one handler. */
export interface InProcessSystem {
  /** Publishes, to be awaited. */
  publish(payload: Payload): Promise<unknown>;
  /** Publishes, and resolves when the handlers have run; rejects when one failed. */
  settle?(payload: Payload): Promise<unknown>;
  /** Publishes without waiting. */
  emit(payload: Payload): unknown;
  close(): Promise<void>;
}

/** What it returns is awaited, where the system awaits anything. */
export type Handle = (payload: Payload) => unknown;

export type OpenInProcessSystem = (setup: Setup, handle: Handle) => Promise<InProcessSystem>;

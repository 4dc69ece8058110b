import type { CardState } from '../../../ports/cards.js';
import { Deque } from '../deque.js';
import type { CardEntry } from './card-entry.js';
import { givenBack, type CardPast } from './card-past.js';

/** Who has a card in hand. */
export interface Holder {
  /** The process. */
  readonly owner: string;
  readonly fencingToken: string;
  /** The card is not its any more. */
  lose(reason: Error): void;
}

/** Why a card waits with its head. */
export interface CardWait {
  /** Not before this time, ms; `Infinity`: until somebody resumes or skips. */
  readonly due: number;
}

/** One card: what is stored, and who has it. Whoever changes it tells its topic. */
export class Card {
  /** Head first; what is in hand is its beginning. */
  private readonly queue = new Deque<CardEntry>();
  /** How many of the queue are in the holder's hands. */
  pending = 0;
  holder: Holder | undefined = undefined;
  wait: CardWait | undefined = undefined;
  /** It stands among those that are ready, or that were. */
  queued = false;
  /** It goes when what it has is handled. */
  unregistering = false;
  /** Who gave it back last: others first. */
  avoid: unknown = undefined;

  constructor(
    readonly cardId: string,
    /** Its place in the order of registration. */
    readonly ordinal: number,
    /** When something last happened to it, ms. */
    public activeAt: number,
  ) {}

  get state(): CardState {
    if (this.holder !== undefined) return 'owned';
    if (this.queue.length === 0) return 'idle';
    if (this.wait === undefined) return 'ready';
    return this.wait.due === Infinity ? 'parked' : 'backoff';
  }

  get length(): number {
    return this.queue.length;
  }

  get head(): CardEntry | undefined {
    return this.queue.peek();
  }

  append(entry: CardEntry): void {
    this.queue.push(entry);
  }

  /** Puts the first `count` into the holder's hands. */
  hand(count: number): readonly CardEntry[] {
    const entries = this.queue.first(count);
    this.pending = entries.length;
    return entries;
  }

  /** Takes the head off for good. */
  shift(): CardEntry | undefined {
    if (this.pending > 0) this.pending--;
    return this.queue.shift();
  }

  /** Nobody has it in hand any more; `change` says what becomes of the past of its head, where that was in hand. */
  letGo(change: (past: CardPast) => CardPast = givenBack): void {
    this.holder = undefined;
    const entries = Array.from({ length: this.pending }, () => this.queue.shift());
    this.pending = 0;
    for (let index = entries.length - 1; index >= 0; index--) {
      const entry = entries[index];
      if (entry !== undefined) this.queue.unshift(entry.with((index === 0 ? change : givenBack)(entry.past)));
    }
  }

  /** Changes what a head in nobody's hands has behind it. */
  changeHead(change: (past: CardPast) => CardPast): void {
    const head = this.queue.shift();
    if (head !== undefined) this.queue.unshift(head.with(change(head.past)));
  }
}

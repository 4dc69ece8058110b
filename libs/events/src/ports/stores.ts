import type { DeadLetterReason, DeadLetterRow } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';

/** A dead letter as the backend keeps it. */
export interface StoredLetter {
  /** The event's type; of a card's letter, its topic: by it, the letter is found. */
  readonly type: string;
  /** The card whose head it was. */
  readonly cardId?: string | undefined;
  /** Its place among the letters of its type; grows with the time of filing. */
  readonly position: string;
  /** When it was filed, ms. */
  readonly at: number;
  readonly reason: DeadLetterReason;
  readonly handler: string | undefined;
  readonly group: string | undefined;
  readonly attempts: number;
  readonly error: string;
  readonly stack: string | undefined;
  /** The replay that it comes back from, where it has been replayed: as given to `replay`. */
  readonly operation: string | undefined;
  /** Absent: the entry cannot be read as an event. */
  readonly event: EventEnvelope | undefined;
}

/** The dead letters of a bus, by event type. */
export interface LetterStore {
  /** Types that have some. */
  types(): Promise<readonly string[]>;
  count(type: string): Promise<number>;
  /** At most `count`, newest first, of those before a position. */
  read(type: string, before: string | undefined, count: number): Promise<readonly StoredLetter[]>;
  get(type: string, position: string): Promise<StoredLetter | undefined>;
  /**
   * Takes a letter out and hands its event, in the same step, to who failed: the handler of the group; a letter without a
   * group to one live process that has the handler; without a handler to any one handler (anycast). Attempts begin again.
   * False when it is gone: somebody else was faster. `operation` stays with it, and with the letter that it may become.
   */
  replay(type: string, position: string, operation: string): Promise<boolean>;
  /** How many were there. */
  remove(type: string, positions: readonly string[]): Promise<number>;
  /** Files an event by hand; gives its position. */
  add(event: EventEnvelope, row: DeadLetterRow): Promise<string>;
  /** Retries and replays of a type and group (absent: those without a group) that have not ended. */
  outstanding(type: string, group: string | undefined): Promise<number>;
}

/** What a claim came to. `outcome` is what was committed: JSON text, absent for nothing. */
export type Claim =
  | { readonly state: 'claimed' }
  | { readonly state: 'busy' }
  | { readonly state: 'done'; readonly outcome: string | undefined };

/**
 * Remembers what idempotent handlers have done. Keys are at most 512 characters; any character. Synchronous where the
 * driver is; what fails rejects.
 */
export interface IdempotencyStore {
  /** Claims the key for `owner` for `lease` ms; an own live claim is claimed again. */
  claim(key: string, owner: string, lease: number): Claim | Promise<Claim>;
  /** Renews claims that `owner` still holds. */
  renew(keys: readonly string[], owner: string, lease: number): void | Promise<void>;
  /** Done: kept for `ttl` ms. Also where the claim has run out meanwhile, unless somebody else holds it. */
  commit(key: string, owner: string, outcome: string | undefined, ttl: number): void | Promise<void>;
  /** Not done: whoever comes next may. */
  abort(key: string, owner: string): void | Promise<void>;
}

import type { EventContext } from './context.js';
import type { EventClass } from './event-class.js';
import type { Filter } from './filter.js';
import type { RetryPolicy } from './retry-policy.js';

/** How an idempotent handler tells events apart, and for how long. */
export interface Idempotence {
  /** Defaults to the event's id. */
  readonly key: ((payload: unknown, context: EventContext) => string) | undefined;
  /** ms */
  readonly ttl: number;
}

/** Several events in one call. */
export interface Batching {
  readonly size: number;
  /** How long the first of a batch waits for the others, ms. */
  readonly maxWait: number;
}

/** A handler as the registry knows it: every option resolved. */
export interface HandlerDeclaration {
  readonly name: string;
  /** Normalized patterns, at least one. */
  readonly patterns: readonly string[];
  readonly group: string | undefined;
  readonly startFrom: 'new' | 'earliest';
  readonly concurrency: number;
  /** May answer requests. */
  readonly answers: boolean;
  readonly once: boolean;
  readonly retry: RetryPolicy;
  /** How long a run may take, ms; 0 = for ever. */
  readonly timeout: number;
  /** How long after its timeout a run that goes on is waited for, ms. */
  readonly stuckAfter: number;
  readonly filters: readonly Filter[];
  readonly idempotent: Idempotence | undefined;
  readonly batch: Batching | undefined;
  /** Its events are pulled: several are in hand at once, and none ends before the next begins. */
  readonly pulled: boolean;
  /** The event classes that it listens to, by type. */
  readonly classes: ReadonlyMap<string, EventClass>;
  /** A batch handler gets arrays of payloads and contexts. */
  readonly invoke: (payload: unknown, context: EventContext) => unknown;
}

/** What happens to the head of a card that has no attempts left. */
export type OnExhausted = 'dead-letter' | 'park' | 'block';
export const ON_EXHAUSTED: readonly OnExhausted[] = ['dead-letter', 'park', 'block'];

/** A handler of cards: its patterns are topics, its concurrency is of cards that are being handled. */
export interface CardDeclaration extends HandlerDeclaration {
  /** Cards in hand at once: more than are being handled where batches wait to be full. */
  readonly cards: number;
  readonly onExhausted: OnExhausted;
}

import type { EventContext } from '../core/context.js';
import type { Filter } from '../core/filter.js';
import type { Duration, RetryOptions } from '../ports/options.js';

/** How a handler is run: the same in a decorator and in `subscribe`. */
export interface HandlingOptions {
  /** Events handled at once in this process; of a batch handler: batches. Defaults to the bus's `concurrency`; 1 for a batch handler. */
  readonly concurrency?: number;
  /**
   * How long a run may take; then its signal aborts, and what it throws counts as a failed attempt. One that ends well all
   * the same is done. 0 = for ever. Defaults to 30 s (`handlers.timeout`).
   */
  readonly timeout?: Duration;
  /** What happens when it throws. Defaults to 3 attempts, 1 s apart and doubling up to 5 min, with jitter (`handlers.retry`). */
  readonly retry?: RetryOptions;
  /** Which events it wants; of several, all must say yes. Defaults to all. */
  readonly filter?: Filter | readonly Filter[];
  /**
   * Handles an event, or what `key` says is the same, once: within `ttl` a repeated one is acknowledged, and a repeated
   * request gets the same reply. `key` defaults to the event's id, `ttl` to 24 h.
   */
  readonly idempotent?: true | IdempotentOptions;
  /** The handler gets arrays of payloads and contexts: at most `size`, or what has come `maxWait` after the first. */
  readonly batch?: { readonly size: number; readonly maxWait: Duration };
}

export interface IdempotentOptions {
  /** What makes two events the same, 1 to 512 characters. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- it knows the payload it is written for
  readonly key?: (payload: any, context: EventContext) => string;
  readonly ttl?: Duration;
}

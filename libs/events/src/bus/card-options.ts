import type { CardContext } from '../core/context.js';
import type { OnExhausted } from '../core/declaration.js';
import type { EventClass } from '../core/event-class.js';
import type { CardFilter } from '../core/filter.js';
import type { Duration, RetryOptions } from '../ports/options.js';
import type { HandlingOptions } from './handling-options.js';
import type { PublishOptions, PublishRetry } from './publish-options.js';

/** How an event of a card is published. */
export interface CardPublishOptions extends Pick<PublishOptions, 'source' | 'correlationId' | 'headers'> {
  /**
   * The event's id, 1 to 128 visible ASCII characters other than `"` and `\`. An id of your own deduplicates: where an
   * event of this card was stored under it within the last 10 minutes, this one is not stored again, and the call resolves
   * with the time of the first. Defaults to a UUID of version 7.
   */
  readonly id?: string;
  /** The event's type. Defaults to the type of the payload's `@EventType` class, else to the topic. */
  readonly type?: string;
  /**
   * Try again while the backend is away (`BackendUnavailableError`), as in `PublishOptions`. Later publishes of this process
   * to the same card wait for it, so that the order is kept: those with `retry` are stored one after the other. Defaults to
   * none: a lost connection is waited for about 2 s.
   */
  readonly retry?: PublishRetry;
}

/** One row of `cards.publishMany`. */
export interface CardEventToPublish {
  readonly topic: string;
  readonly cardId: string;
  /** Any JSON value, or an instance of an `@EventType` class. */
  readonly payload?: unknown;
  readonly options?: CardPublishOptions;
}

/** How a handler of cards is run: the same in a decorator and in `cards.subscribe`. */
export interface CardHandlingOptions extends Pick<HandlingOptions, 'timeout' | 'batch'> {
  /**
   * Cards handled at once in this process; each has up to `cards.quantum` events in hand, or `prefetch` where that is less.
   * Defaults to the bus's `concurrency`. A batch handler runs one batch at once unless this says more, while other cards
   * wait for theirs to be full.
   */
  readonly concurrency?: number;
  /**
   * What happens when it throws: the card waits, others go on. Defaults to 3 attempts, 1 s apart and doubling up to 5 min,
   * with jitter (`handlers.retry`).
   */
  readonly retry?: RetryOptions;
  /** Which events it wants; of several, all must say yes. What it does not want is acknowledged. Defaults to all. */
  readonly filter?: CardFilter | readonly CardFilter[];
  /**
   * Handles an event, or what `key` says is the same, once: within `ttl` a repeated one is acknowledged. `key` defaults to
   * the event's id within its card, `ttl` to 24 h.
   */
  readonly idempotent?: true | CardIdempotentOptions;
  /**
   * What happens to an event that has no attempts left. Defaults to `'dead-letter'`: the card goes on with the next one.
   * `'park'`: the card waits for `cards.resume` or `cards.skip`. `'block'`: it is tried again for ever, with the waits of
   * `retry`. Events that no attempt can mend (`Reject`, invalid, unreadable) are parked or become dead letters, never tried
   * again.
   */
  readonly onExhausted?: OnExhausted;
  /**
   * Event classes that may come on the topic: their events are checked by their rules and brought to their version, and the
   * handler gets instances, as with `@OnEvent(TheClass)`. Events of other types come as they are. Defaults to the classes
   * that it listens to.
   */
  readonly events?: readonly EventClass[];
}

export interface CardIdempotentOptions {
  /** What makes two events the same, 1 to 512 characters. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- it knows the payload it is written for
  readonly key?: (payload: any, context: CardContext) => string;
  readonly ttl?: Duration;
}

/** How `cards.subscribe` listens. */
export interface CardSubscribeOptions extends CardHandlingOptions {
  /** Name in logs and dead letters. Defaults to the function's name. */
  readonly name?: string;
  /** Closes the subscription when it aborts. */
  readonly signal?: AbortSignal;
}

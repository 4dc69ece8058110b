import type { EventContext } from '../core/context.js';
import { RetryLater } from '../core/handler-errors.js';
import { RELEASED } from '../pipeline/refusal.js';
import type { HandlingOptions } from './handling-options.js';
import type { Subscription } from './subscription.js';

/** An event that was pulled; it counts as handled when `ack` is called. */
export interface PulledEvent<Payload = unknown> {
  readonly payload: Payload;
  readonly context: EventContext;
  /** It is handled. Twice is once. */
  ack(): void;
  /**
   * It is not: again after `delay` (milliseconds or `'5s'`, default at once), as long as `retry` has attempts left, then
   * the dead letters. Twice is once; after `ack` nothing.
   */
  nack(delay?: number | string): void;
}

/** How `stream` listens. */
export interface StreamOptions extends Pick<HandlingOptions, 'retry' | 'filter' | 'idempotent'> {
  /** Ends the stream. */
  readonly signal?: AbortSignal;
  /** Durable group; `name` is required with it. Defaults to none: what comes while the stream is open. */
  readonly group?: string | true;
  /** Name in logs and dead letters. */
  readonly name?: string;
  readonly startFrom?: 'new' | 'earliest';
  /** Events that are pulled and not settled at most. Defaults to 64. */
  readonly prefetch?: number;
}

type Handler = (payload: never, context: EventContext) => Promise<void>;

/**
 * Events for those who pull: a handler that hands each event over and ends when it is settled. Whoever ends the loop gives
 * back what is not settled.
 */
export async function* pull<Payload>(
  subscribe: (handler: Handler) => Promise<Subscription>,
  ended: (end: () => void) => () => void,
): AsyncGenerator<PulledEvent<Payload>, void, undefined> {
  const waiting: PulledEvent<Payload>[] = [];
  const unsettled = new Set<() => void>();
  let wake: (() => void) | undefined;
  let closed = false;
  const over = (): boolean => closed;
  const handler: Handler = (payload: Payload, context) =>
    new Promise((resolve, reject) => {
      const release = (): void => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a mark, not an error
        reject(RELEASED);
      };
      const settle = (act: () => void): void => {
        if (unsettled.delete(release)) act();
      };
      unsettled.add(release);
      waiting.push({
        payload,
        context,
        ack: () => {
          settle(resolve);
        },
        nack: (delay = 0) => {
          const again = new RetryLater(delay);
          settle(() => {
            reject(again);
          });
        },
      });
      wake?.();
    });
  const forget = ended(() => {
    closed = true;
    wake?.();
  });
  const subscription = await subscribe(handler);
  try {
    for (;;) {
      if (over()) return;
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    forget();
    const closing = subscription.close();
    for (const release of unsettled) release();
    await closing;
  }
}

import { messageOf } from '../core/message-of.js';
import type { EventsLogger } from '../ports/logger.js';
import type { HandlingOptions } from './handling-options.js';

/** A handler that was added at run time. */
export interface Subscription {
  readonly name: string;
  readonly patterns: readonly string[];
  /** Ends it: it gets nothing more; what it has begun it finishes. Twice is once. */
  close(): Promise<void>;
}

/** How `subscribe` listens. */
export interface SubscribeOptions extends HandlingOptions {
  /** Name in logs and dead letters. Required with a group. Defaults to the function's name. */
  readonly name?: string;
  /** Durable group, as in `@OnEvent`. */
  readonly group?: string | true;
  /** `'earliest'`: also what is retained. Defaults to `'new'`. */
  readonly startFrom?: 'new' | 'earliest';
  /** May answer requests. Defaults to true for patterns without wildcards. */
  readonly reply?: boolean;
  /** Closes the subscription when it aborts. */
  readonly signal?: AbortSignal;
}

/** The subscription of a handler that is registered: ended by `close`, or by the signal. */
export async function subscriptionOf(
  { name, patterns }: { readonly name: string; readonly patterns: readonly string[] },
  remove: () => Promise<void>,
  signal: AbortSignal | undefined,
  logger: EventsLogger,
): Promise<Subscription> {
  const close = async (): Promise<void> => {
    signal?.removeEventListener('abort', onAbort);
    await remove();
  };
  const onAbort = (): void => {
    close().catch((error: unknown) => {
      logger.warn(`Handler ${name} could not be detached: ${messageOf(error)}`);
    });
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) await close();
  return { name, patterns, close };
}

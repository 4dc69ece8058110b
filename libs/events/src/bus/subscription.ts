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

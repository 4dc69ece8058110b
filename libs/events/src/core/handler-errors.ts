import { parseDuration } from './duration.js';
import { EventsError, InvalidOptionError } from './errors.js';

/** What a handler throws, and what is said of how it failed. */

/**
 * Thrown by a handler: try again after this long, whatever its backoff says. It counts as a failed attempt.
 * `throw new RetryLater('5m')`, `throw new RetryLater('5m', { cause: error })`.
 */
export class RetryLater extends EventsError {
  /** Milliseconds. */
  readonly delay: number;

  /** @throws InvalidOptionError for what is no duration */
  constructor(delay: number | string, options: { cause?: unknown } = {}) {
    super('RETRY_LATER', `The handler asks to be tried again in ${String(delay)}.`, options);
    this.delay = parseDuration(delay, 'RetryLater delay');
  }
}

/** Thrown by a handler: never try again, straight to the dead letters with this reason. */
export class Reject extends EventsError {
  constructor(reason: string, options: { cause?: unknown } = {}) {
    super('REJECT', reason, options);
  }
}

/**
 * Thrown by a batch handler: the items at these indexes failed, the others are done. Only the failed ones are tried again.
 * On a card the lowest index counts: items before it are done, it and all after it come again.
 */
export class BatchError extends EventsError {
  readonly indexes: readonly number[];

  /** @throws InvalidOptionError where an index is not a whole number from 0, or there is none */
  constructor(indexes: readonly number[], options: { cause?: unknown } = {}) {
    // Copied, so that the holes of a sparse array are seen.
    const given: readonly unknown[] = Array.isArray(indexes) ? [...(indexes as unknown[])] : [];
    const valid = given.length > 0 && given.every((each) => Number.isSafeInteger(each) && (each as number) >= 0);
    if (!valid) throw new InvalidOptionError('BatchError indexes', indexes, 'whole numbers from 0, at least one');
    super('BATCH', `${String(given.length)} items of the batch failed: ${given.slice(0, 20).join(', ')}.`, options);
    this.indexes = Object.freeze([...new Set(given as readonly number[])]);
  }
}

/** The handler did not end within its `timeout`. `cause` is what it threw after its signal had aborted, if it did. */
export class HandlerTimeoutError extends EventsError {
  constructor(handler: string, timeout: number, options: { cause?: unknown } = {}) {
    super('HANDLER_TIMEOUT', `Handler ${handler} did not end within ${String(timeout)} ms (option timeout).`, options);
  }
}

/** The process died while this event was handled, and nothing else. */
export class HandlerCrashedError extends EventsError {
  constructor(handler: string, crashes: number) {
    super(
      'HANDLER_CRASHED',
      `The process died ${String(crashes)} times while handler ${handler} ran on this event alone.`,
    );
  }
}

import type { PublishReceipt } from '../core/context.js';
import type { EventEnvelope } from '../core/envelope.js';
import { PublishManyError } from '../core/publish-errors.js';
import { isPromise } from '../pipeline/compose.js';
import { Receipt } from './receipt.js';

/** An event that is stored, or being stored. */
export interface Storing {
  readonly envelope: EventEnvelope;
  /** When it was stored, ms. */
  readonly time: number | Promise<number>;
}

type Result = { receipt: PublishReceipt } | { error: Error };

/**
 * Stores each of several events on its own, all at once: one that is refused does not hold back the others.
 * @param store may throw
 * @throws PublishManyError when at least one was not stored
 */
export function storeMany<T>(events: readonly T[], store: (event: T) => Storing): Promise<PublishReceipt[]> {
  return new Promise((resolve, reject) => {
    const receipts = new Array<PublishReceipt>(events.length);
    const errors = new Map<number, Error>();
    let left = events.length;
    const done = (): void => {
      if (--left > 0) return;
      if (errors.size === 0) resolve(receipts);
      else reject(new PublishManyError(receiptsAndErrors(receipts, errors)));
    };
    if (left === 0) resolve(receipts);
    for (const [index, event] of events.entries()) {
      const failed = (error: unknown): void => {
        errors.set(index, error as Error);
        done();
      };
      try {
        const { envelope, time } = store(event);
        const stored = (at: number): void => {
          receipts[index] = new Receipt(envelope, at);
          done();
        };
        if (isPromise(time)) time.then(stored, failed);
        else stored(time);
      } catch (error) {
        failed(error);
      }
    }
  });
}

function receiptsAndErrors(receipts: readonly PublishReceipt[], errors: ReadonlyMap<number, Error>): Result[] {
  return Array.from(receipts, (receipt, index) => {
    const error = errors.get(index);
    return error === undefined ? { receipt } : { error };
  });
}

import type { PublishReceipt } from '../core/context.js';
import type { EventEnvelope } from '../core/envelope.js';
import { PublishManyError } from '../core/publish-errors.js';
import { isPromise } from '../pipeline/compose.js';
import { Receipt } from './receipt.js';

/** How one event is made ready and stored. Both may throw. */
export interface StoreEach<T> {
  envelope(event: T): EventEnvelope;
  /** Gives the time of storing, ms. */
  store(envelope: EventEnvelope, event: T): number | Promise<number>;
}

type Result = { receipt: PublishReceipt } | { error: Error };

/**
 * Stores each of several events on its own, all at once: one that is refused does not hold back the others.
 * @throws PublishManyError when at least one was not stored
 */
export function storeMany<T>(events: readonly T[], how: StoreEach<T>): Promise<PublishReceipt[]> {
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
        const envelope = how.envelope(event);
        const stored = (time: number): void => {
          receipts[index] = new Receipt(envelope, time);
          done();
        };
        const storing = how.store(envelope, event);
        if (isPromise(storing)) storing.then(stored, failed);
        else stored(storing);
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

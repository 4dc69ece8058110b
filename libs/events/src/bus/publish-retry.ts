import { systemClock, type Clock, type Timer } from '../core/clock.js';
import { parseDuration } from '../core/duration.js';
import type { EventEnvelope } from '../core/envelope.js';
import {
  BackendUnavailableError,
  BusClosedError,
  EventsOverloadedError,
  InvalidOptionError,
  isEventsError,
} from '../core/errors.js';
import { messageOf } from '../core/message-of.js';
import { BACKOFFS, DEFAULT_RETRY, MAX_ATTEMPTS, retryDelay, type RetryPolicy } from '../core/retry-policy.js';
import type { PublishRetry } from './publish-options.js';

/** Events, and characters of their payloads, that may wait for the backend. */
const MAX_WAITING = 10_000;
const MAX_WAITING_SIZE = 64 * (1 << 20);
/**
 * How long an event that may be stored is tried again, ms: the backend knows its id for 10 minutes, and an attempt takes
 * a while.
 */
const SAFE_FOR = 9 * 60_000;

/** One attempt to store an event. `maybeStored`: an earlier one may have succeeded without an answer. */
export type Attempt = (maybeStored: boolean) => number | Promise<number>;

/** The publishes of one bus that are tried again while the backend is away. They wait in this process only. */
export class PublishRetries {
  private waiting = 0;
  private size = 0;
  private closed = false;
  /** Ends the waits between two attempts. */
  private readonly wakes = new Set<() => void>();

  constructor(
    private readonly bus = 'default',
    private readonly clock: Clock = systemClock,
  ) {}

  /**
   * Stores an event, and tries again while the backend is not available: the same event with the same id, which the
   * attempts must store once. Gives the time of storing, ms; every other failure ends it at once.
   * @throws BackendUnavailableError after the last attempt, its outcome 'unknown' when any attempt may have stored it
   * @throws EventsOverloadedError when too many events wait already, BusClosedError when the bus closes
   */
  async store(event: EventEnvelope, policy: RetryPolicy, attempt: Attempt): Promise<number> {
    let safeUntil = Infinity;
    let entered = false;
    try {
      for (let failures = 1; ; failures++) {
        const began = this.clock.now();
        try {
          return await attempt(safeUntil !== Infinity);
        } catch (error) {
          if (!isEventsError(error, 'BACKEND_UNAVAILABLE')) throw this.closed ? this.closedBy(error) : error;
          if (safeUntil === Infinity && (error as BackendUnavailableError).outcome === 'unknown')
            safeUntil = began + SAFE_FOR;
          const last = safeUntil === Infinity ? error : unknown(error as BackendUnavailableError);
          const delay = retryDelay(policy, failures);
          if (failures >= policy.attempts || this.clock.now() + delay > safeUntil) throw last;
          if (!entered && !this.enter(event)) throw safeUntil === Infinity ? this.overloaded() : last;
          entered = true;
          if (!this.closed) await this.wait(delay);
          if (this.closed) throw this.closedBy(last);
        }
      }
    } finally {
      if (entered) this.leave(event);
    }
  }

  /** Refuses what waits, and what would. */
  close(): void {
    this.closed = true;
    for (const wake of this.wakes) wake();
  }

  private enter({ size }: EventEnvelope): boolean {
    if (this.waiting >= MAX_WAITING || (this.waiting > 0 && this.size + size > MAX_WAITING_SIZE)) return false;
    this.waiting++;
    this.size += size;
    return true;
  }

  private leave({ size }: EventEnvelope): void {
    this.waiting--;
    this.size -= size;
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.wakes.delete(end);
        resolve();
      };
      const timer: Timer = this.clock.after(ms, end, 'awaited');
      this.wakes.add(end);
    });
  }

  private overloaded(): EventsOverloadedError {
    return new EventsOverloadedError(this.bus, `${String(this.waiting)} events`);
  }

  private closedBy(cause: unknown): BusClosedError {
    return Object.assign(new BusClosedError(this.bus), { cause });
  }
}

/** An attempt that surely failed does not undo one that may have succeeded. */
function unknown(error: BackendUnavailableError): BackendUnavailableError {
  if (error.outcome === 'unknown') return error;
  return new BackendUnavailableError(`${messageOf(error)} An earlier attempt may have stored the event.`, {
    outcome: 'unknown',
    cause: error,
  });
}

/** The option `retry` of a publish call, resolved. @throws InvalidOptionError */
export function publishRetryOf(given: PublishRetry): RetryPolicy {
  if (typeof given !== 'object' || (given as unknown) === null)
    throw new InvalidOptionError('retry', given, '{ attempts, delay, backoff? }');
  const { attempts, delay, backoff = DEFAULT_RETRY.backoff } = given;
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > MAX_ATTEMPTS)
    throw new InvalidOptionError('retry.attempts', attempts, `a whole number from 1 to ${String(MAX_ATTEMPTS)}`);
  if (!BACKOFFS.includes(backoff))
    throw new InvalidOptionError('retry.backoff', backoff, BACKOFFS.map((each) => `'${each}'`).join(', '));
  const first = parseDuration(delay, 'retry.delay');
  // Without jitter: what was published in order is tried again in order.
  return { attempts, delay: first, backoff, maxDelay: Math.max(first, DEFAULT_RETRY.maxDelay), jitter: false };
}

import { inspect } from 'node:util';
import { systemClock } from '../core/clock.js';
import { parseDuration } from '../core/duration.js';
import { turns } from './clock.js';

/** What ends a wait. */
export type Truthy<T> = NonNullable<Exclude<T, false>>;

export interface WaitOptions {
  /** How long to wait before it is an error, in real time. Defaults to 5 s. */
  readonly timeout?: number | string;
  /** What is waited for, in the error. Defaults to the text of the predicate. */
  readonly what?: string;
  /** Runs between two looks, to let other time pass (`TestClock.advance`). Gets the real milliseconds since the last one. */
  readonly between?: (elapsed: number) => unknown;
}

const TIMEOUT = 5_000;
/** Looks that only let the event loop turn; then timers of 1 ms, 2 ms, … LONGEST. */
const QUICK = 20;
const LONGEST = 10;

/**
 * Looks until `predicate` gives something else than false, null and undefined, and gives that back. What it throws means
 * "not yet", so assertions may stand in it: end it with `return true`.
 * @throws Error that tells what was waited for and the last value or error, when the time is up
 */
export async function waitFor<T>(predicate: () => T | Promise<T>, options: WaitOptions = {}): Promise<Truthy<T>> {
  const { timeout = TIMEOUT, what = predicate.toString(), between } = options;
  const began = systemClock.now();
  const limit = parseDuration(timeout, 'waitFor() timeout');
  let looked = began;
  for (let look = 0; ; look++) {
    let last: { readonly value: unknown } | { readonly error: unknown };
    try {
      const value = await predicate();
      if (value !== false && value !== null && value !== undefined) return value as Truthy<T>;
      last = { value };
    } catch (error) {
      last = { error };
    }
    const now = systemClock.now();
    if (now - began >= limit) throw timedOut(what, limit, last);
    if (look < QUICK) await turns(1);
    else await pause(Math.min(look - QUICK + 1, LONGEST));
    if (between !== undefined) await between(systemClock.now() - looked);
    looked = systemClock.now();
  }
}

/**
 * Waits until `signal` aborts and gives its reason back.
 * @throws Error when the time is up
 */
export async function waitForAbort(signal: AbortSignal, options: WaitOptions = {}): Promise<unknown> {
  await waitFor(() => signal.aborted, { what: 'the signal to abort', ...options });
  return signal.reason;
}

/** How a promise ended. */
export type Outcome<T> =
  { readonly status: 'fulfilled'; readonly value: T } | { readonly status: 'rejected'; readonly reason: unknown };

/**
 * Waits until `promise` is settled, and tells how; does not throw what it was rejected with.
 * @throws Error when the time is up
 */
export async function waitForOutcome<T>(promise: PromiseLike<T>, options: WaitOptions = {}): Promise<Outcome<T>> {
  let outcome: Outcome<T> | undefined;
  promise.then(
    (value) => (outcome = { status: 'fulfilled', value }),
    (reason: unknown) => (outcome = { status: 'rejected', reason }),
  );
  return waitFor(() => outcome, { what: 'a promise to settle', ...options });
}

function timedOut(what: string, limit: number, last: { value: unknown } | { error: unknown }): Error {
  const seen =
    'value' in last
      ? `the last value was ${inspect(last.value)}`
      : `the last error was ${last.error instanceof Error ? last.error.message : inspect(last.error)}`;
  const cause = 'error' in last ? { cause: last.error } : {};
  return new Error(`waited ${String(limit)} ms for ${what}: ${seen}`, cause);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.after(ms, resolve, 'awaited'));
}

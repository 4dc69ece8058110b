export const BACKOFFS = ['fixed', 'linear', 'exponential'] as const;
export const MAX_ATTEMPTS = 1_000;

/** When a failed handler is tried again, resolved: milliseconds. */
export interface RetryPolicy {
  /** Attempts in all, the first among them. */
  readonly attempts: number;
  /** Before the second attempt, ms. */
  readonly delay: number;
  readonly backoff: (typeof BACKOFFS)[number];
  /** Longest wait, ms. */
  readonly maxDelay: number;
  /** Each wait is drawn from half of it to all of it, so that what failed together does not come again together. */
  readonly jitter: boolean;
}

export const DEFAULT_RETRY: RetryPolicy = Object.freeze({
  attempts: 3,
  delay: 1_000,
  backoff: 'exponential',
  maxDelay: 300_000,
  jitter: true,
});

/** The wait after `failures` failed attempts (from 1), ms. `random`: from 0 to below 1. */
export function retryDelay(policy: RetryPolicy, failures: number, random: () => number = Math.random): number {
  const { delay, backoff, maxDelay, jitter } = policy;
  const factor = backoff === 'fixed' ? 1 : backoff === 'linear' ? failures : 2 ** Math.min(failures - 1, 50);
  const wait = Math.min(delay * factor, Math.max(maxDelay, 0));
  return Math.round(jitter ? wait * (0.5 + random() / 2) : wait);
}

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BACKOFFS, DEFAULT_RETRY, retryDelay, type RetryPolicy } from './retry-policy.js';

const policyOf = (fields: Partial<RetryPolicy> = {}): RetryPolicy => ({
  ...{ attempts: 10, delay: 100, backoff: 'fixed', maxDelay: 60_000, jitter: false },
  ...fields,
});

/** The waits after the first, second, … failed attempt. */
const waits = (policy: RetryPolicy, count: number): number[] =>
  Array.from({ length: count }, (_, index) => retryDelay(policy, index + 1));

describe('retryDelay', () => {
  it.each<[RetryPolicy['backoff'], number[]]>([
    ['fixed', [100, 100, 100, 100, 100]],
    ['linear', [100, 200, 300, 400, 500]],
    ['exponential', [100, 200, 400, 800, 1_600]],
  ])('grows %s', (backoff, expected) => {
    expect(waits(policyOf({ backoff }), 5)).toEqual(expected);
  });

  it('does not grow beyond the longest wait', () => {
    expect(waits(policyOf({ backoff: 'exponential', maxDelay: 350 }), 4)).toEqual([100, 200, 350, 350]);
    expect(waits(policyOf({ backoff: 'linear', maxDelay: 250 }), 4)).toEqual([100, 200, 250, 250]);
    expect(waits(policyOf({ maxDelay: 50 }), 2)).toEqual([50, 50]);
    expect(waits(policyOf({ maxDelay: 0 }), 1)).toEqual([0]);
  });

  it('stays a number after any number of failures', () => {
    for (const backoff of BACKOFFS) {
      const policy = policyOf({ backoff, delay: Number.MAX_SAFE_INTEGER, maxDelay: Number.MAX_SAFE_INTEGER });
      expect(retryDelay(policy, 1_000)).toBe(Number.MAX_SAFE_INTEGER);
    }
  });

  it('is at once without a delay', () => {
    for (const backoff of BACKOFFS) expect(waits(policyOf({ backoff, delay: 0, jitter: true }), 3)).toEqual([0, 0, 0]);
  });

  it('is drawn from half of it to all of it with jitter', () => {
    const policy = policyOf({ backoff: 'exponential', jitter: true });
    expect(retryDelay(policy, 3, () => 0)).toBe(200);
    expect(retryDelay(policy, 3, () => 0.5)).toBe(300);
    expect(retryDelay(policy, 3, () => 0.999_999)).toBe(400);
    const drawn = Array.from({ length: 200 }, () => retryDelay(policy, 3));
    expect(new Set(drawn).size).toBeGreaterThan(10);
  });

  it('keeps its bounds whatever the policy is, and gives whole milliseconds', () => {
    const policies = fc.record<RetryPolicy>({
      attempts: fc.integer({ min: 1, max: 1_000 }),
      delay: fc.nat({ max: 10 ** 9 }),
      backoff: fc.constantFrom(...BACKOFFS),
      maxDelay: fc.nat({ max: 10 ** 9 }),
      jitter: fc.boolean(),
    });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 1_000 }), random, (policy, failures, drawn) => {
        const exact = retryDelay({ ...policy, jitter: false }, failures);
        const wait = retryDelay(policy, failures, () => drawn);
        expect(Number.isSafeInteger(wait)).toBe(true);
        expect(exact).toBeLessThanOrEqual(policy.maxDelay);
        expect(wait).toBeLessThanOrEqual(exact);
        expect(wait).toBeGreaterThanOrEqual(policy.jitter ? Math.floor(exact / 2) : exact);
        // Never less than after fewer failures.
        expect(retryDelay({ ...policy, jitter: false }, failures + 1)).toBeGreaterThanOrEqual(exact);
      }),
    );
  });

  it('is by default three attempts, 1 s apart and doubling up to 5 min, with jitter', () => {
    expect(DEFAULT_RETRY).toEqual({
      ...{ attempts: 3, delay: 1_000, backoff: 'exponential', maxDelay: 300_000, jitter: true },
    });
    expect(Object.isFrozen(DEFAULT_RETRY)).toBe(true);
  });
});

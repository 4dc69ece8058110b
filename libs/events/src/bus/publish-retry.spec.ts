import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventEnvelope } from '../core/envelope.js';
import {
  BackendError,
  BackendUnavailableError,
  BusClosedError,
  EventsOverloadedError,
  InvalidOptionError,
} from '../core/errors.js';
import { createScopeStorage } from '../core/scope.js';
import type { EventDriver, StoreOptions } from '../ports/driver.js';
import { TestClock, turns } from '../testing/clock.js';
import { EnvelopeFactory } from './envelope-factory.js';
import type { PublishOptions, PublishRetry } from './publish-options.js';
import { PublishRetries, publishRetryOf, type Attempt } from './publish-retry.js';
import { Publisher } from './publisher.js';

const MINUTE = 60_000;

let clock: TestClock;
let retries: PublishRetries;
beforeEach(() => {
  clock = new TestClock();
  retries = new PublishRetries('orders', clock);
});

function event(size = 1): EventEnvelope {
  const text = 'x'.repeat(size);
  return new EventEnvelope({ type: 'a', id: 'i', source: 's', sourceInstance: 'p', time: 0, mode: 'broadcast', text });
}

const away = (outcome: 'not-stored' | 'unknown' = 'not-stored'): BackendUnavailableError =>
  new BackendUnavailableError('away.', { outcome });

/** Attempts that end so, one after the other, and when each was made. */
function attempts(...results: (number | Error)[]): { readonly attempt: Attempt; readonly made: [number, boolean][] } {
  const made: [number, boolean][] = [];
  const begin = clock.now();
  const attempt: Attempt = (maybeStored) => {
    const result = results[Math.min(made.length, results.length - 1)] ?? 0;
    made.push([clock.now() - begin, maybeStored]);
    if (typeof result === 'number') return result;
    throw result;
  };
  return { attempt, made };
}

const policy = (attempts_: number, delay: number, backoff: PublishRetry['backoff'] = 'fixed') =>
  publishRetryOf({ attempts: attempts_, delay, backoff });

async function outcome(promise: Promise<number>, ms = 0): Promise<unknown> {
  let result: unknown = 'pending';
  promise.then(
    (value) => (result = value),
    (error: unknown) => (result = error),
  );
  await clock.advance(ms);
  await turns();
  return result;
}

describe('publish retries', () => {
  it.each([
    ['fixed', [0, 100, 200, 300]],
    ['linear', [0, 100, 300, 600]],
    ['exponential', [0, 100, 300, 700]],
  ] as const)('%s: tries again after the delay until it is stored', async (backoff, times) => {
    const { attempt, made } = attempts(away(), away(), away(), 7);
    expect(await outcome(retries.store(event(), policy(9, 100, backoff), attempt), 10_000)).toBe(7);
    expect(made.map(([time]) => time)).toEqual(times);
  });

  it('ends with the last error, after as many attempts as were asked for', async () => {
    const last = away();
    const { attempt, made } = attempts(away(), away(), last);
    expect(await outcome(retries.store(event(), policy(3, 100), attempt), 10_000)).toBe(last);
    expect(made).toHaveLength(3);
    expect(clock.pending()).toBe(0);
  });

  it('any other error ends it at once', async () => {
    const full = new BackendError('no');
    const { attempt, made } = attempts(away(), full);
    expect(await outcome(retries.store(event(), policy(9, 100), attempt), 10_000)).toBe(full);
    expect(made).toHaveLength(2);
  });

  it('an attempt without an answer is not forgotten: the outcome stays unknown, and later attempts hear of it', async () => {
    const { attempt, made } = attempts(away(), away('unknown'), away());
    const error = await outcome(retries.store(event(), policy(3, 100), attempt), 10_000);
    expect(error).toMatchObject({ code: 'BACKEND_UNAVAILABLE', outcome: 'unknown' });
    expect(made.map(([, maybeStored]) => maybeStored)).toEqual([false, false, true]);
  });

  it('what may be stored is not tried beyond the time for which its id is known', async () => {
    const { attempt, made } = attempts(away('unknown'));
    const storing = retries.store(event(), policy(1_000, MINUTE), attempt);
    expect(await outcome(storing, 20 * MINUTE)).toMatchObject({ outcome: 'unknown' });
    expect(made.at(-1)).toEqual([9 * MINUTE, true]);
    const unsent = attempts(away());
    expect(await outcome(retries.store(event(), policy(1_000, MINUTE), unsent.attempt), 20 * MINUTE)).toBe('pending');
    expect(unsent.made).toHaveLength(21);
  });

  it('takes 10,000 events and no more; who has gone makes room', async () => {
    const { attempt } = attempts(away());
    const waiting = Array.from({ length: 10_000 }, () =>
      retries.store(event(), policy(2, 100), attempt).catch(() => 0),
    );
    await turns();
    const refused = await outcome(retries.store(event(), policy(2, 100), attempt));
    expect(refused).toBeInstanceOf(EventsOverloadedError);
    expect((refused as Error).message).toContain("'orders' has 10000 events");
    // Overloaded would say that it is not stored.
    const { attempt: unanswered } = attempts(away('unknown'));
    const unsure = await outcome(retries.store(event(), policy(2, 100), unanswered));
    expect(unsure).toMatchObject({ code: 'BACKEND_UNAVAILABLE', outcome: 'unknown' });
    await clock.advance(100);
    await Promise.all(waiting);
    expect(await outcome(retries.store(event(), policy(2, 100), attempts(away(), 5).attempt), 100)).toBe(5);
  }, 30_000);

  it('takes 64 MiB of payloads and no more, but one event of any size', async () => {
    const { attempt } = attempts(away());
    const first = outcome(retries.store(event(64 * (1 << 20) + 1), policy(2, 100), attempt));
    expect(await first).toBe('pending');
    expect(await outcome(retries.store(event(), policy(2, 100), attempt))).toBeInstanceOf(EventsOverloadedError);
  });

  it('at close what waits is refused at once, what is under way when it fails, and nothing waits any more', async () => {
    const reason = away();
    const waiting = outcome(retries.store(event(), policy(9, MINUTE), attempts(reason).attempt));
    expect(await waiting).toBe('pending');
    let fail: (error: Error) => void = () => undefined;
    const underWay = retries.store(event(), policy(9, MINUTE), () => new Promise((_, reject) => (fail = reject)));
    const stored = retries.store(event(), policy(9, MINUTE), () => turns(9).then(() => 3));
    const again = retries.store(event(), policy(9, MINUTE), attempts(away(), 4).attempt);
    await turns();
    retries.close();
    const closed = {
      code: 'BUS_CLOSED',
      message: "Bus 'orders' is closed.",
      cause: expect.any(BackendUnavailableError),
    };
    expect(await outcome(again)).toMatchObject(closed);
    fail(away());
    expect(await outcome(underWay)).toMatchObject(closed);
    expect(await stored).toBe(3);
    const late = await outcome(retries.store(event(), policy(9, MINUTE), attempts(away()).attempt));
    expect(late).toBeInstanceOf(BusClosedError);
    expect(clock.pending()).toBe(0);
  });

  it.each([
    [{ attempts: 0, delay: 1 }, 'retry.attempts'],
    [{ attempts: 1_001, delay: 1 }, 'retry.attempts'],
    [{ attempts: '3', delay: 1 }, 'retry.attempts'],
    [{ attempts: 3 }, 'retry.delay'],
    [{ attempts: 3, delay: 'soon' }, 'retry.delay'],
    [{ attempts: 3, delay: 1, backoff: 'none' }, 'retry.backoff'],
    [null, 'retry'],
  ])('refuses %j', (given, option) => {
    expect(() => publishRetryOf(given as never)).toThrow(InvalidOptionError);
    expect(() => publishRetryOf(given as never)).toThrow(new RegExp(`^${option}: `));
  });
});

describe('what a publish asks of the driver', () => {
  const asked: (StoreOptions | undefined)[] = [];
  const store = (publish: (event: EventEnvelope, how?: StoreOptions) => number): Publisher => {
    const envelopes = new EnvelopeFactory({
      ...{ service: 's', instanceId: 'i', maxPayload: 1_000, share: false, clock },
      scope: createScopeStorage(),
      loop: () => undefined,
    });
    const driver = { publish } as unknown as EventDriver;
    const local = { expect: () => Promise.resolve([]), forget: () => undefined };
    return new Publisher(driver, envelopes, local, undefined, undefined, retries);
  };
  const publish = (options?: PublishOptions): Promise<number> => {
    asked.length = 0;
    const publisher = store((_event, how) => {
      asked.push(how);
      return 1;
    });
    return Promise.resolve(publisher.store(publisher.envelope('a', 1, options), options));
  };

  it('nothing where nothing is asked for', async () => {
    for (const options of [undefined, {}, { source: 'x' }, { mandatory: false }, { settle: true, id: 'x' }]) {
      await publish(options);
      expect(asked).toEqual([undefined]);
    }
  });

  it.each<[PublishOptions, StoreOptions]>([
    [
      { mode: 'anycast', preferLocal: true },
      { preferLocal: true, mandatory: false, deduplicate: false },
    ],
    [{ mandatory: true }, { preferLocal: false, mandatory: true, deduplicate: false }],
    [{ id: 'x' }, { preferLocal: false, mandatory: false, deduplicate: true }],
    [
      { retry: { attempts: 1, delay: 0 }, settle: true },
      { preferLocal: false, mandatory: false, deduplicate: true },
    ],
  ])('%j', async (options, how) => {
    await publish(options);
    expect(asked).toEqual([how]);
  });

  it('what may be stored already is not refused for want of listeners', async () => {
    const results = [away(), away('unknown'), 5];
    const seen: unknown[] = [];
    const publisher = store((event_, how) => {
      seen.push([event_.id, how?.mandatory, how?.deduplicate]);
      const result = results[seen.length - 1] ?? 0;
      if (typeof result === 'number') return result;
      throw result;
    });
    const options = { mandatory: true, id: 'x', retry: { attempts: 3, delay: 10 } };
    const storing = Promise.resolve(publisher.store(publisher.envelope('a', 1, options), options));
    expect(await outcome(storing, 100)).toBe(5);
    expect(seen).toEqual([['x', true, true], ['x', true, true], ['x', false, true]]); // prettier-ignore
  });

  it('a retry that cannot be used is refused before anything is stored', () => {
    const publisher = store(() => 1);
    const options = { retry: { attempts: 0, delay: 1 } };
    expect(() => publisher.store(publisher.envelope('a', 1, options), options)).toThrow(InvalidOptionError);
  });
});

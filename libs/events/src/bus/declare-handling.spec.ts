import { describe, expect, it } from '@jest/globals';
import type { EventContext } from '../core/context.js';
import { isEventsError } from '../core/errors.js';
import type { Filter } from '../core/filter.js';
import type { RetryPolicy } from '../core/retry-policy.js';
import { handlingOf, type HandlingDefaults } from './declare-handling.js';
import type { HandlingOptions } from './handling-options.js';

const retry: RetryPolicy = { attempts: 4, delay: 2_000, backoff: 'linear', maxDelay: 10_000, jitter: false };
const defaults: HandlingDefaults = {
  concurrency: 10,
  handlers: { timeout: 5_000, stuckAfter: 7_000, retry },
  filters: new Map(),
};

const handling = (options: HandlingOptions = {}, more: Partial<HandlingDefaults> = {}): ReturnType<typeof handlingOf> =>
  handlingOf(options, { ...defaults, ...more }, 'Orders.on');

/** What these options are refused with; undefined: they are not. */
function refusal(options: object): string | undefined {
  try {
    handling(options);
    return undefined;
  } catch (error) {
    if (!isEventsError(error, 'INVALID_OPTION')) throw error;
    expect(error.message).toContain('Orders.on');
    return error.message;
  }
}

describe('a handler that says nothing', () => {
  it('gets the defaults of the bus', () => {
    expect(handling()).toEqual({
      concurrency: 10,
      timeout: 5_000,
      stuckAfter: 7_000,
      retry,
      filters: [],
      idempotent: undefined,
      batch: undefined,
    });
  });

  it('also where it says undefined', () => {
    const nothing = { concurrency: undefined, timeout: undefined, retry: undefined, filter: undefined };
    expect(handling({ ...nothing, idempotent: undefined, batch: undefined } as never)).toEqual(handling());
    expect(handling({ retry: { attempts: undefined, delay: undefined } as never }).retry).toEqual(retry);
  });
});

describe('concurrency', () => {
  it.each([1, 100_000])('is %i', (concurrency) => {
    expect(handling({ concurrency }).concurrency).toBe(concurrency);
  });

  it.each([0, -1, 1.5, 100_001, NaN, Infinity, '5', {}])('is not %p', (concurrency) => {
    expect(refusal({ concurrency })).toMatch(/concurrency.*whole number from 1 to 100000/);
  });
});

describe('timeout', () => {
  it.each([
    [0, 0],
    [250, 250],
    ['30s', 30_000],
    ['1.5h', 5_400_000],
  ])('%p is %i ms', (timeout, ms) => {
    expect(handling({ timeout }).timeout).toBe(ms);
  });

  it.each([-1, 'soon', '', NaN, Infinity, true, {}, null])('is not %p', (timeout) => {
    expect(refusal({ timeout })).toMatch(/timeout/);
  });
});

describe('retry', () => {
  it('fills in from the bus what it does not say', () => {
    expect(handling({ retry: {} }).retry).toEqual(retry);
    expect(handling({ retry: { attempts: 1 } }).retry).toEqual({ ...retry, attempts: 1 });
    expect(handling({ retry: { delay: '3s', jitter: true } }).retry).toEqual({ ...retry, delay: 3_000, jitter: true });
    expect(handling({ retry: { backoff: 'fixed', maxDelay: '1m' } }).retry).toEqual({
      ...retry,
      backoff: 'fixed',
      maxDelay: 60_000,
    });
  });

  it('does not cut a delay of its own by a longest wait that is the default', () => {
    expect(handling({ retry: { delay: '1m' } }).retry.maxDelay).toBe(60_000);
    expect(handling({ retry: { delay: '1m', maxDelay: '5s' } }).retry.maxDelay).toBe(5_000);
  });

  it('cannot be changed, and leaves what was given alone', () => {
    const given = { attempts: 2 };
    const resolved = handling({ retry: given }).retry;
    expect([Object.isFrozen(resolved), Object.isFrozen(given), given]).toEqual([true, false, { attempts: 2 }]);
  });

  it.each<[unknown, RegExp]>([
    [3, /retry .*an object with attempts, delay, backoff, maxDelay, jitter/],
    [true, /retry .*an object/],
    [null, /retry .*an object/],
    [[], /retry .*an object/],
    [{ atempts: 3 }, /'atempts'.*attempts, delay/],
    [{ attempts: 0 }, /retry\.attempts.*from 1 to 1000/],
    [{ attempts: 1_001 }, /retry\.attempts/],
    [{ attempts: 2.5 }, /retry\.attempts/],
    [{ attempts: '3' }, /retry\.attempts/],
    [{ delay: -1 }, /retry\.delay/],
    [{ delay: 'x' }, /retry\.delay/],
    [{ delay: {} }, /retry\.delay/],
    [{ maxDelay: 'x' }, /retry\.maxDelay/],
    [{ backoff: 'quadratic' }, /retry\.backoff.*'fixed', 'linear', 'exponential'/],
    [{ backoff: 2 }, /retry\.backoff/],
    [{ jitter: 'yes' }, /retry\.jitter.*true or false/],
    [{ jitter: 0 }, /retry\.jitter/],
  ])('is not %p', (given, text) => {
    expect(refusal({ retry: given })).toMatch(text);
  });
});

describe('filter', () => {
  const context = { type: 'order.created' } as EventContext;
  const wants = (filters: readonly Filter[]): unknown[] => filters.map((filter) => filter({}, context));

  it('is one, or several in order', () => {
    const [first, second]: Filter[] = [(): boolean => true, (): boolean => false];
    expect(handling({ filter: first! }).filters).toEqual([first]);
    expect(handling({ filter: [first!, second!] }).filters).toEqual([first, second]);
    expect(handling({ filter: [] }).filters).toEqual([]);
  });

  it.each([[5], ['x'], [null], [{}], [[5]], [[null]], [[undefined]], [[(): boolean => true, undefined]], [new Map()]])(
    'is not %p',
    (filter) => {
      expect(refusal({ filter })).toMatch(/filter.*a function, or an array of functions/);
    },
  );

  it('comes after those of the bus, which are asked for the types of their pattern alone', async () => {
    const bus: [string, Filter][] = [
      ['order.*', () => false],
      ['order.created', () => Promise.resolve(false)],
      ['user.#', () => false],
    ];
    const { filters } = handling({ filter: () => 'own' as never }, { filters: new Map(bus) });
    expect(await Promise.all(wants(filters))).toEqual([false, false, true, 'own']);
  });

  it('of the bus gets payload and context', () => {
    const asked: unknown[] = [];
    const filter: Filter = (...given) => asked.push(...given) > 0;
    const { filters } = handling({}, { filters: new Map([['#', filter]]) });
    void filters[0]?.({ n: 1 }, context);
    expect(asked).toEqual([{ n: 1 }, context]);
  });
});

describe('idempotent', () => {
  const day = 86_400_000;
  const key = (): string => 'k';

  it('is by id and for a day, unless it says otherwise', () => {
    expect(handling({ idempotent: true }).idempotent).toEqual({ key: undefined, ttl: day });
    expect(handling({ idempotent: {} }).idempotent).toEqual({ key: undefined, ttl: day });
    expect(handling({ idempotent: { key } }).idempotent).toEqual({ key, ttl: day });
    expect(handling({ idempotent: { ttl: '1h' } }).idempotent).toEqual({ key: undefined, ttl: 3_600_000 });
  });

  it('remembers for at least a millisecond', () => {
    expect(handling({ idempotent: { ttl: 0 } }).idempotent?.ttl).toBe(1);
  });

  it.each<[unknown, RegExp]>([
    [false, /idempotent .*an object with key, ttl/],
    ['id', /idempotent/],
    [null, /idempotent/],
    [key, /idempotent/],
    [{ keys: key }, /'keys'.*key, ttl/],
    [{ key: 'id' }, /idempotent\.key.*a function/],
    [{ key: null }, /idempotent\.key/],
    [{ ttl: 'x' }, /idempotent\.ttl/],
    [{ ttl: null }, /idempotent\.ttl/],
  ])('is not %p', (idempotent, text) => {
    expect(refusal({ idempotent })).toMatch(text);
  });
});

describe('batch', () => {
  it('has a size and a longest wait, and is by default one at once', () => {
    expect(handling({ batch: { size: 100, maxWait: '2s' } })).toMatchObject({
      batch: { size: 100, maxWait: 2_000 },
      concurrency: 1,
    });
    expect(handling({ batch: { size: 100, maxWait: 0 }, concurrency: 3 })).toMatchObject({
      batch: { maxWait: 0 },
      concurrency: 3,
    });
  });

  it.each<[unknown, RegExp]>([
    [true, /batch .*an object with size, maxWait/],
    [10, /batch/],
    [null, /batch/],
    [{}, /batch\.size.*from 1 to 10000/],
    [{ size: 0, maxWait: 1 }, /batch\.size/],
    [{ size: 10_001, maxWait: 1 }, /batch\.size/],
    [{ size: '10', maxWait: 1 }, /batch\.size/],
    [{ size: 10 }, /batch\.maxWait/],
    [{ size: 10, maxWait: -1 }, /batch\.maxWait/],
    [{ size: 10, maxWait: 'x' }, /batch\.maxWait/],
    [{ size: 10, maxWait: 1, wait: 1 }, /'wait'.*size, maxWait/],
  ])('is not %p', (batch, text) => {
    expect(refusal({ batch })).toMatch(text);
  });
});

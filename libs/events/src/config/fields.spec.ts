import { describe, expect, it } from '@jest/globals';
import { BUS_FIELDS, MODULE_FIELDS, layerOf, nearest, readRedisUrl, unknownOptions } from './fields.js';

const at = (path: string): string => path;

describe('the table', () => {
  it('has the variables of the contract', () => {
    expect(Object.values(BUS_FIELDS).map((field) => field.suffix)).toEqual(
      (
        'BACKEND URL KEY_PREFIX EXCHANGE_NAME EXCHANGE_TYPE GROUP ISOLATE CONCURRENCY PREFETCH MAX_PAYLOAD RETENTION ' +
        'MAX_LENGTH OVERFLOW STREAM_TTL RECLAIM_AFTER CARDS_LEASE CARDS_QUANTUM CARDS_IDLE_AFTER CARDS_SWEEP CARDS_SCAN ' +
        'CARDS_STREAM_PREFIX CARDS_ENCODING CARDS_STUCK_AFTER HANDLERS_TIMEOUT HANDLERS_STUCK_AFTER HANDLERS_RETRY_ATTEMPTS ' +
        'HANDLERS_RETRY_DELAY HANDLERS_RETRY_BACKOFF HANDLERS_RETRY_MAX_DELAY HANDLERS_RETRY_JITTER'
      ).split(' '),
    );
    expect(Object.values(MODULE_FIELDS).map((field) => field.suffix)).toEqual(
      'SERVICE INSTANCE_ID SHUTDOWN_TIMEOUT DEBUG'.split(' '),
    );
  });

  it.each(Object.entries({ ...BUS_FIELDS, ...MODULE_FIELDS }))(
    '%s: path, text for people, a default that it accepts',
    (key, field) => {
      // The key is the path in one word: `handlers.retry.delay` is handlersRetryDelay.
      expect(field.path.replaceAll(/\.(\w)/g, (_, letter: string) => letter.toUpperCase())).toBe(key);
      expect(field.accepted).not.toBe('');
      if (field.fallback !== undefined) expect(field.parse(field.fallback)).toBe(field.fallback);
      for (const bad of ['', ' ', null, {}, [], NaN]) expect(field.parse(bad)).toBeUndefined();
    },
  );

  it.each<[keyof typeof BUS_FIELDS, unknown, unknown]>([
    ['backend', ' Redis ', 'redis'],
    ['backend', 'mysql', undefined],
    ['concurrency', '12', 12],
    ['concurrency', 12, 12],
    ['concurrency', 0, undefined],
    ['concurrency', 1.5, undefined],
    ['concurrency', '1e3', undefined],
    ['concurrency', '-3', undefined],
    ['concurrency', '0x10', undefined],
    ['concurrency', true, undefined],
    ['maxPayload', 2 ** 29, 2 ** 29],
    ['maxPayload', 2 ** 29 + 1, undefined],
    ['isolate', 'no', false],
    ['isolate', 'ON', true],
    ['isolate', false, false],
    ['isolate', 0, undefined],
    ['retention', '5m', 300_000],
    ['retention', 0, undefined],
    ['reclaimAfter', '1s', 1_000],
    ['reclaimAfter', 999, undefined],
    ['overflow', 'DROP-OLDEST', 'drop-oldest'],
    ['overflow', 'drop', undefined],
    ['handlersTimeout', '2m', 120_000],
    ['handlersTimeout', 0, 0],
    ['handlersTimeout', -1, undefined],
    ['handlersStuckAfter', '0', 0],
    ['handlersRetryAttempts', '5', 5],
    ['handlersRetryAttempts', 1_000, 1_000],
    ['handlersRetryAttempts', 1_001, undefined],
    ['handlersRetryAttempts', 0, undefined],
    ['handlersRetryDelay', 0, 0],
    ['handlersRetryBackoff', ' Linear ', 'linear'],
    ['handlersRetryBackoff', 'quadratic', undefined],
    ['handlersRetryMaxDelay', '1h', 3_600_000],
    ['handlersRetryJitter', 'off', false],
    ['handlersRetryJitter', 1, undefined],
    ['keyPrefix', 'app:', 'app:'],
    ['keyPrefix', 'a{b}', undefined],
    ['keyPrefix', 'a b', undefined],
    ['keyPrefix', 'a\u0000', undefined],
    ['keyPrefix', 'a\u200bb', undefined],
    ['keyPrefix', 'ü'.repeat(64), 'ü'.repeat(64)],
    ['keyPrefix', 'ü'.repeat(65), undefined],
    ['url', 5, undefined],
  ])('%s reads %p as %p', (key, given, expected) => {
    expect(BUS_FIELDS[key].parse(given)).toBe(expected);
  });
});

describe('readRedisUrl', () => {
  it.each([
    ['redis://localhost', ['localhost:6379']],
    ['redis://127.0.0.1:6379/3', ['localhost:6379']],
    ['redis://[::1]', ['localhost:6379']],
    ['redis://[fe80::1]:7000', ['[fe80::1]:7000']],
    ['REDISS://u:p%40ss@Example.COM:6380/', ['example.com:6380']],
    ['redis://:p:w@h', ['h:6379']],
    ['redis+cluster://u:p@h1:7000,h2', ['h1:7000', 'h2:6379']],
    ['redis+cluster://h1/0', ['h1:6379']],
    ['redis+sentinel://h1,h2:1/mymaster', ['h1:26379/mymaster', 'h2:1/mymaster']],
    ['redis://h?family=6', ['h:6379']],
  ])('%s', (url, servers) => {
    expect(readRedisUrl(url)).toEqual({ servers });
  });

  it.each([
    ['http://h', /scheme/],
    ['memory://', /scheme/],
    ['h:6379', /scheme/],
    ['constructor://h', /scheme/],
    ['', /scheme/],
    ['redis:h', /cannot be read/],
    ['redis://:p/w@h', /cannot be read/],
    ['redis://:p@w@h', /cannot be read/],
    ['redis://h one', /cannot be read/],
    ['redis://:100%@h', /%/],
    ['redis://', /host/],
    ['redis:///1', /host/],
    ['redis://h:0', /port/],
    ['redis://h:65536', /port/],
    ['redis://h:port', /port/],
    ['redis+cluster://h1,,h2', /host/],
    ['redis://h1,h2', /several hosts/],
    ['redis://h/main', /database/],
    ['redis://h/1/2', /database/],
    ['redis+cluster://h/1', /databases/],
    ['redis+sentinel://h1', /master/],
    ['redis+sentinel://h1/', /master/],
    ['redis+sentinel://h1/a/b', /master/],
  ])('%s: %s', (url, why) => {
    expect(readRedisUrl(url)).toEqual({ why: expect.stringMatching(why) });
  });
});

describe('sections', () => {
  const table = { url: { path: 'url' }, lease: { path: 'cards.lease' }, batch: { path: 'schedule.batchSize' } };

  it('are read by path', () => {
    const layer = layerOf({ url: 'a', cards: { lease: '5s' }, schedule: 5 }, Object.values(table), at);
    expect([...layer]).toEqual([
      ['url', { value: 'a', origin: 'url' }],
      ['cards.lease', { value: '5s', origin: 'cards.lease' }],
    ]);
  });

  it('are searched for unknown options', () => {
    const options = { cards: { lease: 1, leese: 2 }, schedule: 5, urll: 'x', gone: undefined };
    const problems = unknownOptions(options, table, [], at);
    expect(problems).toHaveLength(3);
    expect(problems[0]).toContain('cards.leese is not an option; the nearest known name is cards.lease');
    expect(problems[1]).toContain('schedule: got 5; accepted: an object');
    expect(problems[2]).toContain('the nearest known name is url');
  });
});

describe('nearest', () => {
  it('takes the fewest changes, the first of several', () => {
    expect(nearest('CONCURENCY', ['URL', 'CONCURRENCY', 'CURRENCY'])).toBe('CONCURRENCY');
    expect(nearest('b', ['a', 'c'])).toBe('a');
    expect(nearest('', ['abc', 'x'])).toBe('x');
    expect(nearest('x', [])).toBeUndefined();
  });
});

import { describe, expect, it, jest } from '@jest/globals';
import * as cardErrors from './card-errors.js';
import * as errors from './errors.js';
import * as publishErrors from './publish-errors.js';
import { describe as describeValue, EventsError, isEventsError } from './errors.js';

const cause = new Error('underneath');

/** One of each, with the parts that its message must name. */
const samples: [EventsError, code: string, ...named: string[]][] = [
  [new errors.EventsConfigError(['url: bad', 'group: bad']), 'CONFIG', '2 problem(s)', 'url: bad', 'group: bad'],
  [new errors.InvalidEventTypeError('a b', 'why'), 'INVALID_EVENT_TYPE', "'a b'", 'why', 'order.created'],
  [new errors.InvalidPatternError('a*', 'why'), 'INVALID_PATTERN', "'a*'", 'why', '255 bytes'],
  [new errors.InvalidEventError('what and cure'), 'INVALID_EVENT', 'what and cure'],
  [new errors.InvalidHandlerError('what and cure'), 'INVALID_HANDLER', 'what and cure'],
  [new errors.InvalidOptionError('timeout', 'soon', 'a duration'), 'INVALID_OPTION', 'timeout', "'soon'", 'a duration'],
  [new cardErrors.InvalidCardError('topic', 'a:b', 'why'), 'INVALID_CARD', "'a:b'", 'topic', 'why', '512 bytes'],
  [new cardErrors.TopicInUseError('orders', 'shop', 'main'), 'TOPIC_IN_USE', "'orders'", "'shop'", "'main'", 'an hour'],
  [new errors.EventSerializationError('a.b', cause), 'SERIALIZATION', "'a.b'", 'underneath'],
  [new errors.PayloadTooLargeError('a.b', 11, 10), 'PAYLOAD_TOO_LARGE', "'a.b'", '11', '10', 'maxPayload'],
  [new errors.BackendUnavailableError('away', { cause }), 'BACKEND_UNAVAILABLE', 'away'],
  [new errors.BackendError('no memory', cause), 'BACKEND', 'no memory'],
  [new errors.EventsOverloadedError('main', '10000 events'), 'OVERLOADED', "'main'", '10000 events'],
  [new errors.StreamFullError('a.b', 1000), 'STREAM_FULL', "'a.b'", '1000', 'maxLength', 'overflow'],
  [new errors.NoHandlerError('a.b', 'main'), 'NO_HANDLER', "'a.b'", "'main'", 'reply: true'],
  [new errors.NoSuchInstanceError('x-1', 'main'), 'NO_SUCH_INSTANCE', "'x-1'", "'main'", 'sourceInstance'],
  [new errors.InstanceIdInUseError('x-1', 'main'), 'INSTANCE_ID_IN_USE', "'x-1'", "'main'", 'EVENT_INSTANCE_ID'],
  [new errors.RequestTimeoutError('a.b', 30_000), 'REQUEST_TIMEOUT', "'a.b'", '30000 ms'],
  [new errors.WaitAbortedError("'a.b'", cause), 'ABORTED', "'a.b'", 'signal'],
  [new errors.ResponderLostError('a.b', 'x-1'), 'RESPONDER_LOST', "'a.b'", "'x-1'"],
  [
    new errors.RemoteHandlerError('a.b', { name: 'TypeError', message: 'oops', code: 'E1' }, cause),
    'REMOTE_HANDLER',
    "'a.b'",
    'TypeError: oops',
  ],
  [
    new publishErrors.HandlersFailedError('a.b', 'id-1', [
      { handler: 'A.one', error: cause },
      { handler: 'A.two', error: 1 },
    ]),
    'HANDLERS_FAILED',
    "'a.b'",
    'id-1',
    '2 handler(s)',
    'A.one, A.two',
  ],
  [
    new publishErrors.PublishManyError([{ receipt: 'r' }, { error: cause }, { receipt: 'r' }]),
    'PUBLISH_MANY',
    '1 of 3',
    'underneath',
  ],
  [new errors.EventLoopError('a.b', 33, 'id-0'), 'EVENT_LOOP', "'a.b'", '33', 'id-0'],
  [
    new errors.UnknownBusError('tenant-a', ['default', 'domain']),
    'UNKNOWN_BUS',
    "'tenant-a'",
    'default, domain',
    'EVENT_TENANT_A_BACKEND',
  ],
  [new errors.BusClosedError('main'), 'BUS_CLOSED', "'main'"],
  [
    new errors.MissingDependencyError('ioredis', 'The redis backend', cause),
    'MISSING_DEPENDENCY',
    'npm install ioredis',
  ],
  [new errors.UnsupportedError('what and cure'), 'UNSUPPORTED', 'what and cure'],
  [
    new errors.EventValidationError('a.b', [
      { path: 'lines.0.sku', message: 'is empty' },
      { path: '', message: 'is no order' },
    ]),
    'VALIDATION',
    "'a.b'",
    'lines.0.sku: is empty; is no order',
  ],
  [new errors.UnsupportedVersionError('a.b', 4, 3), 'UNSUPPORTED_VERSION', "'a.b'", 'version 4', 'knows 3', 'upgrade'],
  [new errors.UnroutableError('a.b', 'main'), 'UNROUTABLE', "'a.b'", "'main'", 'mandatory'],
];

describe('errors', () => {
  it.each(samples.map((sample) => [sample[0].name, sample] as const))('%s', (name, [error, code, ...named]) => {
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(EventsError);
    expect(error.code).toBe(code);
    expect(error.name).toBe(error.constructor.name);
    expect(error.stack).toContain(name);
    for (const part of named) expect(error.message).toContain(part);
    expect(isEventsError(error)).toBe(true);
    expect(isEventsError(error, error.code)).toBe(true);
    expect(isEventsError(error, error.code === 'BACKEND' ? 'CONFIG' : 'BACKEND')).toBe(false);
  });

  it('are all in this list, each with a code of its own', () => {
    const classes = Object.values({ ...errors, ...cardErrors, ...publishErrors } as Record<string, unknown>).filter(
      (value) => typeof value === 'function' && value.prototype instanceof EventsError,
    );
    expect(new Set(samples.map(([error]) => error.constructor))).toEqual(new Set(classes));
    expect(new Set(samples.map(([error]) => error.code)).size).toBe(samples.length);
  });

  it('keep the error underneath, and have no cause without one', () => {
    expect(new errors.BackendError('x', cause).cause).toBe(cause);
    expect(new errors.WaitAbortedError('a', 'reason').cause).toBe('reason');
    expect(new EventsError('BACKEND', 'x', { cause: null })).toHaveProperty('cause', null);
    expect('cause' in new errors.BackendError('x')).toBe(false);
    expect('cause' in new errors.BusClosedError('x')).toBe(false);
  });

  it('carry what programs need', () => {
    expect(new errors.EventsConfigError(['a', 'b']).problems).toEqual(['a', 'b']);
    expect(new errors.BackendUnavailableError('x').outcome).toBe('not-stored');
    expect(new errors.BackendUnavailableError('x', { outcome: 'unknown' }).outcome).toBe('unknown');
    const failures = [{ handler: 'A.one', error: cause }];
    expect(new publishErrors.HandlersFailedError('a', 'id', failures)).toMatchObject({ failures, cause });
    const remote = { name: 'TypeError', message: 'oops', code: 'E1' };
    expect(new errors.RemoteHandlerError('a', remote).remote).toEqual(remote);
    const issues = [{ path: 'n', message: 'is no number' }];
    expect(new errors.EventValidationError('a', issues).issues).toEqual(issues);
    const results = [{ receipt: 1 }, { error: cause }];
    expect(new publishErrors.PublishManyError(results)).toMatchObject({ results, cause });
  });

  it('name the first of many issues', () => {
    const issues = Array.from({ length: 11 }, (_, index) => ({ path: `p${String(index)}`, message: 'wrong' }));
    const { message } = new errors.EventValidationError('a', issues);
    expect(message).toContain('p9: wrong; …');
    expect(message).not.toContain('p10');
    expect(new errors.EventValidationError('a', issues.slice(1)).message).not.toContain('…');
  });

  it('tell a version that is too new from one that nobody lifts', () => {
    expect(new errors.UnsupportedVersionError('a', 2, 3).message).toMatch(/@Upcast from version 2 .* to 3/);
  });

  it('survive empty lists', () => {
    expect(new errors.EventValidationError('a', []).message).toContain("'a'");
    expect(new publishErrors.HandlersFailedError('a', 'id', []).message).toContain('0 handler(s)');
    expect(new publishErrors.PublishManyError([]).message).toContain('0 of 0');
  });
});

describe('isEventsError', () => {
  it.each([undefined, null, 'CONFIG', 1, {}, new Error('x'), { code: 'CONFIG' }, () => 1])('says no to %p', (value) => {
    expect(isEventsError(value)).toBe(false);
  });

  it('knows the errors of another copy of the package', async () => {
    let copy: typeof errors | undefined;
    await jest.isolateModulesAsync(async () => {
      copy = await import('./errors.js');
    });
    if (!copy) throw new Error('no copy');
    expect(copy.EventsError).not.toBe(EventsError);
    const error = new copy.BusClosedError('main');
    expect(error).not.toBeInstanceOf(EventsError);
    expect(isEventsError(error, 'BUS_CLOSED')).toBe(true);
    expect(isEventsError(error, 'CONFIG')).toBe(false);
    expect(copy.isEventsError(new errors.BusClosedError('main'))).toBe(true);
  });

  it('leaves no trace of the brand in what is logged', () => {
    expect(Object.keys(new errors.BusClosedError('main')).sort()).toEqual(['code', 'name']);
    expect(JSON.stringify(new errors.BusClosedError('main'))).not.toContain('nestjs-cardinal');
  });
});

describe('describe', () => {
  it.each<[unknown, string]>([
    ['text', "'text'"],
    ['', "''"],
    ['x'.repeat(80), `'${'x'.repeat(80)}'`],
    ['x'.repeat(81), `'${'x'.repeat(80)}…'`],
    [undefined, 'nothing'],
    [null, 'null'],
    [1.5, '1.5'],
    [Number.NaN, 'NaN'],
    [false, 'false'],
    [1n, 'a value of type bigint'],
    [Symbol('secret'), 'a value of type symbol'],
    [{ password: 'secret' }, 'a value of type object'],
    [['secret'], 'a value of type object'],
    [() => 'secret', 'a value of type function'],
    [Object.create(null), 'a value of type object'],
  ])('%p: %s', (value, text) => {
    expect(describeValue(value)).toBe(text);
  });
});

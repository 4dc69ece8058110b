import { describe, expect, it } from '@jest/globals';
import { EventsConfigError, isEventsError } from '../core/errors.js';
import type { BusOptions, RedisLike, ResolvedBusOptions, ResolvedModuleOptions } from '../ports/options.js';
import { resolveBusOptions, resolveModuleOptions } from './resolve.js';

type Env = Record<string, string | undefined>;

function resolve(options: object = {}, env: Env = {}): ResolvedModuleOptions {
  return resolveModuleOptions({ env, ...options }, { packageName: '@acme/orders' });
}

/** The default bus of a module with these options of it. */
function bus(options: object = {}, env: Env = {}, name = 'default'): ResolvedBusOptions {
  const found = resolve({ instances: { [name]: options } }, env).instances.get(name);
  if (found === undefined) throw new Error(`no bus ${name}`);
  return found;
}

/** The problems of a module that cannot start. */
function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof EventsConfigError) return error.problems;
    throw error;
  }
  return [];
}

const problems = (options: object = {}, env: Env = {}): readonly string[] => problemsOf(() => bus(options, env));
const client = (options: object = {}): RedisLike => ({ status: 'ready', options, duplicate: () => undefined });

describe('defaults', () => {
  it('are those of the documents', () => {
    const resolved = resolve();
    expect(resolved).toMatchObject({ service: 'orders', shutdownTimeout: 10_000, debug: false, logger: undefined });
    expect(resolved.instanceId).toMatch(/^orders-.+-\d+-[0-9a-f]{8}$/);
    expect(resolved.enhancers.size).toBe(0);
    expect(resolved.redact('password')).toBe(false);
    expect([...resolved.instances.keys()]).toEqual(['default']);
    expect(resolved.instances.get('default')).toEqual({
      name: 'default',
      backend: 'memory',
      url: undefined,
      redis: undefined,
      connection: undefined,
      keyPrefix: 'events:',
      exchangeName: undefined,
      exchangeType: undefined,
      group: 'orders',
      isolate: true,
      concurrency: 10,
      prefetch: 64,
      prefetchBytes: 8_388_608,
      maxPayload: 1_048_576,
      retention: 300_000,
      maxLength: 1_000_000,
      overflow: 'reject',
      streamTtl: 3_600_000,
      reclaimAfter: 30_000,
      handlers: {
        timeout: 30_000,
        stuckAfter: 60_000,
        retry: { attempts: 3, delay: 1_000, backoff: 'exponential', maxDelay: 300_000, jitter: true },
      },
      cards: {
        lease: 10_000,
        quantum: 32,
        idleAfter: 600_000,
        sweep: 30_000,
        scan: 300_000,
        streamPrefix: 'event_stream:',
        encoding: 'cloudevents',
        stuckAfter: 60_000,
      },
      filters: new Map(),
    });
    expect(resolved.publishSystemEvents).toBe(false);
  });

  it('work without any argument', () => {
    expect(resolveModuleOptions().instances.has('default')).toBe(true);
  });

  it('follow the name and what is set', () => {
    expect(bus({}, {}, 'domain').keyPrefix).toBe('events:domain:');
    expect(bus({ concurrency: 200 }).prefetch).toBe(200);
    expect(bus({ retention: '2h' }).streamTtl).toBe(7_200_000);
    expect(bus({ maxPayload: 2 ** 24 }).prefetchBytes).toBe(2 ** 24);
    expect(resolve({ service: 'billing' }).instances.get('default')?.group).toBe('billing');
  });

  it('take the place of undefined', () => {
    expect(bus({ concurrency: undefined, url: undefined, unknown: undefined }).concurrency).toBe(10);
    expect(resolve({ instances: undefined, service: undefined }).service).toBe('orders');
    expect(resolve({ instances: { domain: undefined } }).instances.has('domain')).toBe(true);
  });

  it('cannot be changed', () => {
    const resolved = resolve({ instances: { default: { redis: { host: 'h' } } }, enhancers: ['guards'] });
    const first = resolved.instances.get('default');
    for (const part of [resolved, first, first?.redis, first?.handlers, first?.handlers.retry])
      expect(Object.isFrozen(part)).toBe(true);
    expect(() => (first?.filters as Map<string, unknown>).set('x', () => true)).toThrow(TypeError);
    expect(() => (resolved.instances as Map<string, unknown>).set('x', {})).toThrow(TypeError);
    expect(() => (resolved.instances as Map<string, unknown>).clear()).toThrow(TypeError);
    expect(() => (resolved.enhancers as Set<string>).add('pipes')).toThrow(TypeError);
    expect([...resolved.enhancers]).toEqual(['guards']);
  });

  it('leave the caller’s objects alone', () => {
    const redis = { host: 'h' };
    expect(bus({ redis }).redis).toEqual(redis);
    expect(Object.isFrozen(redis)).toBe(false);
  });
});

describe('the environment', () => {
  it('beats code, field by field', () => {
    const resolved = bus(
      { concurrency: 5, group: 'code' },
      { EVENT_CONCURRENCY: '7', EVENT_RETENTION: '1m', EVENT_ISOLATE: 'no' },
    );
    expect(resolved).toMatchObject({ concurrency: 7, group: 'code', retention: 60_000, isolate: false });
  });

  it('beats what is wrong in code', () => {
    expect(bus({ concurrency: -1 }, { EVENT_CONCURRENCY: '7' }).concurrency).toBe(7);
  });

  it('sets the module', () => {
    const env = { EVENT_SERVICE: 's', EVENT_INSTANCE_ID: 's-1', EVENT_SHUTDOWN_TIMEOUT: '0', EVENT_DEBUG: '1' };
    const resolved = resolve({ service: 'code', instanceId: 'code', shutdownTimeout: '9s', debug: false }, env);
    expect(resolved).toMatchObject({ service: 's', instanceId: 's-1', shutdownTimeout: 0, debug: true });
  });

  it('makes instances', () => {
    const resolved = resolve({}, { EVENT_AUDIT_BACKEND: 'memory', EVENT_MY_BUS_GROUP: 'g' });
    expect([...resolved.instances.keys()]).toEqual(['default', 'audit', 'my_bus']);
    expect(resolved.instances.get('my_bus')).toMatchObject({ name: 'my_bus', group: 'g', keyPrefix: 'events:my_bus:' });
  });

  it('is not read with env: false', () => {
    expect(resolveModuleOptions({ env: false }, { packageName: 'x' }).service).toBe('x');
  });
});

describe('backend', () => {
  const own = (): never => {
    throw new Error('not called');
  };

  it.each<[object, Env, Partial<ResolvedBusOptions>]>([
    [{}, {}, { backend: 'memory', url: undefined }],
    [{ url: 'redis://h' }, {}, { backend: 'redis', url: 'redis://h' }],
    [{ url: 'rediss://h' }, {}, { backend: 'redis' }],
    [{ url: 'redis+cluster://h1,h2' }, {}, { backend: 'redis' }],
    [{ redis: { host: 'h' } }, {}, { backend: 'redis', redis: { host: 'h' }, url: undefined }],
    [{ backend: 'redis' }, {}, { backend: 'redis', url: 'redis://localhost:6379' }],
    [{ backend: 'redis' }, { REDIS_URL: 'redis://last' }, { backend: 'redis', url: 'redis://last' }],
    [{}, { REDIS_URL: 'redis://last' }, { backend: 'memory', url: undefined }],
    [{}, { REDIS_URL: 'nonsense' }, { backend: 'memory' }],
    [{ url: 'redis://h' }, { REDIS_URL: 'nonsense' }, { url: 'redis://h' }],
    [{ redis: {} }, { REDIS_URL: 'redis://last' }, { url: undefined }],
    [{}, { EVENT_URL: 'redis://env' }, { backend: 'redis', url: 'redis://env' }],
    [{ url: 'redis://h' }, { EVENT_URL: 'redis://env' }, { url: 'redis://env' }],
    [{ redis: { host: 'h' } }, { EVENT_URL: 'redis://env' }, { url: 'redis://env', redis: undefined }],
    [{ connection: client() }, { EVENT_URL: 'redis://env' }, { url: 'redis://env', connection: undefined }],
    [{ backend: 'memory' }, { EVENT_URL: 'redis://env' }, { backend: 'redis', url: 'redis://env' }],
    [{ url: 'redis://h' }, { EVENT_BACKEND: 'redis' }, { backend: 'redis', url: 'redis://h' }],
    [{ url: 'redis://h' }, { EVENT_BACKEND: 'memory' }, { backend: 'memory', url: undefined }],
    [{ redis: { host: 'h' } }, { EVENT_BACKEND: 'memory' }, { backend: 'memory', redis: undefined }],
    [
      { backend: 'rabbitmq', exchangeName: 'x' },
      { EVENT_BACKEND: 'memory' },
      { backend: 'memory', exchangeName: undefined },
    ],
    [{ url: 'amqp://h' }, { EVENT_URL: 'redis://h' }, { backend: 'redis', url: 'redis://h' }],
    [{ backend: own, url: 'any:thing' }, {}, { backend: own, url: 'any:thing' }],
    [{ backend: own }, { EVENT_URL: 'nats://h' }, { backend: own, url: 'nats://h' }],
    [
      { backend: own, url: 'nats://h' },
      { EVENT_BACKEND: 'redis' },
      { backend: 'redis', url: 'redis://localhost:6379' },
    ],
  ])('%j with %j', (options, env, expected) => {
    expect(bus(options, env)).toMatchObject(expected);
  });

  it('is redis with a client of yours, which is kept as it is', () => {
    const connection = client();
    const resolved = bus({ connection });
    expect(resolved.backend).toBe('redis');
    expect(resolved.connection).toBe(connection);
    expect(Object.isFrozen(connection)).toBe(false);
  });

  it.each<[object, Env, string]>([
    [{ backend: 'rabbitmq' }, {}, 'instances.default.backend'],
    [{ url: 'amqp://u:hunter2@h' }, {}, 'instances.default.url'],
    [{}, { EVENT_URL: 'amqps://u:hunter2@h' }, 'EVENT_URL'],
    [{}, { EVENT_BACKEND: 'RabbitMQ' }, 'EVENT_BACKEND'],
    [{ backend: 'rabbitmq', exchangeName: 'x', exchangeType: 'topic' }, {}, 'instances.default.backend'],
  ])('is not rabbitmq yet: %j %j', (options, env, origin) => {
    const found = problems(options, env);
    expect(found).toEqual([expect.stringContaining('the rabbitmq backend is not part of this release yet; use redis')]);
    expect(found[0]).toMatch(new RegExp(`^${origin}: got `));
    expect(found[0]).not.toContain('hunter2');
  });
});

describe('contradictions', () => {
  const url = 'redis://:hunter2@h';

  it.each<[object, Env, RegExp]>([
    [{ url, redis: {} }, {}, /default\.url and instances\.default\.redis are given together/],
    [{ url, connection: client() }, {}, /default\.url and instances\.default\.connection are given together/],
    [{ redis: {}, connection: client() }, {}, /redis and .*connection are given together/],
    [{ backend: 'memory', url }, {}, /backend: got 'memory', which has no server, beside instances\.default\.url/],
    [{ backend: 'memory', redis: {} }, {}, /'memory', which has no server/],
    [{}, { EVENT_BACKEND: 'memory', EVENT_URL: url }, /^EVENT_BACKEND: got 'memory', .* beside EVENT_URL/],
    [{ connection: client({ keyPrefix: 'x:' }) }, {}, /connection has a keyPrefix of its own/],
    [{ connection: client({ redisOptions: { keyPrefix: 'x:' } }) }, {}, /connection has a keyPrefix of its own/],
    [{ redis: { keyPrefix: 'x:' } }, {}, /redis has a keyPrefix of its own/],
    [{ connection: {} }, {}, /connection: got a value of type object; accepted: a client/],
    [{ redis: 'h' }, {}, /redis: got 'h'; accepted: an object/],
    [{ redis: client() }, {}, /redis: got a value of type object; accepted/],
    [{ exchangeName: 'x' }, {}, /exchangeName: got 'x'; accepted: only beside the rabbitmq backend/],
    [{ backend: 'redis' }, { EVENT_EXCHANGE_TYPE: 'topic' }, /^EVENT_EXCHANGE_TYPE: got 'topic'; accepted: only/],
    [
      { concurrency: 20, prefetch: 5 },
      {},
      /prefetch: got 5; accepted: not less than instances\.default\.concurrency, 20/,
    ],
    [{ concurrency: 20 }, { EVENT_PREFETCH: '5' }, /^EVENT_PREFETCH: got 5/],
    [
      { retention: '2h', streamTtl: '1h' },
      {},
      /streamTtl: got 3600000 ms; accepted: not less than instances\.default\.retention/,
    ],
    [{ streamTtl: '1m' }, {}, /not less than the default of retention, 300000 ms/],
    [{ reclaimAfter: 999 }, {}, /reclaimAfter: got 999; accepted: .*at least 1000 ms/],
    [{ url: 'http://h' }, {}, /url: got 'http:\/\/h', but its scheme/],
    [{ url: 'redis+sentinel://h1,h2' }, {}, /name of its master/],
    [{ backend: 'redis' }, { REDIS_URL: 'http://u:hunter2@h' }, /^REDIS_URL: got 'http:\/\/\*\*\*@h'/],
  ])('%j %j', (options, env, text) => {
    const found = problems(options, env);
    expect(found).toEqual([expect.stringMatching(text)]);
    expect(found.join()).not.toContain('hunter2');
  });

  it('are not looked for in values that are bad already', () => {
    expect(problems({ concurrency: 0, prefetch: 5, retention: 'x', streamTtl: '1m' })).toHaveLength(2);
  });

  it('are none where only one side is said', () => {
    expect(bus({ prefetch: 5 })).toMatchObject({ prefetch: 5, concurrency: 10 });
    expect(bus({ connection: client({ keyPrefix: '' }) }).backend).toBe('redis');
  });
});

describe('two instances', () => {
  const both = (a: object, b: object, env: Env = {}): readonly string[] =>
    problemsOf(() => resolve({ instances: { a: { keyPrefix: 'x:', ...a }, b: { keyPrefix: 'x:', ...b } } }, env));
  const shared = client();

  it.each<[object, object]>([
    [{ url: 'redis://h' }, { url: 'redis://H:6379/3' }],
    [{ url: 'redis://:hunter2@localhost' }, { url: 'redis://127.0.0.1' }],
    [{ url: 'redis://localhost' }, { redis: {} }],
    [{ url: 'redis://h' }, { redis: { host: 'h', port: 6379 } }],
    [{ url: 'redis://[::1]' }, { redis: { host: '::1' } }],
    [{ url: 'redis+cluster://h1,h2' }, { url: 'redis+cluster://h2,h3' }],
    [{ url: 'redis+cluster://h1,h2' }, { redis: { nodes: [{ host: 'h2', port: 6379 }] } }],
    [{ url: 'redis+sentinel://s1,s2/m' }, { redis: { sentinels: [{ host: 's2' }], name: 'm' } }],
    [{ url: 'redis://h' }, { connection: client({ host: 'h', port: 6379 }) }],
    [{ redis: { path: '/run/redis.sock' } }, { redis: { path: '/run/redis.sock' } }],
    [{ connection: shared }, { connection: shared }],
    [{ backend: 'redis' }, { backend: 'redis' }],
  ])('may not have one server and key prefix: %j %j', (a, b) => {
    const found = both(a, b);
    expect(found).toEqual([
      expect.stringMatching(/^instances 'a' and 'b' have .* and the key prefix 'x:' together; accepted: /),
    ]);
    expect(found.join()).not.toContain('hunter2');
  });

  it.each<[object, object]>([
    [{ url: 'redis://h1' }, { url: 'redis://h2' }],
    [{ url: 'redis://h' }, { url: 'redis://h:6380' }],
    [{ url: 'redis://h' }, { url: 'redis://h', keyPrefix: 'y:' }],
    [{ url: 'redis+sentinel://s/m1' }, { url: 'redis+sentinel://s/m2' }],
    [{ connection: client() }, { connection: client() }],
    [{}, {}],
  ])('may have %j and %j', (a, b) => {
    expect(both(a, b)).toEqual([]);
  });

  it('collide through the environment too', () => {
    const env = { EVENT_URL: 'redis://h', EVENT_B_URL: 'redis://h', EVENT_B_KEY_PREFIX: 'events:' };
    expect(problemsOf(() => resolve({}, env))).toEqual([
      expect.stringContaining("'default' and 'b' have the server h:6379"),
    ]);
  });

  it('may not differ only in - and _', () => {
    const found = problemsOf(() => resolve({ instances: { 'my-bus': {}, my_bus: {} } }));
    expect(found).toEqual([expect.stringContaining('instances.my-bus and instances.my_bus have the same variables')]);
  });

  it('have names that can be read', () => {
    expect(problemsOf(() => resolve({ instances: { 'a b': {} } }))[0]).toContain(
      'instances.a b: the name of an instance is',
    );
  });
});

describe('unknown options', () => {
  it.each<[object, string]>([
    [{ servce: 'x' }, 'servce is not an option; the nearest known name is service.'],
    [{ shutdownTimout: 5 }, 'the nearest known name is shutdownTimeout.'],
    [{ url: 'redis://:hunter2@h' }, 'url is not an option; the nearest known name is instances.default.url.'],
    [
      { instances: { domain: { concurency: 5 } } },
      'instances.domain.concurency is not an option; the nearest known name is instances.domain.concurrency.',
    ],
    [
      { instances: { default: { schedule: {} } } },
      'instances.default.schedule: this option is not part of this release yet',
    ],
    [
      { instances: { default: { cards: { leese: 5 } } } },
      'instances.default.cards.leese is not an option; the nearest known name is instances.default.cards.lease.',
    ],
    [
      { instances: { default: { handlers: { timeuot: 5 } } } },
      'instances.default.handlers.timeuot is not an option; the nearest known name is instances.default.handlers.timeout.',
    ],
    [
      { instances: { default: { handlers: { retry: { atempts: 5 } } } } },
      'the nearest known name is instances.default.handlers.retry.attempts.',
    ],
    [{ handlers: { timeout: 5 } }, 'handlers is not an option; the nearest known name is instances.default.handlers.'],
    [{ filters: {} }, 'filters is not an option; the nearest known name is instances.default.filters.'],
  ])('%j', (options, text) => {
    const found = problemsOf(() => resolve(options));
    expect(found).toEqual([expect.stringContaining(text)]);
    expect(found.join()).not.toContain('hunter2');
  });
});

describe('handlers', () => {
  it('are what code says, section by section', () => {
    const handlers = { timeout: '2m', retry: { attempts: 5, backoff: 'fixed', jitter: false } };
    expect(bus({ handlers }).handlers).toEqual({
      timeout: 120_000,
      stuckAfter: 60_000,
      retry: { attempts: 5, delay: 1_000, backoff: 'fixed', maxDelay: 300_000, jitter: false },
    });
    expect(bus({ handlers: {} }).handlers).toEqual(bus().handlers);
    expect(bus({ handlers: { retry: undefined, timeout: undefined } }).handlers).toEqual(bus().handlers);
  });

  it('do not cut a delay by a longest wait that is the default', () => {
    expect(bus({ handlers: { retry: { delay: '10m' } } }).handlers.retry.maxDelay).toBe(600_000);
    expect(bus({ handlers: { retry: { delay: '10m', maxDelay: '1m' } } }).handlers.retry.maxDelay).toBe(60_000);
  });

  it('are what the environment says before that', () => {
    const env = {
      EVENT_HANDLERS_TIMEOUT: '5s',
      EVENT_HANDLERS_STUCK_AFTER: '0',
      EVENT_HANDLERS_RETRY_DELAY: '250ms',
      EVENT_HANDLERS_RETRY_JITTER: 'no',
      EVENT_DOMAIN_HANDLERS_RETRY_ATTEMPTS: '7',
      EVENT_DOMAIN_HANDLERS_RETRY_BACKOFF: 'linear',
      EVENT_DOMAIN_HANDLERS_RETRY_MAX_DELAY: '1h',
    };
    const handlers = { timeout: '9s', retry: { attempts: 2 } };
    const { instances } = resolve({ instances: { default: { handlers }, domain: { handlers } } }, env);
    expect(instances.get('default')?.handlers).toEqual({
      timeout: 5_000,
      stuckAfter: 0,
      retry: { attempts: 2, delay: 250, backoff: 'exponential', maxDelay: 300_000, jitter: false },
    });
    expect(instances.get('domain')?.handlers).toEqual({
      timeout: 9_000,
      stuckAfter: 60_000,
      retry: { attempts: 7, delay: 1_000, backoff: 'linear', maxDelay: 3_600_000, jitter: true },
    });
  });

  it('make an instance that only the environment names', () => {
    const { instances } = resolve({}, { EVENT_AUDIT_HANDLERS_TIMEOUT: '1s' });
    expect(instances.get('audit')?.handlers.timeout).toBe(1_000);
  });

  it.each<[object, Env, RegExp]>([
    [{ timeout: -1 }, {}, /^instances\.default\.handlers\.timeout: got -1; accepted: milliseconds/],
    [{ timeout: 'x' }, {}, /handlers\.timeout: got 'x'/],
    [{ stuckAfter: null }, {}, /handlers\.stuckAfter: got null/],
    [{ retry: 3 }, {}, /handlers\.retry: got 3; accepted: an object/],
    [{ retry: { attempts: 0 } }, {}, /handlers\.retry\.attempts: got 0; accepted: a whole number from 1 to 1000/],
    [{ retry: { delay: 'soon' } }, {}, /handlers\.retry\.delay: got 'soon'/],
    [{ retry: { backoff: 'x' } }, {}, /handlers\.retry\.backoff: got 'x'; accepted: 'fixed' or 'linear' or 'expo/],
    [{ retry: { maxDelay: -1 } }, {}, /handlers\.retry\.maxDelay: got -1/],
    [{ retry: { jitter: 'perhaps' } }, {}, /handlers\.retry\.jitter: got 'perhaps'; accepted: true or false/],
    [{}, { EVENT_HANDLERS_TIMEOUT: 'soon' }, /^EVENT_HANDLERS_TIMEOUT: got 'soon'/],
    [{}, { EVENT_HANDLERS_RETRY_ATTEMPTS: '0' }, /^EVENT_HANDLERS_RETRY_ATTEMPTS: got '0'/],
    [{}, { EVENT_HANDLERS_RETRY_ATEMPTS: '5' }, /nearest known name is EVENT_HANDLERS_RETRY_ATTEMPTS/],
  ])('are refused: %j %j', (handlers, env, text) => {
    expect(problems({ handlers }, env)).toEqual([expect.stringMatching(text)]);
  });

  it.each([null, 5, 'x', []])('are not %j', (handlers) => {
    expect(problems({ handlers })).toEqual([expect.stringMatching(/^instances\.default\.handlers: got .*an object/)]);
  });
});

describe('filters', () => {
  const [one, two] = [(): boolean => true, (): boolean => false];

  it('are kept by pattern, normalized and in order', () => {
    const { filters } = bus({ filters: { 'order.**': one, 'user.created': two } });
    expect([...filters]).toEqual([
      ['order.#', one],
      ['user.created', two],
    ]);
    expect(bus({ filters: undefined }).filters.size).toBe(0);
  });

  it('are for code alone', () => {
    expect(problems({}, { EVENT_FILTERS: 'x' })).toHaveLength(1);
  });

  it('are not two of one pattern: neither is lost', () => {
    const found = problems({ filters: { 'order.**': one, 'order.#': two } });
    expect(found).toEqual([expect.stringContaining('order.#')]);
  });

  it.each<[unknown, RegExp]>([
    [5, /^instances\.default\.filters: got 5; accepted: an object/],
    [null, /^instances\.default\.filters: got null; accepted: an object/],
    [[one], /^instances\.default\.filters: got .*; accepted: an object/],
    [{ 'order.*': 'x' }, /^instances\.default\.filters\['order\.\*'\]: got 'x'; accepted: a function/],
    [{ 'order.*': [one] }, /filters\['order\.\*'\]: got .*; accepted: a function/],
    [{ 'order..x': one }, /filters\['order\.\.x'\]: /],
    [{ '': one }, /filters\[''\]: /],
  ])('are not %p', (filters, text) => {
    expect(problems({ filters })).toEqual([expect.stringMatching(text)]);
  });
});

describe('system', () => {
  it.each([
    [undefined, false],
    [{ publish: true }, true],
    [{ publish: false }, false],
  ])('%j', (system, publishes) => {
    expect(resolve({ system }).publishSystemEvents).toBe(publishes);
  });

  it.each([
    true,
    false,
    null,
    'publish',
    1,
    [],
    {},
    { publish: 'yes' },
    { publish: undefined },
    { publish: true, x: 1 },
  ])('is not %j', (system) => {
    const found = problemsOf(() => resolve({ system }));
    expect(found).toEqual([expect.stringMatching(/^system: got .*; accepted: \{ publish: true \} or /)]);
  });
});

describe('bad values of the module', () => {
  it.each<[object, string]>([
    [{ service: 'two words' }, "service: got 'two words'; accepted: text of 1 to 128 bytes"],
    [{ service: '' }, "service: got ''"],
    [{ instanceId: 'a{b}' }, "instanceId: got 'a{b}'"],
    [{ instanceId: 'x'.repeat(129) }, 'instanceId: got '],
    [{ shutdownTimeout: -1 }, 'shutdownTimeout: got -1'],
    [{ debug: 'perhaps' }, "debug: got 'perhaps'"],
    [
      { enhancers: ['guards', 'guard'] },
      "enhancers: got 'guards', 'guard'; accepted: an array of 'guards', 'interceptors'",
    ],
    [{ enhancers: 'guards' }, "enhancers: got 'guards'; accepted: an array"],
    [{ redact: 'password' }, "redact: got 'password'; accepted: an array"],
    [{ redact: [5] }, 'redact: got a value of type object'],
    [{ logger: { log: () => undefined } }, 'logger: got a value of type object without warn, error, debug'],
    [{ logger: null }, 'logger: got null'],
    [{ instances: [] }, 'instances: got a value of type object; accepted: an object'],
    [{ instances: { domain: 'redis://:hunter2@h' } }, "instances.domain: got 'redis://***@h'; accepted: an object"],
    [{ env: true }, 'env: got true'],
  ])('%j', (options, text) => {
    expect(problemsOf(() => resolve(options))).toEqual([expect.stringContaining(text)]);
  });

  it.each([null, 'x', 5, []])('%j in place of the options', (options) => {
    expect(problemsOf(() => resolveModuleOptions(options as never))).toContainEqual(
      expect.stringMatching(/^options: got/),
    );
  });

  it('does not take a prototype for options', () => {
    expect(resolve({ instances: { constructor: {} } }).instances.get('constructor')?.backend).toBe('memory');
    expect(resolve({}, { EVENT_CONSTRUCTOR_GROUP: 'g' }).instances.get('constructor')?.group).toBe('g');
  });

  it('takes what is good', () => {
    const logger = { log: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };
    const resolved = resolve({ logger, redact: ['Token'], enhancers: ['guards', 'pipes'], shutdownTimeout: '2s' });
    expect(resolved.logger).toBe(logger);
    expect(resolved.redact('TOKEN')).toBe(true);
    expect([...resolved.enhancers]).toEqual(['guards', 'pipes']);
    expect(resolved.shutdownTimeout).toBe(2_000);
  });
});

describe('the error', () => {
  const options = {
    service: 'a b',
    instances: { domain: { url: 'redis://:hunter2@h:port', concurrency: 0, colour: 'red' }, 'do main': {} },
  };
  const env = {
    EVENT_CONCURENCY: 'hunter2',
    EVENT_BACKEND: 'redis://u:hunter2@h',
    EVENT_DOMAIN_RETENTION: 'soon',
    EVENT_OTHER_URL: 'redis://:hunt/hunter2@h',
    EVENT_MAX_LENGTH: '',
  };

  it('is one, with every problem', () => {
    const found = problemsOf(() => resolve(options, env));
    const expected = [
      /^EVENT_MAX_LENGTH is empty/,
      /^EVENT_CONCURENCY is not a variable .* EVENT_CONCURRENCY\./,
      /^service: got 'a b'/,
      /^instances\.do main: the name of an instance/,
      /^EVENT_BACKEND: got 'redis:\/\/\*\*\*@h'; accepted: 'memory', 'redis'/,
      /^instances\.domain\.colour is not an option/,
      /^instances\.domain\.url: got 'redis:\/\/\*\*\*@h:port', but .*port/,
      /^instances\.domain\.concurrency: got 0; accepted: a whole number from 1/,
      /^EVENT_DOMAIN_RETENTION: got 'soon'; accepted: milliseconds/,
      /^EVENT_OTHER_URL: got 'redis:\/\/\*\*\*@h', but it cannot be read; percent-encode/,
    ];
    for (const text of expected) expect(found).toContainEqual(expect.stringMatching(text));
    expect(found).toHaveLength(expected.length);
  });

  it('has a code, and no secret in any of its texts', () => {
    let thrown: unknown;
    try {
      resolve(options, env);
    } catch (error) {
      thrown = error;
    }
    expect(isEventsError(thrown, 'CONFIG')).toBe(true);
    expect(`${String(thrown)} ${(thrown as Error).stack ?? ''} ${JSON.stringify(thrown)}`).not.toContain('hunter2');
  });
});

describe('resolveBusOptions', () => {
  const make = (name: string, options: BusOptions, more: object = {}): ResolvedBusOptions =>
    resolveBusOptions(name, options, { service: 'orders', ...more });

  it('resolves a bus at run time, frozen, without the environment', () => {
    const resolved = make('tenant-1', { url: 'redis://h', retention: '1m' });
    expect(resolved).toMatchObject({
      name: 'tenant-1',
      keyPrefix: 'events:tenant-1:',
      group: 'orders',
      retention: 60_000,
    });
    expect(Object.isFrozen(resolved)).toBe(true);
  });

  it('takes the last resort from its context', () => {
    expect(make('t', { backend: 'redis' }).url).toBe('redis://localhost:6379');
    expect(make('t', { backend: 'redis' }, { lastResortUrl: 'redis://last' }).url).toBe('redis://last');
  });

  it('throws one error that names the bus', () => {
    const found = problemsOf(() => make('t', { concurrency: 0, url: 'redis://:hunter2@' }));
    expect(found).toHaveLength(2);
    for (const problem of found) expect(problem).toMatch(/^\w+ of bus 't': got /);
    expect(found.join()).not.toContain('hunter2');
    expect(problemsOf(() => make('a b', null as never))).toEqual([
      expect.stringContaining("bus 'a b': the name of an instance"),
      expect.stringContaining("options of bus 'a b': got null"),
    ]);
  });

  it('does not take the place of a bus that is there', () => {
    const beside = [make('my-bus', { url: 'redis://h' })];
    expect(problemsOf(() => make('my_bus', {}, { beside }))).toEqual([expect.stringContaining('same variables')]);
    expect(problemsOf(() => make('t', { url: 'redis://h', keyPrefix: 'events:my-bus:' }, { beside }))).toEqual([
      expect.stringContaining("instances 'my-bus' and 't' have the server h:6379"),
    ]);
    expect(make('t', { url: 'redis://h' }, { beside }).name).toBe('t');
  });
});

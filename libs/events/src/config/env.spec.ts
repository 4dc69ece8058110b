import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  instanceNameProblems,
  newInstanceId,
  readEnvironment,
  serviceName,
  splitVariable,
  type EnvironmentReading,
} from './env.js';

/** What was read, as plain objects: values by instance and path. */
function plain({ buses }: EnvironmentReading): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    [...buses].map(([name, layer]) => [
      name,
      Object.fromEntries([...layer].map(([path, given]) => [path, given.value])),
    ]),
  );
}

describe('whole names', () => {
  it('are the module’s', () => {
    const env = {
      EVENT_SERVICE: 'orders',
      EVENT_INSTANCE_ID: 'o-1',
      EVENT_SHUTDOWN_TIMEOUT: '5s',
      EVENT_DEBUG: 'true',
    };
    const read = readEnvironment(env, []);
    expect(read.problems).toEqual([]);
    expect([...read.module].map(([path, given]) => [path, given.value, given.origin])).toEqual([
      ['debug', 'true', 'EVENT_DEBUG'],
      ['instanceId', 'o-1', 'EVENT_INSTANCE_ID'],
      ['service', 'orders', 'EVENT_SERVICE'],
      ['shutdownTimeout', '5s', 'EVENT_SHUTDOWN_TIMEOUT'],
    ]);
    expect(read.buses.size).toBe(0);
  });
});

describe('fields', () => {
  it('belong to the default instance, or to the one that stands before them', () => {
    const env = {
      EVENT_URL: 'redis://a',
      EVENT_DOMAIN_URL: 'redis://b',
      EVENT_DOMAIN_KEY_PREFIX: 'd:',
      EVENT_A_B_MAX_LENGTH: '5',
    };
    expect(plain(readEnvironment(env, ['domain']))).toEqual({
      default: { url: 'redis://a' },
      domain: { url: 'redis://b', keyPrefix: 'd:' },
      a_b: { maxLength: '5' },
    });
  });

  it('of EVENT_DEFAULT_X beat EVENT_X, whichever is read first', () => {
    const env = {
      EVENT_URL: 'short',
      EVENT_DEFAULT_URL: 'long',
      EVENT_BACKEND: 'short',
      EVENT_DEFAULT_BACKEND: 'long',
    };
    const read = readEnvironment(env, []);
    expect(plain(read)).toEqual({ default: { url: 'long', backend: 'long' } });
    expect(read.buses.get('default')?.get('url')?.origin).toBe('EVENT_DEFAULT_URL');
    expect(read.problems).toEqual([]);
  });

  it.each(['my-bus', 'my_bus', 'My-Bus', 'MY_BUS'])('reach the declared instance %s in its spelling', (name) => {
    expect(plain(readEnvironment({ EVENT_MY_BUS_URL: 'x' }, [name]))).toEqual({ [name]: { url: 'x' } });
  });

  it('make an instance that only the environment names, in lower case', () => {
    expect(plain(readEnvironment({ EVENT_My_BUS_GROUP: 'g' }, ['other']))).toEqual({ my_bus: { group: 'g' } });
  });

  it('may be named like a word of a field', () => {
    expect(plain(readEnvironment({ EVENT_BACKEND_URL: 'x', EVENT_MAX_GROUP: 'g' }, []))).toEqual({
      backend: { url: 'x' },
      max: { group: 'g' },
    });
  });

  it('are trimmed', () => {
    expect(plain(readEnvironment({ EVENT_GROUP: ' g\n' }, []))).toEqual({ default: { group: 'g' } });
  });

  it('set twice under other spellings of one name are a problem', () => {
    const { problems } = readEnvironment({ EVENT_MY_BUS_URL: 'a', 'EVENT_MY-BUS_URL': 'b' }, []);
    expect(problems).toEqual(['EVENT_MY-BUS_URL and EVENT_MY_BUS_URL set the same option; remove one of them.']);
  });
});

describe('the longest known field', () => {
  const table = ['retention', 'history.retention'].map((path) => ({
    path,
    suffix: path.replace('.', '_').toUpperCase(),
  }));

  it('wins', () => {
    expect(splitVariable('EVENT_HISTORY_RETENTION', table)).toEqual({ instance: undefined, path: 'history.retention' });
    expect(splitVariable('EVENT_DOMAIN_HISTORY_RETENTION', table)).toEqual({
      instance: 'DOMAIN',
      path: 'history.retention',
    });
    expect(splitVariable('EVENT_DOMAIN_RETENTION', table)).toEqual({ instance: 'DOMAIN', path: 'retention' });
  });

  it('wins over an instance that is declared, as soon as there is such a field', () => {
    const env = { EVENT_HISTORY_RETENTION: '1h' };
    expect(plain(readEnvironment(env, ['history'], table))).toEqual({ default: { 'history.retention': '1h' } });
    expect(plain(readEnvironment(env, ['history']))).toEqual({ history: { retention: '1h' } });
  });

  it('has to be a whole word', () => {
    expect(splitVariable('EVENT_XRETENTION', table)).toBeUndefined();
    expect(splitVariable('EVENT__RETENTION', table)).toBeUndefined();
    expect(splitVariable('EVENT_', table)).toBeUndefined();
  });

  it.each(['EVENT_HISTORY_RETENTION', 'EVENT_ORDERS_HISTORY_RETENTION', 'EVENT_X_SCHEDULE_BATCH_SIZE'])(
    'of a later release is not taken for an instance: %s',
    (name) => {
      const read = readEnvironment({ [name]: '1h' }, []);
      expect(read.problems).toEqual([
        expect.stringMatching(/^EVENT_\w+: the section '\w+' is not part of this release yet/),
      ]);
      expect(read.buses.size).toBe(0);
    },
  );
});

describe('problems', () => {
  it.each([
    ['EVENT_CONCURENCY', 'EVENT_CONCURRENCY'],
    ['EVENT_DOMAIN_CONCURENCY', 'EVENT_DOMAIN_CONCURRENCY'],
    ['EVENT_ELSEWHERE_KEYPREFIX', 'EVENT_ELSEWHERE_KEY_PREFIX'],
    ['EVENT_DOMAIN_KEYPRE', 'EVENT_DOMAIN_KEY_PREFIX'],
    ['EVENT_ELSEWHERE_UR', 'EVENT_ELSEWHERE_URL'],
    ['EVENT_SERVICE_NAME', 'EVENT_SERVICE'],
    ['EVENT_DEBUGG', 'EVENT_DEBUG'],
    ['EVENT_url', 'EVENT_URL'],
    ['EVENT_', 'EVENT_URL'],
  ])('%s is unknown, and nearest is %s', (name, known) => {
    const { problems } = readEnvironment({ [name]: 'hunter2' }, ['domain']);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`${name} is not a variable of this library; the nearest known name is ${known}.`);
    expect(problems[0]).toContain(`{ ignore: ['${name}'] }`);
    expect(problems[0]).not.toContain('hunter2');
  });

  it.each(['', ' ', '\n'])('are empty values: %j', (value) => {
    const { problems } = readEnvironment({ EVENT_URL: value, EVENT_SERVICE: value, EVENT_DOMAIN_GROUP: value }, []);
    expect(problems.map((problem) => problem.split(' is empty')[0])).toEqual([
      'EVENT_DOMAIN_GROUP',
      'EVENT_SERVICE',
      'EVENT_URL',
    ]);
  });

  it('are values that are not text', () => {
    expect(readEnvironment({ EVENT_CONCURRENCY: 5, EVENT_URL: {} }, []).problems).toEqual([
      'EVENT_CONCURRENCY: got 5; accepted: text, as in process.env.',
      'EVENT_URL: got a value of type object; accepted: text, as in process.env.',
    ]);
  });

  it.each([true, 'process.env', 5, null, [], () => ({})])('are sources that cannot be read: %p', (source) => {
    expect(readEnvironment(source, []).problems).toEqual([
      expect.stringContaining('accepted: an object of variables, false'),
    ]);
  });
});

describe('where it reads', () => {
  const before = { ...process.env };
  beforeEach(() => {
    for (const name of Object.keys(process.env))
      if (name.startsWith('EVENT_') || name === 'REDIS_URL') Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, { EVENT_GROUP: 'g', EVENT_FOREIGN: 'x', REDIS_URL: 'redis://last' });
  });
  afterEach(() => {
    for (const name of ['EVENT_GROUP', 'EVENT_FOREIGN', 'REDIS_URL']) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, before);
  });

  it('process.env by default', () => {
    const read = readEnvironment(undefined, []);
    expect(plain(read)).toEqual({ default: { group: 'g' } });
    expect(read.problems).toHaveLength(1);
    expect(read.lastResortUrl).toBe('redis://last');
  });

  it('process.env without what is ignored', () => {
    const read = readEnvironment({ ignore: ['EVENT_FOREIGN', 'REDIS_URL'] }, []);
    expect(plain(read)).toEqual({ default: { group: 'g' } });
    expect(read.problems).toEqual([]);
    expect(read.lastResortUrl).toBeUndefined();
  });

  it('nowhere', () => {
    const read = readEnvironment(false, []);
    expect([read.buses.size, read.module.size, read.problems.length, read.lastResortUrl]).toEqual([0, 0, 0, undefined]);
  });

  it('an object instead', () => {
    const env = {
      EVENT_URL: 'a',
      EVENT_GROUP: undefined,
      REDIS_URL: ' ',
      PATH: '/bin',
      EVENTS_URL: 'x',
      ignore: 'text',
    };
    const read = readEnvironment(env, []);
    expect(plain(read)).toEqual({ default: { url: 'a' } });
    expect(read.problems).toEqual([]);
    expect(read.lastResortUrl).toBeUndefined();
  });

  it.each([{ ignore: 5 }, { ignore: [5] }, { ignore: undefined }, { ignore: [], EVENT_URL: 'x' }])(
    'not %j',
    (source) => {
      Reflect.deleteProperty(process.env, 'EVENT_FOREIGN');
      expect(readEnvironment(source, []).problems).toHaveLength(1);
    },
  );
});

describe('instanceNameProblems', () => {
  const check = (...names: string[]): string[] => instanceNameProblems(names, (name) => `instances.${name}`);

  it('has none for names that differ', () => {
    expect(check('default', 'domain', 'my-bus', 'myBus', 'a', '1', 'x_y')).toEqual([]);
  });

  it.each(['', ' ', '-a', 'a_', 'a.b', 'a:b', 'a b', 'ä', '{a}', 'a\n', 'x'.repeat(65)])('refuses %j', (name) => {
    expect(check(name)).toEqual([expect.stringContaining('1 to 64 letters, digits')]);
  });

  it.each([
    ['my-bus', 'my_bus', 'EVENT_MY_BUS_'],
    ['domain', 'Domain', 'EVENT_DOMAIN_'],
    ['default', 'DEFAULT', 'EVENT_DEFAULT_'],
  ])('refuses %s beside %s', (a, b, variables) => {
    const [problem = '', ...more] = check(a, b);
    expect(more).toEqual([]);
    for (const text of [`instances.${a} and instances.${b}`, variables]) expect(problem).toContain(text);
  });
});

describe('this process', () => {
  it.each([
    ['orders', 'orders'],
    ['@acme/orders', 'orders'],
    ['@acme/', 'app'],
    ['', 'app'],
    ['not a name', 'app'],
    ['x'.repeat(200), 'app'],
  ])('package %j makes the service %s', (name, service) => {
    expect(serviceName(name)).toBe(service);
  });

  it('finds the package of the working directory', () => {
    expect(serviceName()).toMatch(/^nestjs-cardinal/);
  });

  it('has an id of sane characters and length that is new each time', () => {
    const ids = [newInstanceId('orders'), newInstanceId('orders'), newInstanceId('ü/x'.repeat(40))];
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[\w.-]{1,128}$/);
    expect(ids[0]).toMatch(new RegExp(`^orders-.+-${String(process.pid)}-[0-9a-f]{8}$`));
  });
});

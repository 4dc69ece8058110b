import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { isEventsError, type BackendUnavailableError, type EventBus, type EventContext } from 'nestjs-cardinal';
import { RedisProxy } from '../support/proxy.js';
import { startCluster, startRedis, type RedisHandle } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';
import { Buses, numbers, reaches, script, sorted } from './kit.js';

const buses = new Buses();
let servers: { stop(signal?: NodeJS.Signals): Promise<void> } | undefined;
let raw: Redis | undefined;

afterEach(async () => {
  await buses.close();
  if (raw?.status === 'ready') await raw.quit();
  else raw?.disconnect();
  raw = undefined;
  await servers?.stop('SIGKILL');
});

async function start(...args: string[]): Promise<{ server: RedisHandle; raw: Redis }> {
  const server = await startRedis({ private: true, ...(args.length > 0 ? { args } : {}) });
  servers = server;
  raw = new Redis(server.url, { retryStrategy: () => 50 });
  raw.on('error', () => {});
  return { server, raw };
}

const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];
const PATIENT = { attempts: 100, delay: 100, backoff: 'fixed' } as const;

/** Numbers in the log of a type. */
const stored = async (redis: Redis, type: string): Promise<number[]> =>
  (await redis.xrange(`events:{t:${type}}:log`, '-', '+')).map(([, fields]) =>
    Number(fields[fields.indexOf('data') + 1]),
  );

async function handling(bus: EventBus, type: string): Promise<number[]> {
  const handled: number[] = [];
  await bus.subscribe(type, (payload: number) => void handled.push(payload), { group: 'g', name: 'h' });
  return handled;
}

async function refusal(
  promise: Promise<unknown>,
  ms: number,
): Promise<{ error: BackendUnavailableError; took: number }> {
  const began = Date.now();
  const error = await within(
    'the rejection',
    promise.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
    ms,
  );
  expect(isEventsError(error, 'BACKEND_UNAVAILABLE')).toBe(true);
  return { error: error as BackendUnavailableError, took: Date.now() - began };
}

/** Resolves when a publish without retry, begun now, has given up: the first attempt of what was begun before has ended. */
async function givenUp(bus: EventBus): Promise<void> {
  await refusal(bus.publish('probe', 0), 20_000);
}

describe('publish with retry', () => {
  it('the server is killed and restarted under publishes: all resolve, and each is stored and handled once', async () => {
    const { server, raw } = await start(...DURABLE);
    const [publisher, consumer] = [await buses.open(server.url), await buses.open(server.url)];
    const handled = await handling(consumer, 'load');
    let done = 0;
    let stopped = false;
    const failures: unknown[] = [];
    const run = async (lane: number): Promise<number> => {
      let number = 0;
      for (; !stopped; number++) {
        await publisher.publish('load', number * 20 + lane, { retry: PATIENT }).then(
          () => done++,
          (error: unknown) => failures.push(error),
        );
      }
      return number;
    };
    const running = Promise.all(numbers(20).map(run));
    for (let round = 1; round <= 2; round++) {
      await reaches('publishes', done + 300, () => done);
      await server.stop('SIGKILL');
      await givenUp(publisher);
      await server.restart();
    }
    await reaches('publishes', done + 300, () => done);
    stopped = true;
    const counts = await within('the last publishes', running, 30_000);
    expect(failures).toEqual([]);
    const expected = sorted(counts.flatMap((count, lane) => numbers(count).map((number) => number * 20 + lane)));
    expect(sorted(await stored(raw, 'load'))).toEqual(expected);
    await reaches('events', expected.length, () => new Set(handled).size);
    expect(sorted(new Set(handled))).toEqual(expected);
  });

  it('the answer is lost and the server stays away for a while: stored once, and the receipt comes', async () => {
    const { server, raw } = await start(...DURABLE);
    const proxy = await RedisProxy.start(server);
    const bus = await buses.open(proxy.url);
    const target = await buses.open(server.url);
    const inbox: number[] = [];
    await target.subscribe('load', (payload: number) => void inbox.push(payload));
    await bus.publish('load', 0);
    for (const [name, options] of [
      ['publish', {}],
      ['send', { target: target.instanceId }],
    ] as const) {
      const lost = proxy.loseNext(await script(name));
      const publishing = bus.publish('load', 1, { ...options, retry: PATIENT });
      proxy.refuse(() => true);
      await lost.done;
      await givenUp(bus);
      proxy.refuse(undefined);
      await within('the receipt', publishing, 20_000);
    }
    expect(await stored(raw, 'load')).toEqual([0, 1]);
    await bus.publish('load', 2);
    await reaches('events', 4, () => inbox.length);
    expect(sorted(inbox)).toEqual([0, 1, 1, 2]);
  });

  it('the server stays away: every publish is rejected in bounded time, and what was not stored is not', async () => {
    const { server, raw } = await start(...DURABLE);
    const bus = await buses.open(server.url);
    await bus.publish('load', -1);
    await server.stop('SIGKILL');
    const retry = { attempts: 3, delay: 200, backoff: 'fixed' } as const;
    const outcomes = await Promise.all(
      numbers(700).map((number) => refusal(bus.publish('load', number, { retry }), 20_000)),
    );
    for (const { error, took } of outcomes) {
      expect(error.outcome).toBe('not-stored');
      // Three times what a publish waits for a connection, twice that at most, and the delays.
      expect(took).toBeLessThan(3 * 4_000 + 400 + 1_000);
    }
    await server.restart();
    await waitUntil('publishing to work', () => bus.publish('load', -2));
    expect(await stored(raw, 'load')).toEqual([-1, -2]);
  });

  it('closed while events wait: they are rejected at once, and not stored later', async () => {
    const { server, raw } = await start(...DURABLE);
    const bus = await buses.open(server.url);
    await bus.publish('load', -1);
    await server.stop('SIGKILL');
    const waiting = numbers(3).map((number) =>
      bus.publish('load', number, { retry: { attempts: 1_000, delay: '1h' } }).catch((error: unknown) => error),
    );
    await givenUp(bus);
    await within('the bus to close', bus.close(), 10_000);
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'BUS_CLOSED' });
    await server.restart();
    await waitUntil('the server', () => raw.ping());
    expect(await stored(raw, 'load')).toEqual([-1]);
  });
});

describe('publish without retry ends in bounded time', () => {
  it('thousands wait for a lost connection: all are rejected together', async () => {
    const { server } = await start();
    const bus = await buses.open(server.url);
    await bus.publish('load', -1);
    await server.stop('SIGKILL');
    const outcomes = await Promise.all(numbers(5_000).map((number) => refusal(bus.publish('load', number), 15_000)));
    expect(Math.max(...outcomes.map(({ took }) => took))).toBeLessThan(5_000);
  });

  it('a server that has become a read-only replica: told so, after the grace time; when it is a master again it goes on', async () => {
    const { server, raw } = await start();
    const bus = await buses.open(server.url);
    await bus.publish('load', 0);
    await raw.replicaof('127.0.0.1', '1');
    const { error, took } = await refusal(bus.publish('load', 1), 10_000);
    expect(error.message).toMatch(/READONLY/);
    expect(error.outcome).toBe('not-stored');
    expect(took).toBeGreaterThan(1_500);
    const refusals = async (): Promise<number> =>
      Number(/errorstat_READONLY:count=(\d+)/.exec(await raw.info('errorstats'))?.[1] ?? 0);
    const before = await refusals();
    const ridden = bus.publish('load', 2);
    await reaches('refusals', before + 1, refusals);
    await raw.replicaof('NO', 'ONE');
    await within('the receipt', ridden, 5_000);
    expect(await stored(raw, 'load')).toEqual([0, 2]);
  });

  it('one master of a cluster is dead and has no replica: publishes to it are rejected, those to the others go on', async () => {
    const cluster = await startCluster({ masters: 3 });
    servers = cluster;
    for (const node of cluster.nodes) await node.cli('CONFIG', 'SET', 'cluster-require-full-coverage', 'no');
    const bus = await buses.open(cluster.url);
    const types = numbers(12).map((number) => `load.t${String(number)}`);
    const homes = await Promise.all(
      types.map((type) => cluster.nodes[0]!.cli('CLUSTER', 'KEYSLOT', `events:{t:${type}}:log`).then(Number)),
    );
    const dead = cluster.nodes.at(-1)!;
    const isDead = (index: number): boolean => homes[index]! >= dead.slots![0] && homes[index]! <= dead.slots![1];
    // Half of the types are new when it dies: they need a stream first.
    for (const type of types.slice(0, 6)) await bus.publish(type, 0);
    await dead.stop('SIGKILL');
    const meta = Number(await cluster.nodes[0]!.cli('CLUSTER', 'KEYSLOT', 'events:{meta}:types'));
    expect(meta < dead.slots![0]).toBe(true);
    await waitUntil(
      'the others to go on',
      () => bus.publish(types[homes.findIndex((_, index) => !isDead(index))]!, 1),
      {
        timeout: 20_000,
      },
    );
    expect(types.some((_, index) => index < 6 && isDead(index))).toBe(true);
    expect(types.some((_, index) => index >= 6 && isDead(index))).toBe(true);
    await Promise.all(
      types.map((type, index) =>
        isDead(index) ? refusal(bus.publish(type, 2), 15_000) : within('a receipt', bus.publish(type, 2), 15_000),
      ),
    );
  });
});

describe('ids', () => {
  it('an id is forgotten after ten minutes, and old ones do not pile up', async () => {
    const { server, raw } = await start();
    const bus = await buses.open(server.url);
    const key = 'events:{t:a.b}:ids:log';
    await Promise.all(numbers(100).map((number) => bus.publish('a.b', number, { id: `id${String(number)}` })));
    expect(await raw.zcard(key)).toBe(100);
    const ttl = await raw.pttl(key);
    expect(ttl > 590_000 && ttl <= 600_000).toBe(true);
    for (const id of await raw.zrange(key, '0', '-1')) await raw.zincrby(key, -600_000, id);
    await bus.publish('a.b', 100, { id: 'id7' });
    expect(await stored(raw, 'a.b')).toHaveLength(101);
    for (let round = 0; round < 10; round++) await bus.publish('a.b', 101 + round, { id: `more${String(round)}` });
    expect(await raw.zcard(key)).toBe(11);
    await bus.publish('a.b', 200);
    expect(await raw.zcard(key)).toBe(11);
  });

  it('the answer of a call that filled the stream is lost: what it stored counts, and nothing is doubled', async () => {
    const { server, raw } = await start();
    const proxy = await RedisProxy.start(server);
    const bus = await buses.open(proxy.url, { maxLength: 10 });
    const door = new Promise<void>(() => {});
    await bus.subscribe('a.b', (_: number, __: EventContext) => door, { group: 'g', name: 'h', timeout: 0 });
    for (const id of ['x', undefined]) {
      const before = (await stored(raw, 'a.b')).length;
      const lost = proxy.loseNext(await script('publish'));
      await Promise.all(
        numbers(5).map((number) =>
          bus.publish('a.b', before + number, id === undefined ? {} : { id: `${id}${String(number)}` }),
        ),
      );
      lost.cancel();
    }
    expect(await stored(raw, 'a.b')).toEqual(numbers(10));
    const outcomes = await Promise.allSettled(
      numbers(3).map((number) => bus.publish('a.b', 99, { id: `${number === 2 ? 'y' : 'x'}${String(number)}` })),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(await stored(raw, 'a.b')).toEqual(numbers(10));
  });
});

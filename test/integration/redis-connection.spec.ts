import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { BackendUnavailableError, EventsConfigError, InstanceIdInUseError } from 'nestjs-cardinal';
import { openTestBus, waitFor } from 'nestjs-cardinal/testing';
import { numbers, payloads, reaches } from '../faults/kit.js';
import { oneRedis, settled } from '../faults/one-redis.js';
import { freePort } from '../support/ports.js';

const redis = oneRedis();
const { buses } = redis;

/** The names of the connections whose name begins with `start`, sorted. */
async function connections(start: string): Promise<string[]> {
  const list = (await redis.raw.client('LIST')) as string;
  return [...list.matchAll(/ name=(\S*)/g)]
    .map(([, name = '']) => name)
    .filter((name) => name.startsWith(start))
    .sort();
}

async function connectionsAre(start: string, expected: readonly string[]): Promise<void> {
  await waitFor(async () => {
    expect(await connections(start)).toEqual(expected);
    return true;
  });
}

describe('a connection of the user', () => {
  it('is duplicated, works, and is open and usable after the bus is closed', async () => {
    const own = new Redis(redis.url, { connectionName: 'mine' });
    try {
      await own.set('before', '1');
      const bus = await openTestBus({ connection: own });
      try {
        const seen = await payloads(bus, 'a.b');
        await bus.publish('a.b', 1);
        await waitFor(() => seen.length === 1);
        expect(seen).toEqual([1]);
        await connectionsAre('mine', ['mine', 'mine', 'mine']);
      } finally {
        await bus.close();
      }
      await connectionsAre('mine', ['mine']);
      expect(own.status).toBe('ready');
      expect(await own.get('before')).toBe('1');
      expect(own.listenerCount('message')).toBe(0);
    } finally {
      own.disconnect();
    }
  });

  it('that is not connected yet stays so', async () => {
    const own = new Redis(redis.url, { lazyConnect: true });
    const bus = await openTestBus({ connection: own });
    await bus.publish('a.b', 1);
    await bus.close();
    expect(own.status).toBe('wait');
  });

  it('with a keyPrefix of its own is refused before anything is connected', async () => {
    const own = new Redis(redis.url, { keyPrefix: 'mine:', connectionName: 'prefixed', lazyConnect: true });
    const opening = openTestBus({ connection: own });
    await expect(opening).rejects.toThrow(EventsConfigError);
    await expect(opening).rejects.toThrow('connection has a keyPrefix of its own');
    expect(own.status).toBe('wait');
    expect(await connections('prefixed')).toEqual([]);
  });
});

describe('connections of a bus', () => {
  it('two on a server, none after the close', async () => {
    const names = ['cardinal:default:commands', 'cardinal:default:subscriber'];
    const one = await buses.open(redis.url);
    await connectionsAre('cardinal:', names);
    const two = await buses.open(redis.url);
    await connectionsAre('cardinal:', [...names, ...names].sort());

    const seen: unknown[] = [];
    await two.subscribe('a.b', (payload) => void seen.push(payload));
    await two.subscribe('a.*', (payload) => void seen.push(payload), { group: 'g', name: 'h' });
    await one.publish('a.b', 1);
    await waitFor(() => seen.length === 2);
    expect(await connections('cardinal:')).toEqual([...names, ...names].sort());

    await one.close();
    await connectionsAre('cardinal:', names);
    await two.close();
    await connectionsAre('cardinal:', []);
  });

  it('no server: the start rejects, and names the reason', async () => {
    const port = await freePort();
    const opening = openTestBus({ url: `redis://127.0.0.1:${String(port)}` });
    await expect(opening).rejects.toThrow(BackendUnavailableError);
    await expect(opening).rejects.toThrow('ECONNREFUSED');
  });
});

describe('instance ids', () => {
  it('one that a live process holds is refused, without harm to its holder; it is free when that one has closed', async () => {
    const holder = await buses.open(redis.url, { instanceId: 'worker-1' });
    const seen = await payloads<unknown>(holder, 'a.b');
    const both = await connections('cardinal:');
    await expect(openTestBus({ url: redis.url, instanceId: 'worker-1' })).rejects.toThrow(InstanceIdInUseError);
    await connectionsAre('cardinal:', both);

    await holder.publish('a.b', 1, { target: 'worker-1' });
    await waitFor(() => seen.length === 1);
    await holder.close();
    const next = await buses.open(redis.url, { instanceId: 'worker-1' });
    expect(next.instanceId).toBe('worker-1');
    await next.subscribe('a.b', (payload) => void seen.push(payload));
    await next.publish('a.b', 2, { target: 'worker-1' });
    await waitFor(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
  });
});

describe('where a group begins', () => {
  const options = { group: 'g', name: 'h' } as const;

  it('a type born after the declaration is read from its first entry, also when no member was there', async () => {
    const publisher = await buses.open(redis.url);
    const first = await buses.open(redis.url);
    const early = await payloads(first, 'order.*', options);
    await publisher.publish('order.placed', 0);
    await waitFor(() => early.length === 1);
    await settled(redis.raw, 'events:{t:order.placed}:log', 'g');
    await first.close();

    for (const number of numbers(5, 1)) await publisher.publish('order.paid', number);
    const second = await buses.open(redis.url);
    const late = await payloads(second, 'order.*', options);
    await reaches('events', 5, () => late.length);
    await settled(redis.raw, 'events:{t:order.paid}:log', 'g');
    expect(early).toEqual([0]);
    expect(late).toEqual(numbers(5, 1));
  });

  it('a pattern that is added to the group later replays no history', async () => {
    const bus = await buses.open(redis.url);
    const seen: string[] = [];
    const listen = (pattern: string): Promise<unknown> =>
      bus.subscribe(pattern, (payload: string) => void seen.push(payload), { ...options, name: `on-${pattern}` });
    await listen('order.placed');
    for (const number of numbers(5)) await bus.publish('bill.sent', `old ${String(number)}`);
    await bus.publish('order.placed', 'placed');
    await waitFor(() => seen.length === 1);

    await listen('bill.*');
    await bus.publish('bill.sent', 'new');
    // One stream is read in order: what is old would have come before.
    await waitFor(() => seen.includes('new'));
    await settled(redis.raw, 'events:{t:bill.sent}:log', 'g');
    expect(seen).toEqual(['placed', 'new']);

    // Nor does a wider pattern rewind the streams that the group reads already.
    await listen('*.sent');
    await bus.publish('bill.sent', 'newer');
    await waitFor(() => seen.filter((payload) => payload === 'newer').length === 2);
    await settled(redis.raw, 'events:{t:bill.sent}:log', 'g');
    expect(seen).toEqual(['placed', 'new', 'newer', 'newer']);
  });

  it('`earliest` reads what is retained, when the pattern is new to the group', async () => {
    const bus = await buses.open(redis.url);
    for (const number of numbers(3)) await bus.publish('bill.sent', number);
    const seen = await payloads(bus, 'bill.*', { ...options, startFrom: 'earliest' });
    await reaches('events', 3, () => seen.length);
    await settled(redis.raw, 'events:{t:bill.sent}:log', 'g');
    expect(seen).toEqual(numbers(3));
  });
});

import { describe, expect, it } from '@jest/globals';
import type { EventBus, SystemWarning } from 'nestjs-cardinal';
import { givingDriver, type OpenDriver } from '../support/internals.js';
import { RedisProxy } from '../support/proxy.js';
import { waitUntil } from '../support/wait.js';
import { held, Lines, numbers, payloads, random, reaches } from './kit.js';
import { oneRedis, settled } from './one-redis.js';

const redis = oneRedis();
const { buses } = redis;
const LOG = 'events:{t:a.b}:log';

/** A publisher, and a bus whose connections a proxy can cut. */
async function behindProxy(): Promise<{ proxy: RedisProxy; publisher: EventBus; bus: EventBus; lines: Lines }> {
  const proxy = await RedisProxy.start(redis.server);
  const options = { retention: 500, streamTtl: '1h' } as const;
  const lines = new Lines();
  const publisher = await buses.open(redis.url, options);
  const bus = await buses.open(proxy.url, options, lines);
  return { proxy, publisher, bus, lines };
}

describe('row 13: what retention takes away', () => {
  it('a process subscriber was disconnected for longer than the retention: one gap warning, and it goes on', async () => {
    const { proxy, publisher, bus, lines } = await behindProxy();
    const seen = await payloads(bus, 'a.b');
    const warnings = await payloads<SystemWarning>(bus, 'system.warning');
    await publisher.publish('a.b', 0);
    await reaches('events', 1, () => seen.length);

    proxy.refuse(() => true);
    proxy.cutAll();
    // Whole nodes of the stream go, so it takes some.
    await Promise.all(numbers(1_000, 1).map((number) => publisher.publish('a.b', number)));
    await waitUntil('retention to take them', async () => {
      await publisher.publish('a.b', 1_001);
      return (await redis.raw.xlen(LOG)) < 500;
    });
    proxy.refuse(undefined);
    await proxy.subscribed();
    await publisher.publish('a.b', 2_000);
    await waitUntil('the newest event', () => seen.includes(2_000));
    await publisher.publish('a.b', 2_001);
    await waitUntil('the next event', () => seen.includes(2_001));
    expect(warnings.filter(({ cause }) => cause === 'gap')).toHaveLength(1);
    expect(lines.count('retention')).toBe(1);
  });

  it('a process subscriber that read everything before it was trimmed: no gap, connected or not', async () => {
    const { proxy, publisher, bus, lines } = await behindProxy();
    const seen = await payloads(bus, 'a.b');
    await Promise.all(numbers(1_000).map((number) => publisher.publish('a.b', number)));
    await reaches('events', 1_000, () => seen.length);
    proxy.refuse(() => true);
    proxy.cutAll();
    await waitUntil('retention to take them', async () => (await redis.raw.xlen(LOG)) < 500);
    proxy.refuse(undefined);
    await proxy.subscribed();
    await publisher.publish('a.b', 1_000);
    await reaches('events', 1_001, () => seen.length);
    await waitUntil('retention to take them', async () => (await redis.raw.xlen(LOG)) < 500);
    await publisher.publish('a.b', 1_001);
    await reaches('events', 1_002, () => seen.length);
    expect(lines.all.filter((line) => /gone|anew|gap/.test(line))).toEqual([]);
  });

  it('unread and pending entries of a group are never trimmed, however old', async () => {
    const options = { retention: 300, streamTtl: '1h', reclaimAfter: '10m', prefetch: 10, concurrency: 1 } as const;
    const bus = await buses.open(redis.url, options);
    const { seen, open } = await held(bus, 'a.b', { group: 'g', name: 'h', concurrency: 1 });
    await bus.subscribe('old', () => {});
    await Promise.all(numbers(1_000).map((number) => bus.publish('a.b', number)));
    await Promise.all(numbers(1_000).map((number) => bus.publish('old', number)));
    await reaches('events', 1, () => seen.length);
    // The same rounds that would take them take others.
    await waitUntil('retention', async () => (await redis.raw.xlen('events:{t:old}:log')) < 500);
    expect(await redis.raw.xlen(LOG)).toBe(1_000);
    open();
    await reaches('events', 1_000, () => seen.length);
    await settled(redis.raw, LOG, 'g');
    expect(seen).toEqual(numbers(1_000));
    await waitUntil('retention', async () => (await redis.raw.xlen(LOG)) < 500);
  });

  it('an idle stream is reaped by two processes while a publisher races, 150 rounds: no event is lost for a group, present or away', async () => {
    const ROUNDS = 150;
    const { seed, below } = random();
    const reapers: OpenDriver[] = [];
    const backend = await givingDriver(redis.url, (driver) => reapers.push(driver));
    for (const _ of numbers(2)) await buses.open(redis.url, { backend, retention: 5, streamTtl: 50 });
    const [bus, publisher] = await buses.pair(redis.url);
    const away = await buses.open(redis.url);
    const handled = new Set<number>();
    await bus.subscribe('a.b', (payload: number) => void handled.add(payload), { group: 'present', name: 'h' });
    await (await away.subscribe('a.b', () => {}, { group: 'away', name: 'h' })).close();
    const lost: number[] = [];
    let reaped = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      let running = true;
      const reaping = reapers.map(async ({ parts }) => {
        while (running) await parts.maintenance.reap('a.b');
      });
      if (round > 0) {
        await waitUntil('the stream to be reaped', async () => (await redis.raw.exists(LOG)) === 0, { interval: 1 });
        reaped += 1;
      }
      for (let turns = below(5); turns > 0; turns -= 1) await redis.raw.ping();
      await publisher.publish('a.b', round);
      running = false;
      await Promise.all(reaping);
      // A member that comes back finds the type, or the group on it: else the event is out of its sight.
      const reply = await redis.raw
        .xreadgroup('GROUP', 'away', 'c', 'COUNT', 10, 'STREAMS', LOG, '>')
        .catch(() => null);
      const ids = ((reply as [string, [string][]][] | null)?.[0]?.[1] ?? []).map(([id]) => id);
      if (ids.length > 0) await redis.raw.xack(LOG, 'away', ...ids);
      else if ((await redis.raw.hexists('events:{meta}:types', 'a.b')) === 0) lost.push(round);
      await reaches(`event ${String(round)}`, round + 1, () => handled.size);
      await settled(redis.raw, LOG, 'present');
      if (ids.length === 0) await redis.raw.del(LOG);
    }
    expect({ seed, lost }).toEqual({ seed, lost: [] });
    expect(reaped).toBe(ROUNDS - 1);
  });
});

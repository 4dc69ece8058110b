import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { SystemWarning } from 'nestjs-cardinal';
import { givingDriver, type OpenDriver } from '../support/internals.js';
import { RedisProxy } from '../support/proxy.js';
import { startRedis, type RedisHandle } from '../support/redis.js';
import { waitUntil } from '../support/wait.js';
import { Buses, Lines, numbers, random, reaches, settled } from './kit.js';

let server: RedisHandle;
let raw: Redis;
const buses = new Buses();
const LOG = 'events:{t:a.b}:log';

beforeAll(async () => {
  server = await startRedis({ private: true });
  raw = new Redis(server.url);
});
afterEach(async () => {
  await buses.close();
  await raw.flushall();
});
afterAll(async () => {
  await raw.quit();
  await server.stop('SIGKILL');
});

describe('row 13: what retention takes away', () => {
  it('a process subscriber was disconnected for longer than the retention: one gap warning, and it goes on', async () => {
    const proxy = await RedisProxy.start(server);
    const options = { retention: 500, streamTtl: '1h' } as const;
    const publisher = await buses.open(server.url, options);
    const lines = new Lines();
    const bus = await buses.open(proxy.url, options, lines);
    const seen: number[] = [];
    const warnings: SystemWarning[] = [];
    await bus.subscribe('a.b', (payload: number) => void seen.push(payload));
    await bus.subscribe('system.warning', (warning: SystemWarning) => void warnings.push(warning));
    await publisher.publish('a.b', 0);
    await reaches('events', 1, () => seen.length);

    proxy.refuse(() => true);
    proxy.cutAll();
    // Whole nodes of the stream go, so it takes some.
    await Promise.all(numbers(1_000, 1).map((number) => publisher.publish('a.b', number)));
    await waitUntil('retention to take them', async () => {
      await publisher.publish('a.b', 1_001);
      return (await raw.xlen(LOG)) < 500;
    });
    proxy.refuse(undefined);
    await publisher.publish('a.b', 2_000);
    await waitUntil('the newest event', () => seen.includes(2_000));
    await publisher.publish('a.b', 2_001);
    await waitUntil('the next event', () => seen.includes(2_001));
    expect(warnings.filter(({ cause }) => cause === 'gap')).toHaveLength(1);
    expect(lines.count('retention')).toBe(1);
  });

  it('a process subscriber that read everything before it was trimmed: no gap, connected or not', async () => {
    const proxy = await RedisProxy.start(server);
    const options = { retention: 500, streamTtl: '1h' } as const;
    const publisher = await buses.open(server.url, options);
    const lines = new Lines();
    const bus = await buses.open(proxy.url, options, lines);
    const seen: number[] = [];
    await bus.subscribe('a.b', (payload: number) => void seen.push(payload));
    await Promise.all(numbers(1_000).map((number) => publisher.publish('a.b', number)));
    await reaches('events', 1_000, () => seen.length);
    proxy.refuse(() => true);
    proxy.cutAll();
    await waitUntil('retention to take them', async () => (await raw.xlen(LOG)) < 500);
    proxy.refuse(undefined);
    await publisher.publish('a.b', 1_000);
    await reaches('events', 1_001, () => seen.length);
    await waitUntil('retention to take them', async () => (await raw.xlen(LOG)) < 500);
    await publisher.publish('a.b', 1_001);
    await reaches('events', 1_002, () => seen.length);
    expect(lines.all.filter((line) => /gone|anew|gap/.test(line))).toEqual([]);
  });

  it('unread and pending entries of a group are never trimmed, however old', async () => {
    const options = { retention: 300, streamTtl: '1h', reclaimAfter: '10m', prefetch: 10, concurrency: 1 } as const;
    const bus = await buses.open(server.url, options);
    const seen: number[] = [];
    let open = (): void => {};
    const door = new Promise<void>((resolve) => (open = resolve));
    await bus.subscribe(
      'a.b',
      (payload: number) => {
        seen.push(payload);
        return door;
      },
      { group: 'g', name: 'h', concurrency: 1 },
    );
    await bus.subscribe('old', () => {});
    await Promise.all(numbers(1_000).map((number) => bus.publish('a.b', number)));
    await Promise.all(numbers(1_000).map((number) => bus.publish('old', number)));
    await reaches('events', 1, () => seen.length);
    // The same rounds that would take them take others.
    await waitUntil('retention', async () => (await raw.xlen('events:{t:old}:log')) < 500);
    expect(await raw.xlen(LOG)).toBe(1_000);
    open();
    await reaches('events', 1_000, () => seen.length);
    await settled(raw, LOG, 'g');
    expect(seen).toEqual(numbers(1_000));
    await waitUntil('retention', async () => (await raw.xlen(LOG)) < 500);
  });

  it('an idle stream is reaped by two processes while a publisher races, 150 rounds: no event is lost for a group, present or away', async () => {
    const ROUNDS = 150;
    const { seed, below } = random();
    const reapers: OpenDriver[] = [];
    const backend = await givingDriver(server.url, (driver) => reapers.push(driver));
    for (const _ of numbers(2)) await buses.open(server.url, { backend, retention: 5, streamTtl: 50 });
    const [bus, publisher, away] = [
      await buses.open(server.url),
      await buses.open(server.url),
      await buses.open(server.url),
    ];
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
        await waitUntil('the stream to be reaped', async () => (await raw.exists(LOG)) === 0, { interval: 1 });
        reaped += 1;
      }
      for (let turns = below(5); turns > 0; turns -= 1) await raw.ping();
      await publisher.publish('a.b', round);
      running = false;
      await Promise.all(reaping);
      // A member that comes back finds the type, or the group on it: else the event is out of its sight.
      const reply = await raw.xreadgroup('GROUP', 'away', 'c', 'COUNT', 10, 'STREAMS', LOG, '>').catch(() => null);
      const ids = ((reply as [string, [string][]][] | null)?.[0]?.[1] ?? []).map(([id]) => id);
      if (ids.length > 0) await raw.xack(LOG, 'away', ...ids);
      else if ((await raw.hexists('events:{meta}:types', 'a.b')) === 0) lost.push(round);
      await reaches(`event ${String(round)}`, round + 1, () => handled.size);
      await settled(raw, LOG, 'present');
      if (ids.length === 0) await raw.del(LOG);
    }
    expect({ seed, lost }).toEqual({ seed, lost: [] });
    expect(reaped).toBe(ROUNDS - 1);
  });
});

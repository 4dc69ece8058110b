import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { EventContext } from 'nestjs-cardinal';
import { startChild } from '../support/child.js';
import { startRedis, type RedisHandle } from '../support/redis.js';
import { waitUntil } from '../support/wait.js';
import { Buses, Lines, numbers, reaches, settled, sorted } from './kit.js';
import { Member } from './member.js';

let server: RedisHandle;
let raw: Redis;
const buses = new Buses();
const members: Member[] = [];
const LOG = 'events:{t:work}:log';

beforeAll(async () => {
  server = await startRedis({ private: true });
  raw = new Redis(server.url);
});
afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.kill()));
  await buses.close();
  await raw.flushall();
});
afterAll(async () => {
  await raw.quit();
  await server.stop('SIGKILL');
});

async function member(...[config]: Parameters<typeof Member.start>): Promise<Member> {
  const started = await Member.start(config);
  members.push(started);
  return started;
}

interface Seen {
  readonly payload: number;
  readonly attempt: number;
  readonly redelivered: boolean;
}

describe('row 16: members of a group', () => {
  it('a member is SIGKILLed with pending events: another reclaims each once, attempt 2, redelivered', async () => {
    const publisher = await buses.open(server.url);
    const victim = await member({
      bus: { url: server.url, reclaimAfter: '1s', concurrency: 5, prefetch: 20 },
      listens: [{ label: 'work', pattern: 'work', group: 'g', concurrency: 5, hang: true }],
    });
    await Promise.all(numbers(60).map((number) => publisher.publish('work', number)));
    await reaches('events at the victim', 5, () => victim.got('work').length);
    await waitUntil('a full prefetch', async () => ((await raw.xpending(LOG, 'g')) as [number])[0] === 20);
    await victim.kill();

    const seen: Seen[] = [];
    const bus = await buses.open(server.url, { reclaimAfter: '1s' });
    await bus.subscribe(
      'work',
      (payload: number, { attempt, redelivered }: EventContext) => void seen.push({ payload, attempt, redelivered }),
      { group: 'g', name: 'work' },
    );
    await reaches('events', 60, () => seen.length);
    await settled(raw, LOG, 'g');
    expect(sorted(seen.map(({ payload }) => payload))).toEqual(numbers(60));
    // What had been handed to the victim comes as its second attempt, also what waited there for a place.
    const second = seen.filter(({ attempt }) => attempt === 2);
    expect(sorted(second.map(({ payload }) => payload))).toEqual(numbers(20));
    expect(second.every(({ redelivered }) => redelivered)).toBe(true);
    expect(seen.filter(({ attempt }) => attempt === 1).every(({ redelivered }) => !redelivered)).toBe(true);
  });

  it('a handler longer than reclaimAfter, whose process lives: not given to anybody else', async () => {
    const [one, two] = [
      await buses.open(server.url, { reclaimAfter: '1s' }),
      await buses.open(server.url, { reclaimAfter: '1s' }),
    ];
    const seen: string[] = [];
    let open = (): void => {};
    const door = new Promise<void>((resolve) => (open = resolve));
    await one.subscribe(
      'work',
      (payload) => {
        seen.push(`one ${String(payload)}`);
        return door;
      },
      { group: 'g', name: 'work' },
    );
    await one.publish('work', 1);
    await reaches('events', 1, () => seen.length);
    await two.subscribe('work', (payload) => void seen.push(`two ${String(payload)}`), { group: 'g', name: 'work' });
    // The heartbeat shows: ever again the entry is younger than the reclaim time, although it was taken long before.
    const began = Date.now();
    await waitUntil('four reclaim periods', async () => {
      const [row] = (await raw.xpending(LOG, 'g', '-', '+', 10)) as [string, string, number, number][];
      expect(row?.[3]).toBe(1);
      return Date.now() - began > 4_000;
    });
    open();
    await settled(raw, LOG, 'g');
    expect(seen).toEqual(['one 1']);
  });

  it('a subscription is closed with pending events: the running one finishes, the rest goes to another member, or waits for one', async () => {
    const [one, two] = [
      await buses.open(server.url, { reclaimAfter: '10m' }),
      await buses.open(server.url, { reclaimAfter: '10m' }),
    ];
    const first: number[] = [];
    let open = (): void => {};
    const door = new Promise<void>((resolve) => (open = resolve));
    const subscription = await one.subscribe(
      'work',
      (payload: number) => {
        first.push(payload);
        return door;
      },
      { group: 'g', name: 'work', concurrency: 1 },
    );
    await Promise.all(numbers(20).map((number) => two.publish('work', number)));
    await reaches('events', 1, () => first.length);
    await waitUntil('all to be taken', async () => ((await raw.xpending(LOG, 'g')) as [number])[0] === 20);
    await subscription.close();
    expect(((await raw.xpending(LOG, 'g')) as [number])[0]).toBe(20);

    const second: Seen[] = [];
    await two.subscribe(
      'work',
      (payload: number, { attempt, redelivered }: EventContext) => void second.push({ payload, attempt, redelivered }),
      { group: 'g', name: 'work' },
    );
    await reaches('events', 19, () => second.length);
    open();
    await settled(raw, LOG, 'g');
    expect(first).toEqual([0]);
    expect(sorted(second.map(({ payload }) => payload))).toEqual(numbers(19, 1));
    expect(second.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  it('a member is frozen (SIGSTOP) beyond reclaimAfter and goes on: nobody loses an event, its late settlement does no harm', async () => {
    const publisher = await buses.open(server.url);
    const frozen = await member({
      bus: { url: server.url, reclaimAfter: '1s', concurrency: 1, prefetch: 10 },
      listens: [{ label: 'work', pattern: 'work', group: 'g', concurrency: 1 }],
    });
    const lines = new Lines();
    const seen: Seen[] = [];
    const bus = await buses.open(server.url, { reclaimAfter: '1s' }, lines);
    await bus.subscribe(
      'work',
      (payload: number, { attempt, redelivered }: EventContext) => void seen.push({ payload, attempt, redelivered }),
      { group: 'g', name: 'work' },
    );
    const all = (): Set<unknown> => new Set([...seen.map(({ payload }) => payload), ...frozen.done('work')]);
    let number = 0;
    for (let round = 0; round < 3; round += 1) {
      const before = frozen.got('work').length;
      // Under load, so that it is stopped in the middle of reads, handlers and acknowledgements.
      const load = (async () => {
        for (const end = number + 600; number < end; number += 1) await publisher.publish('work', number);
      })();
      await reaches('events at the member', before + 20, () => frozen.got('work').length);
      frozen.process.kill('SIGSTOP');
      await load;
      await reaches('events while it is frozen', number, () => all().size);
      frozen.process.kill('SIGCONT');
      await settled(raw, LOG, 'g');
    }
    expect(sorted(all() as Set<number>)).toEqual(numbers(1_800));
    expect(await raw.exists('events:{t:work}:dead')).toBe(0);
    // It still takes its share.
    const before = frozen.got('work').length;
    for (let more = 0; more < 400; more += 1) await publisher.publish('work', number + more);
    await reaches('events at the member that was frozen', before + 1, () => frozen.got('work').length);
  });

  it('SIGTERM of a Nest application with 100 group events: running ones finish, the rest goes on elsewhere at once, attempts unchanged', async () => {
    const publisher = await buses.open(server.url);
    const config = { url: server.url, instanceId: 'leaver', concurrency: 10, prefetch: 100 };
    const app = await startChild('test/faults/children/nest-app.ts', {
      args: [JSON.stringify(config)],
      ready: 'ready',
    });
    await Promise.all(numbers(100).map((number) => publisher.publish('work', number)));
    await waitUntil('all to be taken', async () => ((await raw.xpending(LOG, 'g')) as [number])[0] === 100);
    await reaches('running handlers', 10, () => app.lines.filter((line) => line.startsWith('got')).length);

    // With a reclaim time of 10 minutes, what arrives here arrives because it was released.
    const seen: Seen[] = [];
    const bus = await buses.open(server.url, { reclaimAfter: '10m' });
    await bus.subscribe(
      'work',
      (payload: number, { attempt, redelivered }: EventContext) => void seen.push({ payload, attempt, redelivered }),
      { group: 'g', name: 'work' },
    );
    app.kill('SIGTERM');
    await reaches('released events', 90, () => seen.length);
    app.kill('SIGUSR2');
    expect((await app.exited).code).not.toBe(137);
    await settled(raw, LOG, 'g');
    const finished = app.lines.filter((line) => line.startsWith('done work')).map((line) => Number(line.split(' ')[2]));
    expect(finished).toHaveLength(10);
    expect(sorted([...finished, ...seen.map(({ payload }) => payload)])).toEqual(numbers(100));
    expect(new Set(seen.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    const members_ = await raw.hkeys('events:{meta}:instances');
    expect(members_).not.toContain('leaver');
  });
});

import { describe, expect, it } from '@jest/globals';
import type { EventBus, EventContext } from 'nestjs-cardinal';
import { startChild } from '../support/child.js';
import { waitUntil } from '../support/wait.js';
import { held, Lines, numbers, payloads, reaches, sorted } from './kit.js';
import { oneRedis, pending, settled } from './one-redis.js';
import { Member } from './member.js';

const members: Member[] = [];
const redis = oneRedis(() => Promise.all(members.splice(0).map((member) => member.kill())));
const { buses } = redis;
const LOG = 'events:{t:work}:log';

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

/** Adds a member to the group, and gives what its handler gets. */
async function working(bus: EventBus): Promise<Seen[]> {
  const seen: Seen[] = [];
  await bus.subscribe(
    'work',
    (payload: number, { attempt, redelivered }: EventContext) => void seen.push({ payload, attempt, redelivered }),
    { group: 'g', name: 'work' },
  );
  return seen;
}

describe('row 16: members of a group', () => {
  it('a member is SIGKILLed with pending events: another reclaims each once, attempt 2, redelivered', async () => {
    const publisher = await buses.open(redis.url);
    const victim = await member({
      bus: { url: redis.url, reclaimAfter: '1s', concurrency: 5, prefetch: 20 },
      listens: [{ label: 'work', pattern: 'work', group: 'g', concurrency: 5, hang: true }],
    });
    await Promise.all(numbers(60).map((number) => publisher.publish('work', number)));
    await reaches('events at the victim', 5, () => victim.got('work').length);
    await waitUntil('a full prefetch', async () => (await pending(redis.raw, LOG, 'g')) === 20);
    await victim.kill();

    const seen = await working(await buses.open(redis.url, { reclaimAfter: '1s' }));
    await reaches('events', 60, () => seen.length);
    await settled(redis.raw, LOG, 'g');
    expect(sorted(seen.map(({ payload }) => payload))).toEqual(numbers(60));
    // What had been handed to the victim comes as its second attempt, also what waited there for a place.
    const second = seen.filter(({ attempt }) => attempt === 2);
    expect(sorted(second.map(({ payload }) => payload))).toEqual(numbers(20));
    expect(second.every(({ redelivered }) => redelivered)).toBe(true);
    expect(seen.filter(({ attempt }) => attempt === 1).every(({ redelivered }) => !redelivered)).toBe(true);
  });

  it('a handler longer than reclaimAfter, whose process lives: not given to anybody else', async () => {
    const [one, two] = await buses.pair(redis.url, { reclaimAfter: '1s' });
    const first = await held(one, 'work', { group: 'g', name: 'work' });
    await one.publish('work', 1);
    await reaches('events', 1, () => first.seen.length);
    const second = await payloads(two, 'work', { group: 'g', name: 'work' });
    // The heartbeat shows: ever again the entry is younger than the reclaim time, although it was taken long before.
    const began = Date.now();
    await waitUntil('four reclaim periods', async () => {
      const [row] = (await redis.raw.xpending(LOG, 'g', '-', '+', 10)) as [string, string, number, number][];
      expect(row?.[3]).toBe(1);
      return Date.now() - began > 4_000;
    });
    first.open();
    await settled(redis.raw, LOG, 'g');
    expect(first.seen).toEqual([1]);
    expect(second).toEqual([]);
  });

  it('a subscription is closed with pending events: the running one finishes, the rest goes to another member, or waits for one', async () => {
    const [one, two] = await buses.pair(redis.url, { reclaimAfter: '10m' });
    const first = await held(one, 'work', { group: 'g', name: 'work', concurrency: 1 });
    await Promise.all(numbers(20).map((number) => two.publish('work', number)));
    await reaches('events', 1, () => first.seen.length);
    await waitUntil('all to be taken', async () => (await pending(redis.raw, LOG, 'g')) === 20);
    await first.subscription.close();
    expect(await pending(redis.raw, LOG, 'g')).toBe(20);

    const second = await working(two);
    await reaches('events', 19, () => second.length);
    first.open();
    await settled(redis.raw, LOG, 'g');
    expect(first.seen).toEqual([0]);
    expect(sorted(second.map(({ payload }) => payload))).toEqual(numbers(19, 1));
    expect(second.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  it('a member is frozen (SIGSTOP) beyond reclaimAfter and goes on: nobody loses an event, its late settlement does no harm', async () => {
    const publisher = await buses.open(redis.url);
    const frozen = await member({
      bus: { url: redis.url, reclaimAfter: '1s', concurrency: 1, prefetch: 10 },
      listens: [{ label: 'work', pattern: 'work', group: 'g', concurrency: 1 }],
    });
    const lines = new Lines();
    const seen = await working(await buses.open(redis.url, { reclaimAfter: '1s' }, lines));
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
      await settled(redis.raw, LOG, 'g');
    }
    expect(sorted(all() as Set<number>)).toEqual(numbers(1_800));
    expect(await redis.raw.exists('events:{t:work}:dead')).toBe(0);
    // It still takes its share.
    const before = frozen.got('work').length;
    for (let more = 0; more < 400; more += 1) await publisher.publish('work', number + more);
    await reaches('events at the member that was frozen', before + 1, () => frozen.got('work').length);
  });

  it('SIGTERM of a Nest application with 100 group events: running ones finish, the rest goes on elsewhere at once, attempts unchanged', async () => {
    const publisher = await buses.open(redis.url);
    const config = { url: redis.url, instanceId: 'leaver', concurrency: 10, prefetch: 100 };
    const app = await startChild('test/faults/children/nest-app.ts', {
      args: [JSON.stringify(config)],
      ready: 'ready',
    });
    await Promise.all(numbers(100).map((number) => publisher.publish('work', number)));
    await waitUntil('all to be taken', async () => (await pending(redis.raw, LOG, 'g')) === 100);
    await reaches('running handlers', 10, () => app.lines.filter((line) => line.startsWith('got')).length);

    // With a reclaim time of 10 minutes, what arrives here arrives because it was released.
    const seen = await working(await buses.open(redis.url, { reclaimAfter: '10m' }));
    app.kill('SIGTERM');
    await reaches('released events', 90, () => seen.length);
    app.kill('SIGUSR2');
    expect((await app.exited).code).not.toBe(137);
    await settled(redis.raw, LOG, 'g');
    const finished = app.lines.filter((line) => line.startsWith('done work')).map((line) => Number(line.split(' ')[2]));
    expect(finished).toHaveLength(10);
    expect(sorted([...finished, ...seen.map(({ payload }) => payload)])).toEqual(numbers(100));
    expect(new Set(seen.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    const members_ = await redis.raw.hkeys('events:{meta}:instances');
    expect(members_).not.toContain('leaver');
  });
});

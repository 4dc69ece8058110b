import { describe, expect, it } from '@jest/globals';
import { command, RedisProxy } from '../support/proxy.js';
import { waitUntil } from '../support/wait.js';
import type { Listening } from './children/member.js';
import { held, reaches, script } from './kit.js';
import { Member } from './member.js';
import { oneRedis, pending, settled } from './one-redis.js';

const members: Member[] = [];
const redis = oneRedis(() => Promise.all(members.splice(0).map((each) => each.kill())));
const { buses } = redis;
const TYPE = 'events:{t:a.b}';
const LOG = `${TYPE}:log`;
const GROUP = 'g';
const handler: Listening = { label: 'h', pattern: 'a.b', group: GROUP, ...{ idempotent: true } };

async function member(url: string, listens = handler): Promise<Member> {
  const started = await Member.start({ bus: { backend: 'redis', url, reclaimAfter: '1s' }, listens: [listens] });
  members.push(started);
  return started;
}

/** A member that is killed the moment that one of its commands, or the reply to it, is lost. */
async function dying(name: string, lose: 'command' | 'reply'): Promise<{ member: Member; dead: Promise<void> }> {
  const proxy = await RedisProxy.start(redis.server);
  const doomed = await member(proxy.url);
  const match = name === 'xack' ? command(name, LOG) : await script(name);
  const lost = proxy.loseNext(match, lose).done.then(() => {
    // It shall not connect again in the moment that it has left.
    proxy.refuse(() => true);
    return doomed.kill();
  });
  return { member: doomed, dead: lost };
}

describe('the process of an idempotent handler is killed (SIGKILL)', () => {
  it.each([
    ['between the commit and the acknowledgement', 'xack', 'command'],
    ['after the commit, before it knows of it', 'idemCommit', 'reply'],
  ] as const)('%s: the handler does not run again', async (_, name, lose) => {
    const publisher = await buses.open(redis.url);
    const { member: first, dead } = await dying(name, lose);
    await publisher.publish('a.b', 1);
    await dead;
    expect(first.done('h')).toEqual([1]);
    expect(await pending(redis.raw, LOG, GROUP)).toBe(1);

    const second = await member(redis.url);
    await settled(redis.raw, LOG, GROUP);
    await publisher.publish('a.b', 2);
    await reaches('events', 1, () => second.done('h').length);
    await settled(redis.raw, LOG, GROUP);
    expect(second.got('h').map(({ payload }) => payload)).toEqual([2]);
    expect(await redis.raw.keys('events:*:dead')).toEqual([]);
  });

  it('between its work and the commit: it runs again, as the next attempt', async () => {
    const publisher = await buses.open(redis.url);
    const { member: first, dead } = await dying('idemCommit', 'command');
    await publisher.publish('a.b', 1);
    await dead;
    expect(first.done('h')).toEqual([1]);

    const second = await member(redis.url);
    await reaches('events', 1, () => second.done('h').length);
    expect(second.got('h')).toMatchObject([{ payload: 1, attempt: 2, redelivered: true }]);
    await settled(redis.raw, LOG, GROUP);
  });

  it('while it works: it runs again, as the next attempt', async () => {
    const publisher = await buses.open(redis.url);
    const first = await member(redis.url, { ...handler, hang: true });
    await publisher.publish('a.b', 1);
    await reaches('events', 1, () => first.got('h').length);
    await first.kill();

    const second = await member(redis.url);
    await reaches('events', 1, () => second.done('h').length);
    expect(second.got('h')).toMatchObject([{ payload: 1, attempt: 2, redelivered: true }]);
    await settled(redis.raw, LOG, GROUP);
  });
});

describe('idempotent handlers and their claims', () => {
  it('the backend is away when the handler ends: the settlement waits, and it has run once', async () => {
    const proxy = await RedisProxy.start(redis.server);
    const publisher = await buses.open(redis.url);
    const bus = await buses.open(proxy.url, { reclaimAfter: '10s' });
    let runs = 0;
    let refused = 0;
    const work = (): void => {
      runs += 1;
      proxy.refuse(() => ++refused > 0);
      proxy.cutAll();
    };
    await bus.subscribe('a.b', work, { group: GROUP, name: 'h', idempotent: true });
    await publisher.publish('a.b', 1);
    await reaches('runs', 1, () => runs);
    await reaches('attempts to connect', 5, () => refused);
    expect(await pending(redis.raw, LOG, GROUP)).toBe(1);
    proxy.refuse(undefined);
    await settled(redis.raw, LOG, GROUP);
    expect(runs).toBe(1);
    const [key = ''] = await redis.raw.keys('events:{d:*');
    expect(await redis.raw.get(key)).toBe('d');
  });

  it('a run of several leases keeps its key: another event of that key waits for its end', async () => {
    const [a, b] = await buses.pair(redis.url, { reclaimAfter: '1s' });
    const options = { group: GROUP, name: 'h', idempotent: { key: () => 'k' } };
    const runs = [await held(a, 'a.b', options), await held(b, 'a.b', options)];
    const seen = (): readonly number[] => runs.flatMap((run) => run.seen);
    await a.publish('a.b', 1);
    await reaches('runs', 1, () => seen().length);
    await a.publish('a.b', 2);
    const { raw } = redis;
    const [key = ''] = await raw.keys('events:{d:*');
    let left = await raw.pttl(key);
    let renewals = 0;
    await reaches('renewals', 10, async () => {
      const now = await raw.pttl(key);
      if (now > left) renewals += 1;
      left = now;
      return renewals;
    });
    expect(seen()).toEqual([1]);
    for (const run of runs) run.open();
    await settled(raw, LOG, GROUP);
    const waiting = async (): Promise<number> =>
      (await raw.zcard(`${TYPE}:wait:g`)) + (await raw.xlen(`${TYPE}:redo:g`));
    await waitUntil('the end of the other event', async () => (await waiting()) === 0);
    expect(seen()).toEqual([1]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from 'nestjs-cardinal';
import { openTestBus } from 'nestjs-cardinal/testing';
import { onCleanup } from '../support/cleanup.js';
import { RedisProxy } from '../support/proxy.js';
import { waitUntil } from '../support/wait.js';
import { CardMember } from './cards-member.js';
import {
  call,
  callsOf,
  handling,
  index,
  NEVER,
  of,
  ordered,
  publish,
  QUICK,
  streamOf,
  TOPIC,
  type Produced,
} from './cards-kit.js';
import type { Work } from './children/card-member.js';
import { numbers, payloads, reaches, sorted } from './kit.js';
import { oneRedis, pending, settled } from './one-redis.js';

const members: CardMember[] = [];
const redis = oneRedis(() => Promise.all(members.splice(0).map((member) => member.kill())));
const { buses } = redis;

async function member(config: Omit<Parameters<typeof CardMember.start>[0], 'url'>): Promise<CardMember> {
  const started = await CardMember.start({ url: redis.url, bus: QUICK, ...config });
  members.push(started);
  return started;
}

/** Ten events of a card; the plan is for the second of them. */
function ten(plan: Work['plan']): Work[] {
  return numbers(10).map((number) => (number === 1 && plan ? { number, plan } : { number }));
}

const cards = numbers(20).map((number) => `card-${String(number)}`);
const all: Produced = new Map(cards.map((card) => [card, numbers(10)]));

describe('row 1: the owner of cards is killed (SIGKILL) in the middle of handlers, with a backlog', () => {
  it('the next owner begins with the same events, attempt 2, under a higher token; what was acknowledged does not come again', async () => {
    const publisher = await buses.open(redis.url, QUICK);
    const victim = await member({ options: { concurrency: 20 } });
    await Promise.all(cards.map((card) => publish(publisher, card, ten(['wait', 'ok']))));
    await reaches(
      'cards in the middle of their second event',
      20,
      () => victim.got().filter(({ number }) => number === 1).length,
    );
    await victim.kill();

    const heir = await member({ options: { concurrency: 20 } });
    await reaches('events at the heir', 180, () => heir.done().length);
    for (const card of cards) {
      const [last] = victim.got(card).slice(-1);
      const got = heir.got(card);
      expect(of(card, got)).toEqual(numbers(9, 1));
      expect(got.map(({ attempt }) => attempt)).toEqual([2, ...numbers(8).map(() => 1)]);
      expect(got[0]!.token).toBeGreaterThan(last!.token);
    }
    const { recorded } = await ordered(redis.raw, { bus: publisher, produced: all, buses: 2 });
    expect(recorded.filter(({ verdict }) => verdict !== 'accepted')).toEqual([]);
  });
});

describe('row 2: the owner is killed between the effect and its acknowledgement', () => {
  it('the event repeats once, attempt 2, under a higher token', async () => {
    const publisher = await buses.open(redis.url, QUICK);
    const victim = await member({});
    await publish(publisher, 'a', ten(['effect-crash', 'ok']));
    await victim.process.exited;
    const heir = await member({});
    await reaches('events at the heir', 9, () => heir.done().length);
    expect(of('a', victim.got())).toEqual([0, 1]);
    expect(of('a', heir.got())).toEqual(numbers(9, 1));
    expect(heir.got().map(({ attempt }) => attempt)).toEqual([2, ...numbers(8).map(() => 1)]);

    const { recorded } = await ordered(redis.raw, {
      bus: publisher,
      produced: new Map([['a', numbers(10)]]),
      buses: 2,
    });
    expect(recorded.map(({ verdict, note }) => `${verdict} ${note.split(' ')[0]!}`)).toEqual([
      ...['accepted 0', 'accepted 1', 'repeated 1'],
      ...numbers(8, 2).map((number) => `accepted ${String(number)}`),
    ]);
    expect(BigInt(recorded[2]!.token)).toBeGreaterThan(BigInt(recorded[1]!.token));
  });
});

describe('row 3: the owner stands still for longer than its lease, and goes on', () => {
  it('SIGSTOP, SIGCONT: another takes over; its signal aborts, its late effect is refused, no further handler starts', async () => {
    const publisher = await buses.open(redis.url, QUICK);
    const frozen = await member({});
    await publish(publisher, 'a', ten(['wait', 'ok']));
    await reaches('events at the first owner', 2, () => frozen.got().length);
    frozen.process.kill('SIGSTOP');
    const heir = await member({});
    await reaches('events at the heir', 9, () => heir.done().length);
    expect(heir.got()[0]).toMatchObject({ number: 1, attempt: 2 });

    frozen.process.kill('SIGCONT');
    await frozen.process.line('aborted a 1');
    await frozen.open();
    await frozen.process.line('done a 1 stale');
    await laterOwner(frozen, heir);
  });

  it('a handler that blocks the process as long: the same', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cards-'));
    onCleanup(() => rmSync(folder, { recursive: true }));
    const gate = join(folder, 'gate');
    const publisher = await buses.open(redis.url, QUICK);
    const blocked = await member({ gate });
    await publish(publisher, 'a', ten(['busy', 'ok']));
    await reaches('events at the first owner', 2, () => blocked.got().length);
    const heir = await member({});
    await reaches('events at the heir', 9, () => heir.done().length);
    writeFileSync(gate, '');
    await blocked.process.line('done a 1 stale');
    await laterOwner(blocked, heir);
  });

  /** What the first owner had in hand it does not begin; and it works as before, on another card. */
  async function laterOwner(first: CardMember, heir: CardMember): Promise<void> {
    const publisher = await buses.open(redis.url, QUICK);
    await heir.kill();
    await publish(publisher, 'b', ten(undefined));
    await reaches('events of another card', 10, () => first.done('b').length);
    expect(of('a', first.got())).toEqual([0, 1]);
    expect(of('a', heir.got())).toEqual(numbers(9, 1));
    const produced = new Map([
      ['a', numbers(10)],
      ['b', numbers(10)],
    ]);
    const { recorded } = await ordered(redis.raw, { bus: publisher, produced, buses: 3 });
    expect(
      recorded.filter(({ verdict }) => verdict !== 'accepted').map(({ verdict, note }) => `${verdict} ${note}`),
    ).toEqual([`stale 1 ${first.instanceId}`]);
  }

  it('it stands still while the answer to an acknowledgement is on its way: what it has in hand does not begin under the old token', async () => {
    const proxy = await RedisProxy.start(redis.server);
    const publisher = await buses.open(redis.url, QUICK);
    let ahead = 0;
    const clock: Clock = {
      now: () => Date.now() + ahead,
      after(ms, run) {
        const timer = setTimeout(run, ms).unref();
        return { cancel: () => clearTimeout(timer) };
      },
    };
    const bus = await openTestBus({ url: proxy.url, ...QUICK }, { clock });
    try {
      await publish(publisher, 'a', ten(undefined));
      const ack = await callsOf('cardAck');
      const seen = await handling(bus, redis.raw, {}, ({ number }: Work) => {
        if (number !== 2) return;
        // As the call passes: it was sent before, and its answer is read afterwards.
        const { cancel } = proxy.loseNext((command) => {
          if (!ack(command)) return false;
          ahead += 5_000;
          cancel();
          return false;
        });
      });
      await reaches('events', 10, () => seen.length);
      expect(ahead).toBe(5_000);
      const tokens = [...new Set(seen.map(({ token }) => token))];
      expect(tokens).toHaveLength(2);
      expect(seen.map(({ number, token }) => [number, tokens.indexOf(token)])).toEqual(
        numbers(10).map((number) => [number, number <= 2 ? 0 : 1]),
      );
      expect(tokens[1]).toBeGreaterThan(tokens[0]!);
      await ordered(redis.raw, { bus: publisher, produced: new Map([['a', numbers(10)]]), buses: 2 });
    } finally {
      await bus.close();
      await proxy.close();
    }
  });

  it('its acknowledgement, its failure and its renewal answer STALE, and change nothing', async () => {
    const publisher = await buses.open(redis.url, QUICK);
    const frozen = await member({});
    await publish(publisher, 'a', ten(['wait', 'wait']));
    await reaches('events at the first owner', 2, () => frozen.got().length);
    const own = await index(redis.raw, 'own');
    const token = (await redis.raw.hget(own, 'a'))!;
    const [[entry]] = (await redis.raw.xrange(streamOf('a'), '-', '+', 'COUNT', 1)) as [[string, string[]]];
    frozen.process.kill('SIGSTOP');
    const heir = await member({});
    await reaches('events at the heir', 1, () => heir.got().length);
    expect(await redis.raw.hget(own, 'a')).not.toBe(token);

    const names = ['reg', 'rdy', 'own', 'exp', 'blk', 'att', 'ep', 'unr', 'dlq'];
    const nine = names.map((name) => own.replace(/own$/, name === 'dlq' ? 'dead' : name));
    const facts = async (): Promise<unknown> => [
      await redis.raw.hgetall(own),
      await redis.raw.xlen(streamOf('a')),
      await pending(redis.raw, streamOf('a'), `${TOPIC}:a`),
      await redis.raw.hgetall(own.replace(/own$/, 'att')),
      await redis.raw.exists(own.replace(/own$/, 'blk'), own.replace(/own$/, 'rdy')),
    ];
    const before = await facts();
    for (const mode of ['keep', 'next', 'yield', 'release']) {
      const args = [TOPIC, 1_000, 'ready', 'a', token, mode, 10, 1, 1, entry];
      expect(await call(redis.raw, 'cardAck', [...nine, streamOf('a')], args)).toEqual(['STALE']);
    }
    for (const what of [
      ['retry', 1_000, 1, 'boom'],
      ['park', 'boom', 3],
      ['dead', 'next', 10, 'anycast'],
    ]) {
      const args = [TOPIC, 'a', token, 1_000, entry, ...what];
      expect(await call(redis.raw, 'cardFail', [...nine, streamOf('a')], args)).toBe('STALE');
    }
    expect(await call(redis.raw, 'cardRenew', nine, [60_000, 'a', token])).toEqual(['a']);
    expect(await facts()).toEqual(before);
    await heir.open();
    await reaches('events at the heir', 9, () => heir.done().length);
  });
});

describe('row 4: SIGTERM with 100 active cards and 100 group events, lease and reclaim time 10 minutes', () => {
  const bus = { cards: NEVER, reclaimAfter: '10m', concurrency: 10, prefetch: 100 } as const;
  const hundred = numbers(100).map((number) => `card-${String(number)}`);
  const produced: Produced = new Map(hundred.map((card) => [card, numbers(3)]));
  const LOG = 'events:{t:group.work}:log';

  /** A process with all of it in hand: 100 cards, 10 running group handlers, 90 events that wait for them. */
  async function busy(shutdownTimeout: string): Promise<CardMember> {
    const publisher = await buses.open(redis.url, bus);
    const leaver = await member({
      bus: { ...bus, shutdownTimeout },
      options: { concurrency: 100 },
      group: { type: 'group.work', name: 'g' },
    });
    await Promise.all(
      hundred.map((card) => publish(publisher, card, [{ number: 0, plan: ['wait'] }, { number: 1 }, { number: 2 }])),
    );
    await Promise.all(numbers(100).map((number) => publisher.publish('group.work', number)));
    await reaches('active cards', 100, () => leaver.got().length);
    await reaches('running group handlers', 10, () => leaver.said('group-got').length);
    await waitUntil('all group events to be taken', async () => (await pending(redis.raw, LOG, 'g')) === 100);
    return leaver;
  }

  it('running handlers end within the time: the rest goes on elsewhere at once, attempts unchanged', async () => {
    const leaver = await busy('30s');
    const heir = await buses.open(redis.url, bus);
    const seen = await handling(heir, redis.raw, { concurrency: 100 });
    const group = await payloads(heir, 'group.work', { group: 'g', name: 'work' });
    leaver.process.kill('SIGTERM');
    // No lease and no reclaim time ends within this test: what arrives was released.
    await reaches('released group events', 90, () => group.length);
    await leaver.open();
    await leaver.process.line('closed');
    await reaches('released card events', 200, () => seen.length);

    expect(leaver.done().map(({ number }) => number)).toEqual(numbers(100).map(() => 0));
    for (const card of hundred) expect(of(card, seen)).toEqual([1, 2]);
    expect(new Set(seen.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    const ended = leaver.said('group-done').map(([number]) => Number(number));
    expect(sorted([...ended, ...group])).toEqual(numbers(100));
    await settled(redis.raw, LOG, 'g');
    const { recorded } = await ordered(redis.raw, { bus: heir, produced, buses: 2 });
    expect(recorded.filter(({ verdict }) => verdict !== 'accepted')).toEqual([]);
  });

  it('running handlers do not end within the time: their signals abort, and all of it is released, attempts unchanged', async () => {
    const leaver = await busy('1s');
    const heir = await buses.open(redis.url, bus);
    const seen = await handling(heir, redis.raw, { concurrency: 100 });
    const group = await payloads(heir, 'group.work', { group: 'g', name: 'work' });
    leaver.process.kill('SIGTERM');
    await leaver.process.line('closed', 30_000);
    await reaches('released card events', 300, () => seen.length);
    await reaches('released group events', 100, () => group.length);

    expect(leaver.done()).toEqual([]);
    expect(new Set(leaver.said('aborted').map(([card]) => card))).toEqual(new Set(hundred));
    for (const card of hundred) expect(of(card, seen)).toEqual([0, 1, 2]);
    expect(new Set(seen.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    expect(sorted(group)).toEqual(numbers(100));
    await ordered(redis.raw, { bus: heir, produced, buses: 2 });
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { RedisProxy, type CommandMatch } from '../support/proxy.js';
import { waitUntil } from '../support/wait.js';
import {
  callsOf,
  handling,
  NEVER,
  of,
  ordered,
  publish,
  QUICK,
  streamOf,
  TOPIC,
  xadd,
  type Produced,
} from './cards-kit.js';
import type { Work } from './children/card-member.js';
import { numbers, random, reaches, seeded } from './kit.js';
import { oneRedis } from './one-redis.js';

const redis = oneRedis();
const { buses } = redis;
let proxy: RedisProxy;
afterEach(async () => {
  await proxy.close();
});

describe('row 5: the connection is cut', () => {
  const LOSSES = ['cardAck', 'cardTake', 'cardClaim', 'cardFail'].flatMap((name) =>
    (['reply', 'command'] as const).map((lose) => ({ name, lose })),
  );

  it.each(LOSSES)(
    '$name, its $lose lost, again and again: nothing skipped, nothing reordered, nothing repeated',
    async ({ name, lose }) => {
      proxy = await RedisProxy.start(redis.server);
      const publisher = await buses.open(redis.url, QUICK);
      const bus = await buses.open(proxy.url, QUICK);
      const match = await callsOf(name);
      const cards = ['a', 'b', 'c'];
      const rounds = 12;
      // Two cards at once of three, so that there are claims too.
      const options = { concurrency: 2, retry: { attempts: 3, delay: 10, jitter: false } };
      const seen = await handling(bus, redis.raw, options, ({ number }: Work, { attempt }) => {
        if (number % 4 === 1 && attempt === 1) throw new Error('fails once');
      });
      let lost = 0;
      for (const round of numbers(rounds)) {
        const { done, cancel } = proxy.loseNext((command) => {
          const fits = match(command);
          if (fits) lost += 1;
          return fits;
        }, lose);
        const works = numbers(4, round * 4).map((number) => ({ number }));
        await Promise.all(cards.map((card) => publish(publisher, card, works)));
        await reaches('handlers', (round + 1) * 5 * cards.length, () => seen.length);
        cancel();
        await done;
      }
      const produced: Produced = new Map(cards.map((card) => [card, numbers(4 * rounds)]));
      const { recorded } = await ordered(redis.raw, { bus: publisher, produced, buses: 2 });
      // The first call of a script on a new connection travels with its text, and is not known.
      expect(lost).toBeGreaterThanOrEqual(rounds / 3);
      for (const card of cards) {
        const expected = numbers(4 * rounds).flatMap((number) => (number % 4 === 1 ? [number, number] : [number]));
        expect(of(card, seen)).toEqual(expected);
      }
      expect(recorded.filter(({ verdict }) => verdict !== 'accepted')).toEqual([]);
    },
  );

  it.each(['reply', 'command'] as const)(
    'cardPublish, its %s lost: every event is stored once, in order',
    async (lose) => {
      proxy = await RedisProxy.start(redis.server);
      const publisher = await buses.open(proxy.url, QUICK);
      const match = await callsOf('cardPublish');
      const rounds = 12;
      for (const round of numbers(rounds)) {
        const [first, ...others] = numbers(4, round * 4).map((number) => ({ number }));
        await publish(publisher, 'a', [first!]);
        const { done } = proxy.loseNext(match, lose);
        await publish(publisher, 'a', others);
        await done;
      }
      expect(await redis.raw.xlen(streamOf('a'))).toBe(4 * rounds);
      const seen = await handling(publisher, redis.raw);
      await reaches('events', 4 * rounds, () => seen.length);
      expect(of('a', seen)).toEqual(numbers(4 * rounds));
    },
  );

  it('at random, all connections of all processes, under load: the same promises', () =>
    seeded(async ({ below }) => {
      proxy = await RedisProxy.start(redis.server);
      const publisher = await buses.open(redis.url, QUICK);
      const two = await buses.pair(proxy.url, QUICK);
      for (const bus of two) await handling(bus, redis.raw, { concurrency: 5 });
      const cards = numbers(10).map((number) => `card-${String(number)}`);
      for (const round of numbers(20)) {
        let ahead = below(20);
        const call: CommandMatch = ([name]) => name === 'evalsha' && ahead-- === 0;
        const lost = proxy.loseNext(call, round % 2 === 0 ? 'reply' : 'command');
        const works = numbers(10, round * 10).map((number) => ({ number }));
        await Promise.all(cards.map((card) => publish(publisher, card, works)));
        await lost.done;
      }
      const produced: Produced = new Map(cards.map((card) => [card, numbers(200)]));
      await ordered(redis.raw, { bus: publisher, produced, buses: 3 });
    }));
});

describe('row 6: notifications get lost', () => {
  it.each([30, 100])('%s %% of them: all is handled in order, by poll and sweeps', async (percent) => {
    proxy = await RedisProxy.start(redis.server);
    const { seed, next } = random();
    const publisher = await buses.open(redis.url, QUICK);
    const bus = await buses.open(proxy.url, QUICK);
    const passed = proxy.messages.passed;
    proxy.dropMessages(() => next() * 100 < percent);
    await handling(bus, redis.raw);
    const cards = numbers(20).map((number) => `card-${String(number)}`);
    for (const number of numbers(10)) {
      for (const card of cards.slice(0, 10)) await publish(publisher, card, [{ number }]);
      for (const card of cards.slice(10)) {
        await xadd(redis.raw, card, [number]);
        await redis.raw.publish('group_change', `register:${TOPIC}:${card}`);
      }
    }
    const produced: Produced = new Map(cards.map((card) => [card, numbers(10)]));
    await ordered(redis.raw, { bus: publisher, produced, buses: 2 }).catch((error: unknown) => {
      throw new Error(`seed ${String(seed)}`, { cause: error });
    });
    expect(proxy.messages.dropped).toBeGreaterThan(0);
    if (percent === 100) expect(proxy.messages.passed).toBe(passed);
  });

  it('the connection of the subscriber is down meanwhile: cards that are known are found when it is back, long before any sweep', async () => {
    proxy = await RedisProxy.start(redis.server);
    const options = { cards: NEVER };
    const publisher = await buses.open(redis.url, options);
    const bus = await buses.open(proxy.url, options);
    const seen = await handling(bus, redis.raw);
    const cards = numbers(20).map((number) => `card-${String(number)}`);
    for (const card of cards) await publish(publisher, card, [{ number: 0 }]);
    await reaches('events', 20, () => seen.length);

    const subscribers = async (): Promise<number> => Number((await redis.raw.pubsub('NUMSUB', 'group_change'))[1]);
    const before = await subscribers();
    proxy.refuse(() => true);
    expect(proxy.cutSubscribers()).toBe(1);
    await waitUntil('Redis to notice', async () => (await subscribers()) === before - 1);
    for (const card of cards) {
      await xadd(redis.raw, card, [1, 2]);
      await redis.raw.publish('group_change', `register:${TOPIC}:${card}`);
    }
    proxy.refuse(undefined);
    const produced: Produced = new Map(cards.map((card) => [card, numbers(3)]));
    await ordered(redis.raw, { bus: publisher, produced, buses: 2 });
  });
});

describe('row 7: a foreign producer that never says anything', () => {
  it('XADD only: found by the slow sweep, the first event not lost, in order', async () => {
    proxy = await RedisProxy.start(redis.server);
    const [one] = await buses.pair(redis.url, { cards: { ...NEVER, scan: '1s' } });
    const seen = await handling(one, redis.raw);
    const cards = numbers(50).map((number) =>
      number % 2 === 0 ? `card:${String(number)}` : `karte ä ${String(number)}`,
    );
    for (const card of cards) await xadd(redis.raw, card, numbers(4));
    // Half of them while others are handled already, and again on cards that are idle by then.
    await reaches('events', 1, () => seen.length);
    for (const card of cards) await xadd(redis.raw, card, numbers(4, 4));
    const produced: Produced = new Map(cards.map((card) => [card, numbers(8)]));
    const { recorded } = await ordered(redis.raw, { bus: one, produced, buses: 2 });
    expect(recorded.filter(({ verdict }) => verdict !== 'accepted')).toEqual([]);
  });
});

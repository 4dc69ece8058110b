import { describe, expect, it } from '@jest/globals';
import { waitUntil } from '../support/wait.js';
import { handling, NEVER, of, ordered, publish, QUICK, streamOf, TOPIC, xadd, type Produced } from './cards-kit.js';
import type { Work } from './children/card-member.js';
import { numbers, reaches, seeded } from './kit.js';
import { oneRedis } from './one-redis.js';

const redis = oneRedis();
const { buses } = redis;

const say = (what: 'register' | 'unregister', card: string): Promise<number> =>
  redis.raw.publish('group_change', `${what}:${TOPIC}:${card}`);

describe('row 8: cards are registered and unregistered', () => {
  it('10,000 duplicate registers while a card is handled: one owner, everything once, in order', async () => {
    const three = [...(await buses.pair(redis.url, QUICK)), await buses.open(redis.url, QUICK)];
    let running = 0;
    let most = 0;
    for (const bus of three) {
      await handling(bus, redis.raw, {}, async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
      });
    }
    const [bus] = three as [(typeof three)[0]];
    const storm = (async () => {
      for (let round = 0; round < 100; round += 1) {
        const library = numbers(50).map(() => bus.cards.register(TOPIC, 'a'));
        const foreign = numbers(50).map(() => say('register', 'a'));
        await Promise.all([...library, ...foreign]);
      }
    })();
    for (const number of numbers(500)) {
      if (number % 2 === 0) await publish(bus, 'a', [{ number }]);
      else await xadd(redis.raw, 'a', [number]);
    }
    await storm;
    await say('register', 'a');
    const produced: Produced = new Map([['a', numbers(500)]]);
    const { recorded } = await ordered(redis.raw, { bus, produced, buses: 3 });
    expect(recorded.filter(({ verdict }) => verdict !== 'accepted')).toEqual([]);
    expect(most).toBe(1);
  });

  it('a storm of registers and unregisters: nothing is lost, and the last one wins', () =>
    seeded(async ({ next, below }) => {
      const [bus, other] = await buses.pair(redis.url, QUICK);
      for (const each of [bus, other]) await handling(each, redis.raw);
      const cards = numbers(20).map((number) => `card-${String(number)}`);
      const counts = new Map(cards.map((card) => [card, 0]));
      for (let round = 0; round < 3_000; round += 1) {
        const card = cards[below(20)]!;
        const number = counts.get(card)!;
        const what = next();
        if (what < 0.2) await publish(bus, card, [{ number }]);
        else if (what < 0.4) await xadd(redis.raw, card, [number]);
        if (what < 0.4) counts.set(card, number + 1);
        else if (what < 0.55) await bus.cards.register(TOPIC, card);
        else if (what < 0.7) await bus.cards.unregister(TOPIC, card);
        else await say(what < 0.85 ? 'register' : 'unregister', card);
      }
      for (const [at, card] of cards.entries()) {
        if (at % 2 === 0) await bus.cards.register(TOPIC, card);
        else await bus.cards.unregister(TOPIC, card);
      }
      const produced: Produced = new Map([...counts].map(([card, count]) => [card, numbers(count)]));
      const { recorded } = await ordered(redis.raw, { bus, produced, buses: 2 });
      expect(recorded.filter(({ verdict }) => verdict !== 'accepted')).toEqual([]);
      await waitUntil('the registered ones to be left', async () => {
        const { cards: left } = await bus.cards.list(TOPIC);
        return left.length === 10 && left.every(({ cardId }) => cards.indexOf(cardId) % 2 === 0);
      });
    }));

  it('unregistered with events (drain): they are all handled, then the card is gone; a later event brings it back', async () => {
    const [bus, other] = await buses.pair(redis.url, QUICK);
    let open = (): void => {};
    const door = new Promise<void>((resolve) => (open = resolve));
    const wait = ({ number }: Work): Promise<void> | void => (number === 0 ? door : undefined);
    const seen = await handling(bus, redis.raw, {}, wait);
    await publish(
      other,
      'a',
      numbers(10).map((number) => ({ number })),
    );
    await reaches('events', 1, () => seen.length);
    expect(await bus.cards.unregister(TOPIC, 'a')).toBe(0);
    expect((await bus.cards.inspect(TOPIC, 'a'))?.length).toBe(10);
    open();
    await reaches('events', 10, () => seen.length);
    await waitUntil('the card to be gone', async () => (await bus.cards.inspect(TOPIC, 'a')) === undefined);
    expect(await redis.raw.exists(streamOf('a'))).toBe(0);
    await publish(other, 'a', [{ number: 10 }]);
    const { recorded } = await ordered(redis.raw, { bus, produced: new Map([['a', numbers(11)]]), buses: 2 });
    expect(recorded.filter(({ verdict }) => verdict !== 'accepted')).toEqual([]);
  });

  it('unregistered with events (drop): they are counted and gone; the running handler loses its card, and a later event is handled by itself', async () => {
    const [bus, other] = await buses.pair(redis.url, { cards: NEVER });
    let open = (): void => {};
    const door = new Promise<void>((resolve) => (open = resolve));
    const seen = await handling(bus, redis.raw, {}, ({ number }: Work) => (number === 0 ? door : undefined));
    await publish(
      other,
      'a',
      numbers(10).map((number) => ({ number })),
    );
    await reaches('events', 1, () => seen.length);
    expect(await other.cards.unregister(TOPIC, 'a', { pending: 'drop' })).toBe(10);
    expect(await bus.cards.inspect(TOPIC, 'a')).toBeUndefined();
    await publish(other, 'a', [{ number: 20 }]);
    open();
    await reaches('events', 2, () => seen.length);
    expect(of('a', seen)).toEqual([0, 20]);
    expect(seen[1]!.token).toBeGreaterThan(seen[0]!.token);
    await ordered(redis.raw, { bus, produced: new Map([['a', [0, 20]]]), buses: 2 });
  });
});

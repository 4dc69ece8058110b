import { describe, expect, it } from '@jest/globals';
import { waitFor } from 'nestjs-cardinal/testing';
import { RedisProxy } from '../support/proxy.js';
import { numbers } from '../faults/kit.js';
import { card, cardWorld, INDEX, openCardMember, payloadsOf, TOPIC, type CardMember } from './card-kit.js';

/** Cards of producers in other languages, and notifications that never come. */

const { redis, member, settledMember } = cardWorld();
const streamOf = (cardId: string): string => `event_stream:${TOPIC}:${cardId}`;
const SHORT = { sweep: 100, scan: 100 };

describe('a foreign producer', () => {
  it('that appends and tells: its events come, as they are', async () => {
    const one = await member();
    await redis.raw.xadd(streamOf('a:b'), '*', 'kind', 'comment', 'text', 'ü');
    await redis.raw.publish('group_change', `register:${TOPIC}:a:b`);
    const turn = await one.next();
    expect(turn.cardId).toBe('a:b');
    expect(payloadsOf(turn.entries)).toEqual([{ kind: 'comment', text: 'ü' }]);
    expect(turn.entries[0]!.event).toMatchObject({ source: 'foreign', type: TOPIC, id: turn.entries[0]!.sequence });
    expect(await turn.ack(1, 'next')).toEqual([]);
    one.end(turn);
    expect(await one.cards.inspect(card('a:b'))).toMatchObject({ state: 'idle' });
  });

  it('that tells while the card is in hand: the event follows', async () => {
    const one = await member();
    await one.publish('c', 1);
    const turn = await one.next();
    await redis.raw.xadd(streamOf('c'), '*', 'n', '2');
    await redis.raw.publish('group_change', `register:${TOPIC}:c`);
    expect(payloadsOf(await turn.ack(1, 'next'))).toEqual([{ n: '2' }]);
  });

  it('that tells while there is no room: the card waits for its turn', async () => {
    const one = await member();
    one.room = 0;
    await redis.raw.xadd(streamOf('c'), '*', 'n', '1');
    await redis.raw.publish('group_change', `register:${TOPIC}:c`);
    await waitFor(async () => (await redis.raw.zscore(`${INDEX}rdy`, 'c')) !== null);
    one.offer(1);
    expect(payloadsOf((await one.next()).entries)).toEqual([{ n: '1' }]);
  });

  it('that tells of a card without a stream: nothing is made of it', async () => {
    const one = await member();
    for (const message of ['register:orders:', 'register:orders', 'register::x', 'nonsense', `register:${TOPIC}:c`])
      await redis.raw.publish('group_change', message);
    await one.publish('probe', 1);
    await one.next();
    expect(await redis.raw.exists(streamOf('c'))).toBe(0);
    expect(await one.cards.inspect(card('c'))).toBeUndefined();
  });

  it('that has done with a card: it goes when its events are handled', async () => {
    const one = await member();
    await one.publish('c', 1);
    const turn = await one.next();
    await redis.raw.publish('group_change', `unregister:${TOPIC}:c`);
    await waitFor(async () => (await redis.raw.sismember(`${INDEX}unr`, 'c')) === 1);
    expect(await turn.ack(1, 'next')).toEqual([]);
    one.end(turn);
    expect(await redis.raw.exists(streamOf('c'))).toBe(0);
    expect(await one.cards.inspect(card('c'))).toBeUndefined();
  });

  it.each(['before anybody consumes', 'while somebody does'])(
    'that only appends, %s: found by the scan',
    async (when) => {
      const add = (): Promise<unknown> => redis.raw.xadd(streamOf('c'), '*', 'n', '1');
      if (when.startsWith('before')) await add();
      const one = await member({ cards: when.startsWith('before') ? {} : SHORT });
      if (!when.startsWith('before')) {
        await one.publish('probe', 1);
        await one.next();
        await add();
      }
      expect(payloadsOf((await one.next()).entries)).toEqual([{ n: '1' }]);
    },
  );
});

/** Registers a card, and waits until the driver has heard of it and looked. */
async function registered(one: CardMember): Promise<void> {
  await one.cards.register(card('c'));
  await one.publish('probe', 1);
  const probe = await one.next();
  await probe.ack(1, 'next');
  one.end(probe);
}

describe('lost notifications', () => {
  it('all of them: every event is handled, through polls and sweeps', async () => {
    const proxy = await RedisProxy.start(redis.server);
    proxy.dropMessages(() => true);
    const one = await openCardMember(proxy.url, { cards: SHORT });
    await one.consume();
    const seen: string[] = [];
    one.handle(seen);
    const publisher = await openCardMember(redis.url);
    for (const number of numbers(20)) await publisher.publish(`c${String(number % 5)}`, number);
    for (const number of numbers(5)) await redis.raw.xadd(streamOf(`f${String(number)}`), '*', 'n', '1');
    await waitFor(() => seen.length === 25, { timeout: 15_000 });
    expect(proxy.messages.dropped).toBeGreaterThan(0);
    for (const name of numbers(5)) {
      const ofCard = seen.filter((row) => row.startsWith(`c${String(name)} `)).map((row) => Number(row.slice(3)));
      expect(ofCard).toEqual(numbers(20).filter((number) => number % 5 === name));
    }
  });

  it('an append to a registered card of which nobody was told: found by the sweep', async () => {
    const one = await settledMember({ cards: { sweep: 100 } });
    await registered(one);
    await redis.raw.xadd(streamOf('c'), '*', 'n', '1');
    expect(payloadsOf((await one.next()).entries)).toEqual([{ n: '1' }]);
  });

  it('an append while the subscriber was away: found when it is back', async () => {
    const proxy = await RedisProxy.start(redis.server);
    const one = await settledMember({}, proxy.url);
    await registered(one);
    proxy.refuse(() => true);
    proxy.cutAll();
    await redis.raw.xadd(streamOf('c'), '*', 'n', '1');
    await redis.raw.publish('group_change', `register:${TOPIC}:c`);
    proxy.refuse(undefined);
    expect(payloadsOf((await one.next()).entries)).toEqual([{ n: '1' }]);
  });
});

describe('a card without events', () => {
  it('loses its stream after a while, and its registration stays', async () => {
    const one = await member({ cards: { sweep: 100, idleAfter: 1_000 } });
    await one.publish('c', 1);
    const turn = await one.next();
    expect(await turn.ack(1, 'next')).toEqual([]);
    one.end(turn);
    expect(await redis.raw.exists(streamOf('c'))).toBe(1);
    await waitFor(async () => (await redis.raw.exists(streamOf('c'))) === 0);
    expect(await one.cards.inspect(card('c'))).toMatchObject({ state: 'idle', length: 0 });
    await one.publish('c', 2);
    expect(payloadsOf((await one.next()).entries)).toEqual([2]);
  });
});

describe('another consumer', () => {
  it.each(['a group', 'the group'])('with %s of its own on a stream of the topic is told of, once', async (how) => {
    const own = `${TOPIC}:c`;
    await redis.raw.xgroup('CREATE', streamOf('c'), how === 'a group' ? 'theirs' : own, '0', 'MKSTREAM');
    if (how === 'the group') await redis.raw.xgroup('CREATECONSUMER', streamOf('c'), own, 'theirs');
    const one = await member({ cards: SHORT });
    const told = (): unknown[] => one.warnings.filter(({ cause }) => cause === 'cards');
    await waitFor(() => told().length > 0);
    expect(told()).toMatchObject([
      { message: expect.stringContaining("'theirs'") as unknown, details: { topic: TOPIC, cardId: 'c' } },
    ]);
  });
});

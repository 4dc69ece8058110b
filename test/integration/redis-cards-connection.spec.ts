import { describe, expect, it } from '@jest/globals';
import { waitFor } from 'nestjs-cardinal/testing';
import { numbers, script, seeded } from '../faults/kit.js';
import { RedisProxy, type CommandMatch } from '../support/proxy.js';
import { card, cardWorld, INDEX, openCardMember, payloadsOf, TOPIC, type CardMember } from './card-kit.js';

/** Connections that are cut after a script ran and before its answer came: nothing is skipped, doubled or reordered. */

const { redis, settledMember } = cardWorld();
/** Long enough to outlive every cut: what comes again, comes by itself. */
const LONG = { cards: { lease: 60_000 } };

async function behind(proxy: RedisProxy, take = 10): Promise<CardMember> {
  return (await openCardMember(proxy.url, LONG)).consume(take);
}

describe('the connection is cut before the answer of', () => {
  it.each(['keep', 'next'] as const)('an acknowledgement (%s): the next event is the next', async (mode) => {
    const proxy = await RedisProxy.start(redis.server);
    const publisher = await openCardMember(redis.url);
    const one = await behind(proxy, 2);
    await publisher.publish('c', 1, 2, 3, 4, 5);
    const turn = await one.next();
    expect(payloadsOf(turn.entries)).toEqual([1, 2]);
    const lost = proxy.loseNext(await script('cardAck'));
    if (mode === 'keep') {
      expect(await turn.ack(1, 'keep')).toEqual([]);
      expect(payloadsOf(await turn.ack(1, 'next'))).toEqual([3, 4]);
    } else expect(payloadsOf(await turn.ack(2, 'next'))).toEqual([3, 4]);
    await lost.done;
    expect(turn.held).toBe(true);
    expect(payloadsOf(await turn.ack(2, 'next'))).toEqual([5]);
    expect(await turn.ack(1, 'next')).toEqual([]);
    one.end(turn);
    expect(await redis.raw.xlen(`event_stream:${TOPIC}:c`)).toBe(0);
  });

  it.each(['next', 'yield'] as const)(
    'the last acknowledgement (%s): the card is given up, and no loss is told',
    async (mode) => {
      const proxy = await RedisProxy.start(redis.server);
      const publisher = await openCardMember(redis.url);
      const one = await behind(proxy);
      await publisher.publish('c', 1);
      const turn = await one.next();
      const losses: Error[] = [];
      turn.onLost((reason) => void losses.push(reason));
      const lost = proxy.loseNext(await script('cardAck'));
      expect(await turn.ack(1, mode)).toEqual([]);
      await lost.done;
      one.end(turn);
      expect([turn.held, losses]).toEqual([false, []]);
      await publisher.publish('c', 2);
      expect(payloadsOf((await one.next()).entries)).toEqual([2]);
    },
  );

  it.each(['cardTake', 'cardClaim'])('%s: the card comes, uncounted', async (name) => {
    const proxy = await RedisProxy.start(redis.server);
    const publisher = await openCardMember(redis.url);
    const one = await settledMember(LONG, proxy.url);
    if (name === 'cardClaim') {
      // Nobody tells it what its next poll finds.
      proxy.dropMessages(() => true);
      one.room = 0;
      await publisher.publish('c', 1);
    }
    const lost = proxy.loseNext(await script(name));
    if (name === 'cardClaim') one.offer(1);
    else await publisher.publish('c', 1);
    await lost.done;
    const turn = await one.next();
    expect(turn.entries[0]).toMatchObject({ attempt: 1, crashes: 0 });
    expect(await turn.ack(1, 'next')).toEqual([]);
    one.end(turn);
    expect(await redis.raw.exists(`${INDEX}own`)).toBe(0);
  });

  it.each(['retry', 'park', 'bury'] as const)('what becomes of a failed head (%s): it happens once', async (what) => {
    const proxy = await RedisProxy.start(redis.server);
    const publisher = await openCardMember(redis.url);
    const one = await behind(proxy, 1);
    await publisher.publish('c', 1, 2);
    const turn = await one.next();
    const row = { handler: 'h', reason: 'handler-failed', error: 'boom', attempts: 1 } as const;
    const lost = proxy.loseNext(await script('cardFail'));
    if (what === 'bury') expect(payloadsOf(await turn.bury(row, 'next'))).toEqual([2]);
    else if (what === 'park') await turn.park(row);
    else await turn.retry({ delay: 60_000, counted: true, error: 'boom' });
    await lost.done;
    const record = await one.cards.inspect(card('c'));
    if (what === 'bury') {
      expect(turn.held).toBe(true);
      expect(await one.cards.deadLetters.count(TOPIC)).toBe(1);
      expect(record).toMatchObject({ length: 1, attempts: 0 });
    } else expect(record).toMatchObject({ state: what === 'park' ? 'parked' : 'backoff', length: 2, attempts: 1 });
  });

  it.each(['reply', 'command'] as const)('a publish (%s lost): stored once, in order', async (lose) => {
    const proxy = await RedisProxy.start(redis.server);
    const one = await openCardMember(proxy.url);
    await one.publish('c', 'first');
    const lost = proxy.loseNext(await script('cardPublish'), lose);
    await Promise.all(numbers(20).map((number) => one.publish(`c${String(number % 2)}`, number)));
    await lost.done;
    for (const rest of [0, 1]) {
      const rows = await redis.raw.xrange(`event_stream:${TOPIC}:c${String(rest)}`, '-', '+');
      expect(rows.map(([, fields]) => Number(fields[3]))).toEqual(numbers(20).filter((number) => number % 2 === rest));
    }
  });

  it('a publish whose events were handled before it was sent again: not stored again', async () => {
    const proxy = await RedisProxy.start(redis.server);
    const one = await openCardMember(proxy.url);
    const two = await (await openCardMember(redis.url)).consume();
    const seen: string[] = [];
    two.handle(seen);
    proxy.refuse(() => seen.length === 0);
    const lost = proxy.loseNext(await script('cardPublish'));
    const published = one.publish('c', 1);
    await lost.done;
    await published;
    await one.publish('c', 2);
    await waitFor(() => seen.length >= 2);
    expect(seen).toEqual(['c 1', 'c 2']);
  });
});

it('an outage longer than the lease: the loss is told, and an acknowledgement that gets through after all counts', async () => {
  const proxy = await RedisProxy.start(redis.server);
  const publisher = await openCardMember(redis.url);
  const one = await (await openCardMember(proxy.url)).consume(1);
  await publisher.publish('c', 1, 2);
  const turn = await one.next();
  const lost = new Promise<Error>((resolve) => {
    turn.onLost(resolve);
  });
  // Nobody takes it meanwhile.
  one.room = 0;
  proxy.refuse(() => true);
  proxy.cutAll();
  const acknowledged = turn.ack(1, 'next');
  expect((await lost).message).toContain('lease');
  expect([await acknowledged, turn.held]).toEqual([[], false]);
  proxy.refuse(undefined);
  await waitFor(async () => (await redis.raw.zscore(`${INDEX}rdy`, 'c')) !== null);
  one.end(turn);
  const again = await one.next();
  expect(payloadsOf(again.entries)).toEqual([2]);
  expect(again.entries[0]).toMatchObject({ attempt: 1, crashes: 0 });
});

it(
  '100 random cuts under 3,000 events of 30 cards: each once, in order, as far as it was acknowledged',
  () =>
    seeded(async ({ below, next }) => {
      const EVENTS = 3_000;
      const CUTS = 100;
      const [outgoing, incoming] = [await RedisProxy.start(redis.server), await RedisProxy.start(redis.server)];
      const publisher = await openCardMember(outgoing.url);
      const one = await behind(incoming, 3);
      one.room = 10;
      const seen: string[] = [];
      one.handle(seen);
      const kinds: [RedisProxy, CommandMatch][] = [
        [outgoing, await script('cardPublish')],
        [incoming, await script('cardAck')],
        [incoming, await script('cardAck')],
        [incoming, await script('cardTake')],
        [incoming, await script('cardClaim')],
      ];
      const published = new Map<string, number[]>();
      const publishes: Promise<void>[] = [];
      let number = 0;
      for (let cut = 0; cut < CUTS; cut++) {
        const [proxy, match] = kinds[below(kinds.length)]!;
        const lost = proxy.loseNext(match, next() < 0.8 ? 'reply' : 'command');
        for (const end = Math.floor((EVENTS * (cut + 1)) / CUTS); number < end; number++) {
          const name = `c${String(below(30))}`;
          published.set(name, [...(published.get(name) ?? []), number]);
          publishes.push(publisher.publish(name, number));
        }
        await lost.done;
      }
      await Promise.all(publishes);
      await waitFor(() => seen.length >= EVENTS, { timeout: 30_000 });
      await waitFor(() => one.room === 10, { timeout: 30_000 });
      for (const [name, payloads] of published) {
        const got = seen.filter((row) => row.startsWith(`${name} `)).map((row) => Number(row.slice(name.length + 1)));
        expect([name, got]).toEqual([name, payloads]);
      }
      for (const name of ['rdy', 'own', 'exp', 'blk', 'att']) expect(await redis.raw.exists(INDEX + name)).toBe(0);
    }),
  90_000,
);

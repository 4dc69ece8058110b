import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { CardTurn } from 'nestjs-cardinal';
import { waitFor } from 'nestjs-cardinal/testing';
import { startCluster, type ClusterHandle } from '../support/redis.js';
import { numbers } from '../faults/kit.js';
import { card, closeCardMembers, openCardMember, payloadsOf, TOPIC, type CardMember } from './card-kit.js';

let cluster: ClusterHandle;
beforeAll(async () => {
  cluster = await startCluster();
}, 60_000);
afterEach(async () => {
  await closeCardMembers();
  await Promise.all(cluster.nodes.map((node) => node.cli('FLUSHALL')));
});
afterAll(async () => {
  await cluster.stop();
});

const member = async (take = 10): Promise<CardMember> => (await openCardMember(cluster.url)).consume(take);
const names = numbers(40).map((number) => `card:${String(number)}`);

describe('cards in a Cluster', () => {
  it('of many slots are handled in order by two processes', async () => {
    const members = [await member(), await member()];
    const seen: string[] = [];
    for (const each of members) each.handle(seen);
    await Promise.all(names.map((name) => members[0]!.publish(name, 1, 2, 3)));
    await waitFor(() => seen.length === 120, { timeout: 20_000 });
    for (const name of names)
      expect(seen.filter((row) => row.startsWith(`${name} `))).toEqual([1, 2, 3].map((n) => `${name} ${String(n)}`));
    expect(members.flatMap(({ warnings }) => warnings).filter(({ cause }) => cause === 'internal')).toEqual([]);
  }, 30_000);

  it('wait for room, are listed page by page, and their dead letters are in order of time', async () => {
    const one = await member(1);
    one.room = 3;
    await Promise.all(names.map((name) => one.publish(name, name)));
    const row = { handler: 'h', reason: 'handler-failed', error: 'boom', attempts: 1 } as const;
    const buried: string[] = [];
    const bury = async (turn: CardTurn): Promise<void> => {
      buried.push(turn.cardId);
      await turn.bury(row, 'next');
      one.end(turn);
    };
    while (buried.length < names.length) await bury(await one.next());
    expect(buried.slice().sort()).toEqual(names.slice().sort());
    const store = one.cards.deadLetters;
    expect(await store.types()).toEqual([TOPIC]);
    expect(await store.count(TOPIC)).toBe(40);
    const letters: string[] = [];
    let before: string | undefined;
    for (;;) {
      const page = await store.read(TOPIC, before, 7);
      if (page.length === 0) break;
      letters.push(...page.map(({ cardId = '' }) => cardId));
      before = page.at(-1)!.position;
      expect(await store.get(TOPIC, before)).toEqual(page.at(-1));
    }
    expect(letters.slice().sort()).toEqual(names.slice().sort());
    expect(new Set(letters).size).toBe(40);
    const [newest] = await store.read(TOPIC, undefined, 1);
    expect(await store.replay(TOPIC, newest!.position, 'op')).toBe(true);
    const again = await one.next();
    expect([again.cardId, payloadsOf(again.entries)]).toEqual([newest!.cardId, [newest!.cardId]]);
    await again.ack(1, 'next');
    one.end(again);
    const rest = await store.read(TOPIC, undefined, 100);
    expect(
      await store.remove(
        TOPIC,
        rest.map(({ position }) => position),
      ),
    ).toBe(39);
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await one.cards.list(TOPIC, cursor, 7);
      found.push(...page.cards.map(({ cardId }) => cardId));
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(found.sort()).toEqual(names.slice().sort());
  }, 60_000);

  it('of a foreign producer, of a process that died, and parked ones', async () => {
    const one = await member();
    const address = cluster.nodes[0]!;
    await one.publish('c', 1);
    const turn = await one.next();
    await turn.park({ reason: 'handler-failed', error: 'boom', attempts: 1 });
    one.end(turn);
    expect(await one.cards.inspect(card('c'))).toMatchObject({ state: 'parked' });
    expect(await one.cards.resume(card('c'))).toBe(true);
    const again = await one.next();
    one.driver.crash();
    const two = await member();
    const third = await two.next();
    expect(third.entries[0]).toMatchObject({ crashes: 1 });
    expect(third.cardId).toBe(again.cardId);
    expect(await third.ack(1, 'next')).toEqual([]);
    two.end(third);
    const added = await Promise.allSettled(
      // The others do not have the slot.
      cluster.nodes.map((node) => node.cli('XADD', `event_stream:${TOPIC}:f`, '*', 'n', '1')),
    );
    expect(added.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await address.cli('PUBLISH', 'group_change', `register:${TOPIC}:f`);
    expect(payloadsOf((await two.next()).entries)).toEqual([{ n: '1' }]);
  }, 30_000);
});

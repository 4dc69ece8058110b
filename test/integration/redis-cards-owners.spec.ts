import { describe, expect, it } from '@jest/globals';
import type { CardTurn } from 'nestjs-cardinal';
import { waitFor } from 'nestjs-cardinal/testing';
import { numbers, seeded } from '../faults/kit.js';
import { card, cardWorld, INDEX, openCardMember, payloadsOf, TOPIC, type CardMember } from './card-kit.js';

/** Cards over several drivers: who has one, who gets it next, and what becomes of who has it no more. */

const { redis, member } = cardWorld();
const STREAM = `event_stream:${TOPIC}:c`;
const GROUP = `${TOPIC}:c`;

/** The next turn of any of them, and whose it is. */
async function anyNext(members: readonly CardMember[]): Promise<[CardTurn, CardMember]> {
  const whose = await waitFor(() => members.find(({ turns }) => turns.length > 0), { timeout: 15_000 });
  return [await whose.next(), whose];
}

/** Losses that the turn has told. */
function lossesOf(turn: CardTurn): Error[] {
  const losses: Error[] = [];
  turn.onLost((reason) => void losses.push(reason));
  return losses;
}

describe('two processes', () => {
  it('share the cards, one holds each, and each card is in order', () =>
    seeded(async ({ below }) => {
      const members = [await member({}, 3), await member({}, 3)];
      const [seenOne, seenTwo]: [string[], string[]] = [[], []];
      const holders = new Map<string, number>();
      let overlaps = 0;
      const watch = (turn: CardTurn): void => {
        const held = holders.get(turn.cardId) ?? 0;
        overlaps += held;
        holders.set(turn.cardId, held + 1);
        const end = turn.end.bind(turn);
        turn.end = () => {
          holders.set(turn.cardId, (holders.get(turn.cardId) ?? 1) - 1);
          end();
        };
      };
      members[0]!.room = members[1]!.room = 3;
      members[0]!.handle(seenOne, watch);
      members[1]!.handle(seenTwo, watch);
      const CARDS = 20;
      const next = new Map<string, number>();
      const expected = new Map<string, string[]>();
      const publishes: Promise<void>[] = [];
      const publisher = await openCardMember(redis.url);
      for (let count = 0; count < 2_000; count++) {
        const name = `c${String(below(CARDS))}`;
        const number = next.get(name) ?? 0;
        next.set(name, number + 1);
        expected.set(name, [...(expected.get(name) ?? []), String(number)]);
        publishes.push(publisher.publish(name, number));
        if (below(100) === 0) await Promise.all(publishes);
      }
      await Promise.all(publishes);
      await waitFor(() => seenOne.length + seenTwo.length === 2_000, { timeout: 20_000 });
      await waitFor(() => members.every(({ room }) => room === 3));
      expect(overlaps).toBe(0);
      expect(seenOne.length).toBeGreaterThan(0);
      expect(seenTwo.length).toBeGreaterThan(0);
      // Each card's events, in the order of both logs, are those of the one that had it at the time.
      for (const [name, payloads] of expected) {
        const ofCard = (seen: string[]): string[] =>
          seen.filter((row) => row.startsWith(`${name} `)).map((row) => row.slice(name.length + 1));
        for (const seen of [seenOne, seenTwo]) {
          const got = ofCard(seen).map(Number);
          expect(got).toEqual([...got].sort((a, b) => a - b));
        }
        expect([...ofCard(seenOne), ...ofCard(seenTwo)].sort()).toEqual([...payloads].sort());
      }
      for (const name of ['rdy', 'own', 'exp', 'blk', 'att']) expect(await redis.raw.exists(INDEX + name)).toBe(0);
    }));

  it('one dies: the other begins at the same event, counted as a crash, with a greater token', async () => {
    const members = [await member(), await member()];
    await members[0]!.publish('c', 1, 2);
    const [turn, holder] = await anyNext(members);
    await turn.ack(1, 'keep');
    holder.driver.crash();
    const other = members.find((each) => each !== holder)!;
    const again = await other.next();
    expect(payloadsOf(again.entries)).toEqual([2]);
    expect(again.entries[0]).toMatchObject({ attempt: 2, crashes: 1, failures: 0, redelivered: true });
    expect(BigInt(again.fencingToken)).toBeGreaterThan(BigInt(turn.fencingToken));
    expect(await again.ack(1, 'next')).toEqual([]);
    other.end(again);
    expect(await redis.raw.exists(`${INDEX}att`)).toBe(0);
  });

  it('deaths while the head is handled alone are counted apart, and a return takes the note back', async () => {
    const one = await member();
    await one.publish('c', 1);
    const first = await one.next();
    expect(await first.alone()).toBe(0);
    await first.release();
    one.end(first);
    const second = await one.next();
    expect(await second.alone()).toBe(0);
    const two = await member();
    one.driver.crash();
    const third = await two.next();
    expect(third.entries[0]).toMatchObject({ crashes: 1, attempt: 2 });
    expect(await third.alone()).toBe(1);
    expect(await third.ack(1, 'next')).toEqual([]);
    two.end(third);
    expect(await redis.raw.exists(`${INDEX}att`)).toBe(0);
  });

  it('what one releases the other has at once, though it has room for nothing else', async () => {
    const one = await member({ cards: { lease: 600_000 } });
    await one.publish('c', 1);
    const turn = await one.next();
    const two = await member({ cards: { lease: 600_000 } });
    await one.source.pause();
    await turn.release();
    one.end(turn);
    expect(payloadsOf((await two.next()).entries)).toEqual([1]);
  });

  it('closing gives back what is left', async () => {
    const one = await member({ cards: { lease: 600_000 } });
    await one.publish('c', 1);
    const turn = await one.next();
    const two = await member({ cards: { lease: 600_000 } });
    turn.end();
    await one.source.close();
    expect((await two.next()).entries[0]).toMatchObject({ attempt: 1, crashes: 0 });
  });
});

describe('a lease', () => {
  it('is renewed as long as the handler works', async () => {
    const one = await member();
    const two = await member();
    await one.publish('c', 1);
    const [turn] = await anyNext([one, two]);
    const losses = lossesOf(turn);
    const first = Number(await redis.raw.zscore(`${INDEX}exp`, 'c'));
    // Three leases later.
    await waitFor(async () => Number(await redis.raw.zscore(`${INDEX}exp`, 'c')) > first + 3_000, { timeout: 10_000 });
    expect([turn.held, losses]).toEqual([true, []]);
    expect(one.turns.length + two.turns.length).toBe(0);
    expect(await turn.ack(1, 'next')).toEqual([]);
  });

  it('that cannot be renewed is over for its holder before it is for the server', async () => {
    const one = await member();
    await one.publish('c', 1);
    const turn = await one.next();
    const losses = lossesOf(turn);
    one.driver.crash();
    // A crashed driver tells nobody: what it says itself is that the card is not held.
    await waitFor(() => !turn.held, { timeout: 10_000 });
    expect(Number(await redis.raw.zscore(`${INDEX}exp`, 'c'))).toBeGreaterThan(0);
    expect(losses).toEqual([]);
  });

  it('of which nobody knows any more (FLUSHALL): lost, told once, and the next event comes', async () => {
    const one = await member();
    await one.publish('c', 1, 2);
    const turn = await one.next();
    const losses = lossesOf(turn);
    await redis.raw.flushall();
    expect(await turn.ack(1, 'keep')).toEqual([]);
    expect([turn.held, losses.length]).toEqual([false, 1]);
    expect(await turn.ack(1, 'next')).toEqual([]);
    lossesOf(turn).forEach((loss) => expect(loss).toBe(losses[0]));
    one.end(turn);
    await one.publish('c', 3);
    expect(payloadsOf((await one.next()).entries)).toEqual([3]);
  });

  it('is found lost by its renewal, too', async () => {
    const one = await member();
    await one.publish('c', 1);
    const turn = await one.next();
    const losses = lossesOf(turn);
    await redis.raw.del(`${INDEX}own`);
    await waitFor(() => losses.length === 1);
    expect(turn.held).toBe(false);
  });

  it('of a stream that was deleted: what is in hand is acknowledged, nothing follows, new events come', async () => {
    const one = await member();
    await one.publish('c', 1, 2);
    const turn = await one.next();
    await redis.raw.del(STREAM);
    expect(await turn.ack(1, 'keep')).toEqual([]);
    expect(turn.held).toBe(true);
    expect(await turn.ack(1, 'next')).toEqual([]);
    one.end(turn);
    await one.publish('c', 3);
    expect(payloadsOf((await one.next()).entries)).toEqual([3]);
  });

  it('of a card whose group was destroyed: the group comes back, and nothing is skipped', async () => {
    const one = await member({}, 2);
    await one.publish('c', 1, 2, 3);
    const turn = await one.next();
    await redis.raw.xgroup('DESTROY', STREAM, GROUP);
    await turn.ack(1, 'keep');
    expect(payloadsOf(await turn.ack(1, 'next'))).toEqual([3]);
    expect(await turn.ack(1, 'next')).toEqual([]);
    one.end(turn);
    expect(await one.cards.inspect(card('c'))).toMatchObject({ state: 'idle', length: 0 });
  });

  it('of entries that somebody trimmed: told, and the card goes on', async () => {
    const one = await member({}, 2);
    await one.publish('c', 1, 2, 3);
    const turn = await one.next();
    await redis.raw.xtrim(STREAM, 'MAXLEN', 1);
    await turn.release();
    one.end(turn);
    const again = await one.next();
    expect(payloadsOf(again.entries)).toEqual([3]);
    expect(one.warnings.filter(({ cause }) => cause === 'cards')).toMatchObject([
      { details: { cardId: 'c', count: 2 } },
    ]);
  });

  it('whose holder goes on after it was lost: the card is not taken twice in one process', async () => {
    const one = await member();
    await one.publish('c', 1, 2);
    const turn = await one.next();
    // Somebody else took it and died, say.
    await redis.raw.hset(`${INDEX}own`, 'c', 'x|y|1');
    expect(await turn.ack(0, 'keep')).toEqual([]);
    expect(turn.held).toBe(false);
    await waitFor(async () => Number(await redis.raw.zscore(`${INDEX}exp`, 'c')) < Date.now());
    await one.publish('d', 3);
    const probe = await one.next();
    expect(probe.cardId).toBe('d');
    expect(one.turns).toEqual([]);
    one.end(turn);
    const again = await one.next();
    expect([again.cardId, payloadsOf(again.entries)]).toEqual(['c', [1, 2]]);
  });
});

describe('many cards', () => {
  it('that wait are taken in the order in which they became ready', async () => {
    const one = await member();
    one.room = 0;
    // Of the same millisecond: in the order of their names.
    const names = numbers(30).map((number) => `c${String(number).padStart(2, '0')}`);
    for (const name of names) await one.publish(name, 1);
    const seen: string[] = [];
    one.handle(seen);
    one.offer(1);
    await waitFor(() => seen.length === 30);
    expect(seen).toEqual(names.map((name) => `${name} 1`));
  });
});

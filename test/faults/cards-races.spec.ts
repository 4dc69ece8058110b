import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { scripts } from '../support/internals.js';
import { streamOf, TOPIC } from './cards-kit.js';
import { numbers, seeded } from './kit.js';
import { oneRedis } from './one-redis.js';

/** The scripts of the driver by themselves: only so 100,000 rounds are short. */

const redis = oneRedis();
const ROUNDS = 100_000;
const CARDS = 36;
/** Calls that one connection has under way; several connections, so that their calls mix. */
const BATCH = 3;
/** Cards, or events, of one call. */
const TOGETHER = 12;
/** Turns of the event loop without any progress until the inspector looks whether all is done. */
const PATIENCE = 2_000;
const LEASE = 60_000;
const CHANNEL = 'event_stream:ready';
const NINE = ['reg', 'rdy', 'own', 'exp', 'blk', 'att', 'ep', 'unr', 'dead'].map(
  (name) => `event_stream:{x}:${TOPIC}:${name}`,
);

/** KEYS: rdy, own, exp, blk, then streams; ARGV: cards. Returns those that have events and are neither ready, owned nor blocked. */
const ORPHANS = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local found = {}
for i, card in ipairs(ARGV) do
  if redis.call('XLEN', KEYS[4 + i]) > 0 then
    local lease = redis.call('ZSCORE', KEYS[3], card)
    local owned = redis.call('HEXISTS', KEYS[2], card) == 1 and lease and tonumber(lease) > now
    if not owned and not redis.call('ZSCORE', KEYS[1], card) and not redis.call('ZSCORE', KEYS[4], card) then
      found[#found + 1] = card
    end
  end
end
return found`;

type Args = readonly (string | number)[];
type Script = (redis: Redis, keys: readonly string[], args: Args) => Promise<unknown>;
let shas: ReadonlyMap<string, string>;
const connections: Redis[] = [];

beforeEach(async () => {
  const all = await scripts();
  const names = ['cardPublish', 'cardTake', 'cardAck', 'cardSweep', 'cardClaim', 'cardUnregister'];
  shas = new Map(
    await Promise.all(
      names.map(async (name) => [name, (await redis.raw.script('LOAD', all[name]!.lua)) as string] as const),
    ),
  );
});
afterEach(async () => {
  await Promise.all(connections.splice(0).map((each) => each.quit()));
});

function connect(): Redis {
  const made = new Redis(redis.url);
  connections.push(made);
  return made;
}

const run =
  (name: string): Script =>
  (on, keys, args) =>
    on.evalsha(shas.get(name)!, NINE.length + keys.length, ...NINE, ...keys, ...args);

/** A card in the hands of an owner, and the entries that it has not acknowledged. */
interface Hand {
  readonly card: string;
  readonly token: string;
  readonly ids: readonly string[];
}

function idsOf(entries: unknown): string[] {
  return (entries as [id: string, fields: string[]][]).map(([id]) => id);
}

/** What has been acknowledged, by card, with the number of the token. */
class Ledger {
  private readonly rows = new Map<string, { readonly epoch: bigint; readonly id: bigint }[]>();
  count = 0;

  add(card: string, token: string, ids: readonly string[]): void {
    const epoch = BigInt(token.split('|').at(-1)!);
    const rows = this.rows.get(card) ?? [];
    for (const id of ids) rows.push({ epoch, id: valueOf(id) });
    this.rows.set(card, rows);
    this.count += ids.length;
  }

  /** In the order of the tokens: answers to different connections are not read in the order in which they were given. */
  inOrder(): boolean {
    return [...this.rows.values()].every((rows) => {
      const ids = rows.sort((a, b) => Number(a.epoch - b.epoch)).map(({ id }) => id);
      return ids.every((id, at) => at === 0 || id > ids[at - 1]!);
    });
  }
}

function valueOf(id: string): bigint {
  const [ms = '', number = ''] = id.split('-');
  return BigInt(ms) * 2n ** 64n + BigInt(number);
}

describe('row 9: an event comes just as its card is released for good, or as the idle card is reaped', () => {
  it('100,000 rounds: never a card with events that is neither ready, owned nor blocked; each event once, in order', () =>
    seeded(async ({ below, next }) => {
      const [publish, take, claim, ack, sweep, unregister] = [
        ...['cardPublish', 'cardTake', 'cardClaim', 'cardAck', 'cardSweep', 'cardUnregister'],
      ].map(run) as [Script, Script, Script, Script, Script, Script];
      const told = numbers(CARDS).map((number) => `told-${String(number)}`);
      const silent = numbers(CARDS).map((number) => `silent-${String(number)}`);
      const cards = [...told, ...silent];
      const pick = (some: readonly string[]): string => some[below(some.length)]!;
      const several = (some: readonly string[], count: number): string[] => [
        ...new Set(numbers(count).map(() => pick(some))),
      ];
      const ledger = new Ledger();
      let given = 0;
      let sequence = 0;
      let ended = false;
      const over = (): boolean => ended;

      /** One loop on a connection of its own: some calls at once, then the next. */
      const loop = async (step: (on: Redis) => Promise<unknown>): Promise<void> => {
        const on = connect();
        while (!over()) await Promise.all(numbers(1 + below(BATCH)).map(() => step(on)));
      };
      const producer = async (on: Redis): Promise<unknown> => {
        const count = Math.min(1 + below(TOGETHER), ROUNDS - given);
        // Not so far ahead that cards are never empty.
        if (count === 0 || given - ledger.count > 3 * CARDS) return on.ping();
        given += count;
        if (next() < 0.5) {
          const some = several(told, count);
          const pub = `event_stream:{x}:pub:${String((sequence += 1))}`;
          const each = (of: (at: number) => string | number): string => numbers(count).map(of).join(' ');
          const [lengths, places] = [each(() => '2 2'), each((at) => 1 + (at % some.length))];
          const args = ['c', CHANNEL, TOPIC, count, lengths, '{}{}'.repeat(count), '', places, ...some];
          return publish(on, [pub, pub, ...some.map(streamOf)], [sequence, 1_000_000, ...args]);
        }
        // A foreign program, and what its notifications make a consumer do.
        const some = several(silent, count);
        for (const at of numbers(count)) void on.xadd(streamOf(some[at % some.length]!), '*', 'a', '1');
        return sweep(on, some.map(streamOf), [0, 86_400_000, '', TOPIC, ...some]);
      };
      const work = async (on: Redis, taken: readonly Hand[]): Promise<void> => {
        for (let hands = taken; hands.length > 0;) {
          const rows = hands.flatMap(({ card, token, ids }) => {
            const mode = ['next', 'next', 'yield', 'release'][below(4)]!;
            return [card, token, mode, 3, 1, ids.length, ...ids];
          });
          const keys = hands.map(({ card }) => streamOf(card));
          const replies = (await ack(on, keys, [TOPIC, LEASE, CHANNEL, ...rows])) as unknown[];
          expect(replies).not.toContain('STALE');
          for (const { card, token, ids } of hands) ledger.add(card, token, ids);
          hands = hands.flatMap(({ card, token }, at) => {
            const reply = replies[at];
            return Array.isArray(reply) && reply[0] === 'OK' ? [{ card, token, ids: idsOf(reply[4]) }] : [];
          });
        }
      };
      const owner =
        (name: string) =>
        async (on: Redis): Promise<unknown> => {
          // Another owner for each call: a process never takes what it has in hand.
          const me = `${name}-${String((sequence += 1))}`;
          if (next() < 0.3) {
            const [, , ...granted] = (await claim(on, [], [me, LEASE, TOGETHER, 100])) as string[];
            const pairs = numbers(granted.length / 2).map((at) => [granted[2 * at]!, granted[2 * at + 1]!] as const);
            return work(
              on,
              pairs.map(([card, token]) => ({ card, token, ids: [] })),
            );
          }
          const some = several(cards, TOGETHER);
          const replies = (await take(on, some.map(streamOf), [me, LEASE, 3, TOPIC, ...some])) as unknown[];
          const taken = replies.flatMap((reply, at) =>
            Array.isArray(reply) && reply[0] === 'OK'
              ? [{ card: some[at]!, token: reply[1] as string, ids: idsOf(reply[5]) }]
              : [],
          );
          return work(on, taken);
        };
      const reaper = async (on: Redis): Promise<unknown> => {
        if (next() < 0.2) {
          const card = pick(told);
          return unregister(on, [streamOf(card)], [TOPIC, card, 'drain', 0]);
        }
        const some = several(cards, TOGETHER);
        return sweep(on, some.map(streamOf), [1, next() < 0.5 ? 1 : 86_400_000, CHANNEL, TOPIC, ...some]);
      };
      const orphansOf = (some: readonly string[], on = redis.raw): Promise<unknown> =>
        on.eval(ORPHANS, 4 + some.length, ...[1, 2, 3, 4].map((at) => NINE[at]!), ...some.map(streamOf), ...some);
      const inspector = async (on: Redis): Promise<void> => {
        const before = ledger.count;
        for (let turn = 0; turn < PATIENCE && ledger.count < before + 20; turn += 1) await new Promise(setImmediate);
        // Of the others it holds only after a foreign program has said its word.
        expect(await orphansOf(told, on)).toEqual([]);
        if (ledger.count > before) return;
        const lengths = await Promise.all(cards.map((card) => on.xlen(streamOf(card))));
        ended = lengths.every((length) => length === 0);
      };

      await Promise.all([
        ...[producer, producer, owner('one'), owner('two'), owner('three')].map(loop),
        loop(reaper),
        loop(inspector),
      ]);
      expect(await orphansOf(cards)).toEqual([]);
      expect(ledger.count).toBe(ROUNDS);
      expect(ledger.inOrder()).toBe(true);
      for (const card of cards) expect(await redis.raw.xlen(streamOf(card))).toBe(0);
      expect(await redis.raw.exists(...NINE.slice(1, 6))).toBe(0);
    }));
});

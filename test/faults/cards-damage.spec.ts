import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { isEventsError, type BackendUnavailableError, type EventBus } from 'nestjs-cardinal';
import { startRedis, type RedisHandle } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';
import { CardMember } from './cards-member.js';
import {
  drained,
  handling,
  of,
  ordered,
  publish,
  QUICK,
  streamOf,
  TOPIC,
  type Handled,
  type Produced,
} from './cards-kit.js';
import type { Work } from './children/card-member.js';
import { Buses, Lines, numbers, reaches } from './kit.js';
import { pending } from './one-redis.js';

const buses = new Buses();
const members: CardMember[] = [];
let server: RedisHandle;
let raw: Redis;

async function start(...args: string[]): Promise<void> {
  server = await startRedis({ private: true, ...(args.length > 0 ? { args } : {}) });
  raw = new Redis(server.url, { retryStrategy: () => 50 });
  raw.on('error', () => {});
}

afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.kill()));
  await buses.close();
  raw.disconnect();
  await server.stop('SIGKILL');
});

const ten = numbers(10).map((number) => ({ number }));
const GROUP = `${TOPIC}:a`;

/** Calls of scripts so far. */
async function calls(): Promise<number> {
  const stats = await raw.info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** Not more than polls and heartbeats make. */
async function expectQuiet(): Promise<void> {
  const before = await calls();
  await new Promise((resolve) => setTimeout(resolve, 1_500)); // what is measured: how much happens when nothing should
  expect((await calls()) - before).toBeLessThan(100);
}

describe('row 13: somebody damages what belongs to cards', () => {
  it('pending entries are trimmed away while nobody holds the card: they are counted and reported, and the card goes on', async () => {
    await start();
    const publisher = await buses.open(server.url, QUICK);
    const victim = await CardMember.start({ url: server.url, bus: QUICK });
    members.push(victim);
    await publish(
      publisher,
      'a',
      ten.map(({ number }) => ({ number, plan: ['wait'] })),
    );
    await reaches('events at the victim', 1, () => victim.got().length);
    const lost = await pending(raw, streamOf('a'), GROUP);
    await victim.kill();
    await raw.xtrim(streamOf('a'), 'MAXLEN', 0);
    const lines = new Lines();
    const heir = await buses.open(server.url, QUICK, lines);
    const seen = await handling(heir, raw);
    await publish(
      publisher,
      'a',
      numbers(3, 10).map((number) => ({ number })),
    );
    await reaches('events', 3, () => seen.length);
    await drained([raw]);
    expect(of('a', seen)).toEqual([10, 11, 12]);
    await reaches('reports', 1, () => lines.count(new RegExp(`warn .*\\b${String(lost)}\\b.*(lost|gone)`)));
    await expectQuiet();
  });

  interface Damage {
    readonly name: string;
    readonly harm: () => Promise<unknown>;
    /** Of ten events, those that are certainly handled, though the harm was done while the first of them was. */
    readonly rest: readonly number[];
  }
  const DAMAGES: readonly Damage[] = [
    { name: 'FLUSHALL', harm: () => raw.flushall(), rest: [] },
    { name: 'DEL of the stream', harm: () => raw.del(streamOf('a')), rest: [] },
    { name: 'XTRIM of everything', harm: () => raw.xtrim(streamOf('a'), 'MAXLEN', 0), rest: [] },
    { name: 'XGROUP DESTROY', harm: () => raw.xgroup('DESTROY', streamOf('a'), GROUP), rest: numbers(9, 1) },
    {
      name: 'DEL of the indexes',
      harm: async () => raw.del(...(await raw.keys('event_stream:{*'))),
      rest: numbers(9, 1),
    },
  ];

  it.each(DAMAGES)(
    '$name under a running owner: it goes on with what is there and what comes, and does not spin',
    async ({ harm, rest }) => {
      await start();
      const lines = new Lines();
      const [publisher, bus] = await buses.pair(server.url, QUICK, lines);
      let open = (): void => {};
      const door = new Promise<void>((resolve) => (open = resolve));
      const first = ({ number }: Work): Promise<void> | undefined => (number === 0 ? door : undefined);
      const seen = await handling(bus, raw, {}, first);
      await publish(publisher, 'a', ten);
      await reaches('events', 1, () => seen.length);
      await harm();
      open();
      await publish(
        publisher,
        'a',
        numbers(10, 100).map((number) => ({ number })),
      );
      await waitUntil('the later events', () => of('a', seen).includes(109));
      await drained([raw]);
      await expectQuiet();
      const got = of('a', seen);
      // The later ones once each, in order; of the earlier ones in order what was there, or in hand.
      expect(got.filter((number) => number >= 100)).toEqual(numbers(10, 100));
      const earlier = [...new Set(got.filter((number) => number < 100))];
      expect(earlier).toEqual(numbers(earlier.length));
      expect(earlier).toEqual(expect.arrayContaining([...rest]));
      expect(lines.errors).toEqual([]);
      // And all the rest works as before.
      await publish(publisher, 'b', ten);
      await reaches('events of another card', 10, () => of('b', seen).length);
      expect(of('b', seen)).toEqual(numbers(10));
    },
  );
});

interface Load {
  /** By card: numbers that are stored, and those of which nobody knows. */
  readonly stored: Map<string, number[]>;
  readonly unknown: Map<string, number[]>;
  readonly others: unknown[];
  rejected: number;
  stop(): Promise<void>;
}

const cards = numbers(8).map((number) => `card-${String(number)}`);
const total = (numbersOf: ReadonlyMap<string, readonly number[]>): number =>
  [...numbersOf.values()].reduce((sum, each) => sum + each.length, 0);

/** Publishes to each card without pause, one after the other. */
function publishing(bus: EventBus): Load {
  const load: Load = {
    stored: new Map(cards.map((card) => [card, []])),
    unknown: new Map(cards.map((card) => [card, []])),
    others: [],
    rejected: 0,
    stop: async () => {
      stopped = true;
      await within('the last publishes', running, 30_000);
    },
  };
  let stopped = false;
  const one = async (card: string): Promise<void> => {
    for (let number = 0; !stopped; number += 1) {
      try {
        await publish(bus, card, [{ number }]);
        load.stored.get(card)!.push(number);
      } catch (error) {
        load.rejected += 1;
        if (!isEventsError(error, 'BACKEND_UNAVAILABLE')) load.others.push(error);
        else if ((error as BackendUnavailableError).outcome === 'unknown') load.unknown.get(card)!.push(number);
      }
    }
  };
  const running = Promise.all(cards.map(one));
  return load;
}

describe('row 14: Redis goes and comes back', () => {
  async function underLoad(): Promise<{ load: Load; seen: Handled[]; publisher: EventBus }> {
    const publisher = await buses.open(server.url, QUICK);
    const two = await buses.pair(server.url, QUICK);
    const seen: Handled[] = [];
    for (const bus of two) await handling(bus, raw, {}, undefined, seen);
    const load = publishing(publisher);
    await reaches('events', 500, () => seen.length);
    return { load, seen, publisher };
  }

  it('restarted with its append-only file: what was stored is handled, in order; nobody is restarted', async () => {
    await start('--appendonly', 'yes', '--appendfsync', 'always');
    const { load, seen, publisher } = await underLoad();
    await server.stop('SIGKILL');
    await reaches('rejections', 8, () => load.rejected);
    await server.restart();
    const before = seen.length;
    await reaches('events after the restart', before + 500, () => seen.length, 60_000);
    await load.stop();
    await drained([raw]);
    const stored = load.stored;
    const handled = new Map(cards.map((card) => [card, new Set(of(card, seen))]));
    const uncertain = new Map(
      cards.map((card) => [card, load.unknown.get(card)!.filter((number) => handled.get(card)!.has(number))]),
    );
    const produced: Produced = new Map(
      cards.map((card) => [card, [...stored.get(card)!, ...uncertain.get(card)!].sort((a, b) => a - b)]),
    );
    expect(load.others).toEqual([]);
    await ordered(raw, { bus: publisher, produced, buses: 3 });
  });

  it('restarted empty: consumers go on with what is published then, under higher tokens', async () => {
    await start();
    const { load, seen } = await underLoad();
    const last = seen.at(-1)!.token;
    await server.restart({ empty: true });
    const before = total(load.stored);
    const mark = seen.length;
    await reaches('events stored after the restart', before + 300, () => total(load.stored), 60_000);
    await load.stop();
    await drained([raw]);
    const after = seen.slice(mark);
    await waitUntil('what was stored last', () =>
      cards.every((card) => of(card, after).includes(load.stored.get(card)!.at(-1)!)),
    );
    expect(after.at(-1)!.token).toBeGreaterThan(last);
    for (const card of cards) {
      const got = of(card, after);
      expect(got).toEqual([...got].sort((a, b) => a - b));
    }
    expect(load.others).toEqual([]);
  });
});

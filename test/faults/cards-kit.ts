import { expect } from '@jest/globals';
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { BusOptions, CardContext, DeadLetter, EventBus, CardSubscribeOptions } from 'nestjs-cardinal';
import { FencedSink, type Recorded } from '../../apps/chaos/src/sink/fenced-sink.js';
import { scripts } from '../support/internals.js';
import type { CommandMatch } from '../support/proxy.js';
import { waitUntil } from '../support/wait.js';
import type { Work } from './children/card-member.js';
import { sorted } from './kit.js';

export const TOPIC = 'work';
/** Name of the sink of these tests. */
export const SINK = 'work';
/** A lease as short as it may be; lost notifications are found soon. */
export const QUICK: BusOptions = { cards: { lease: '1s', sweep: '1s', scan: '1s' } };
/** Nothing but what is announced, released or due is ever found within a test. */
export const NEVER = { lease: '10m', sweep: '10m', scan: '10m' } as const;

export const streamOf = (card: string): string => `event_stream:${TOPIC}:${card}`;

/** Numbers by card. */
export type Produced = ReadonlyMap<string, readonly number[]>;

/** Publishes work to a card, in order. */
export async function publish(bus: EventBus, card: string, works: readonly Work[]): Promise<void> {
  await Promise.all(works.map((work) => bus.cards.publish(TOPIC, card, work)));
}

/** Writes as a foreign program does that says nothing. */
export async function xadd(redis: Redis, card: string, works: readonly number[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const number of works) pipeline.xadd(streamOf(card), '*', 'number', number);
  await pipeline.exec();
}

/** Work as it comes: what a foreign program wrote is text. */
export type Came = Omit<Work, 'number'> & { readonly number: number | string };

export interface Handled {
  readonly card: string;
  readonly number: number;
  readonly attempt: number;
  readonly token: bigint;
}

/** Handles cards in this process: after `first`, each event has its effect at the sink. Gives what came, in order. */
export async function handling(
  bus: EventBus,
  redis: Redis,
  options: CardSubscribeOptions = {},
  first: (work: Work, context: CardContext) => unknown = () => undefined,
  seen: Handled[] = [],
): Promise<Handled[]> {
  const sink = new FencedSink(redis, SINK);
  await bus.cards.subscribe(
    TOPIC,
    async (payload: Came, context: CardContext) => {
      const { cardId: card, fencingToken: token, sequence, attempt } = context;
      const number = Number(payload.number);
      seen.push({ card, number, attempt, token: BigInt(token) });
      await first({ ...payload, number }, context);
      await sink.apply({ card, token, sequence, note: `${String(number)} ${bus.instanceId}` });
    },
    { name: 'work', ...options },
  );
  return seen;
}

/** Numbers of one card, in the order in which they came. */
export function of(card: string, seen: readonly { card: string; number: number }[]): number[] {
  return seen.filter((each) => each.card === card).map(({ number }) => number);
}

/** Keys of the cards' indexes, all tags together; those of `names` only. */
export async function indexes(redis: Redis, names: readonly string[]): Promise<string[]> {
  const found = await keys(redis, `event_stream:{*}:${TOPIC}:*`);
  return found.filter((key) => names.some((name) => key.endsWith(`:${TOPIC}:${name}`)));
}

/** The key of an index; where there is one tag. */
export async function index(redis: Redis, name: string): Promise<string> {
  const [key] = await keys(redis, `event_stream:{*}:${TOPIC}:ep`);
  if (key === undefined) throw new Error('no card has been owned yet');
  return key.replace(/:ep$/, `:${name}`);
}

async function keys(redis: Redis, match: string): Promise<string[]> {
  const found = new Set<string>();
  for await (const some of redis.scanStream({ match, count: 1_000 }))
    for (const key of some as string[]) found.add(key);
  return [...found];
}

/** Waits until no card has an event, and no index names a card; on every master of a cluster. */
export async function drained(masters: readonly Redis[], timeout = 30_000): Promise<void> {
  for (const redis of masters) {
    await waitUntil(
      'all cards to be empty',
      async () => {
        for (const key of await keys(redis, streamOf('*'))) {
          const length = await redis.xlen(key);
          if (length > 0) throw new Error(`${key} has ${String(length)}`);
        }
        const left = await indexes(redis, ['rdy', 'own', 'exp', 'blk', 'att']);
        if (left.length > 0) throw new Error(`left: ${left.join(', ')}`);
        return true;
      },
      { timeout },
    );
  }
}

export interface OrderedOptions {
  /** To read dead letters with. */
  readonly bus: EventBus;
  readonly produced: Produced;
  /** Processes and buses that are there; undefined for a cluster, which has other connections. */
  readonly buses: number | undefined;
  /** Where the cards are, if not where the sink is. */
  readonly masters?: readonly Redis[];
}

interface Ordered {
  readonly recorded: readonly Recorded[];
  readonly dead: readonly DeadLetter[];
}

/**
 * What every test of order ends with: nothing is left to do; in order at the fenced sink (token, then sequence); handled and
 * dead-lettered together is what was produced; two connections a process and bus.
 */
export async function ordered(
  redis: Redis,
  { bus, produced, buses, masters = [redis] }: OrderedOptions,
): Promise<Ordered> {
  await drained(masters);
  const recorded = await new FencedSink(redis, SINK).recorded();
  expect(recorded.filter(({ verdict }) => verdict === 'reordered')).toEqual([]);
  const effects = recorded.filter(({ verdict }) => verdict === 'accepted' || verdict === 'repeated');
  const byCard = new Map<string, Recorded[]>();
  for (const effect of effects) byCard.set(effect.card, [...(byCard.get(effect.card) ?? []), effect]);
  for (const some of byCard.values()) expectOrder(some);

  const { items: dead } = await bus.deadLetters.list({ pageSize: 1_000 });
  const ended = new Map([...byCard].map(([card, some]) => [card, new Set(some.map(numberOf))]));
  for (const { event, cardId = '' } of dead)
    ended.set(cardId, (ended.get(cardId) ?? new Set()).add(Number((event?.payload as Came).number)));
  const flat = (numbers: Iterable<readonly [string, Iterable<number>]>): string[] =>
    [...numbers].flatMap(([card, some]) => sorted(some).map((number) => `${card} ${String(number)}`)).sort();
  expect(flat(ended)).toEqual(flat(produced));

  if (buses !== undefined)
    await waitUntil(`${String(2 * buses)} connections`, async () => (await connections(redis)) === 2 * buses);
  return { recorded, dead };
}

function expectOrder(effects: readonly Recorded[]): void {
  for (const [index, after] of effects.entries()) {
    const before = effects[index - 1];
    if (before === undefined) continue;
    expect(BigInt(after.token)).toBeGreaterThanOrEqual(BigInt(before.token));
    expect(numberOf(after)).toBeGreaterThanOrEqual(numberOf(before));
  }
}

function numberOf({ note }: Recorded): number {
  return Number(note.split(' ')[0]);
}

/** Connections of buses. */
async function connections(redis: Redis): Promise<number> {
  const list = (await redis.client('LIST')) as string;
  return list.split('\n').filter((line) => line.includes(' name=cardinal:')).length;
}

/** Matches the calls of one script. (Scripts of cards begin alike, so their text does not tell which it is.) */
export async function callsOf(name: string): Promise<CommandMatch> {
  const sha = createHash('sha1')
    .update(await textOf(name))
    .digest('hex');
  return ([command, what]) => command === 'evalsha' && what === sha;
}

async function textOf(name: string): Promise<string> {
  const script = (await scripts())[name];
  if (script === undefined) throw new Error(`there is no script ${name}`);
  return script.lua;
}

/** Calls a script of the driver. */
export async function call(
  redis: Redis,
  name: string,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  return redis.eval(await textOf(name), keys.length, ...keys, ...args);
}

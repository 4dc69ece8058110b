import type { Redis } from 'ioredis';
import { scan } from '../../server/scan.js';
import { TOPIC, type Names } from './topic.js';

/** Indexes that are empty when no card has anything to do; an empty key is no key. */
const INDEXES = ['rdy', 'own', 'exp', 'blk', 'att'];
const PAGE = 1_000;

export interface Leftover {
  readonly cards: readonly string[];
  readonly indexes: readonly string[];
}

/** Every card of which there is a stream, with how many events it holds. */
async function lengths(redis: Redis, { stream }: Names): Promise<[card: string, length: number][]> {
  const keys = await scan(redis, `${stream('')}*`, 'stream');
  const found: [string, number][] = [];
  for (let from = 0; from < keys.length; from += PAGE) {
    const some = keys.slice(from, from + PAGE);
    const counts = await Promise.all(some.map((key) => redis.xlen(key)));
    found.push(...some.map((key, index): [string, number] => [key.slice(stream('').length), counts[index] ?? 0]));
  }
  return found;
}

/** Cards that still hold events, and indexes that still name cards. */
export async function leftover(redis: Redis, names: Names): Promise<Leftover> {
  const cards = (await lengths(redis, names)).filter(([, length]) => length > 0);
  const keys = await scan(redis, names.indexes);
  return {
    cards: cards.map(([card, length]) => `${card} (${length})`),
    indexes: keys.filter((key) => INDEXES.some((index) => key.endsWith(`:${TOPIC}:${index}`))),
  };
}

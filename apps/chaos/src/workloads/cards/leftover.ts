import type { Redis } from 'ioredis';
import { STREAM_PREFIX, streamOf, TOPIC } from './topic.js';

/** Indexes that are empty when no card has anything to do; an empty key is no key. */
const INDEXES = ['rdy', 'own', 'exp', 'blk', 'att'];
const PAGE = 1_000;

/** Every card of which there is a stream, with how many events it holds. */
async function lengths(redis: Redis): Promise<[card: string, length: number][]> {
  const keys = await scan(redis, `${streamOf('')}*`, 'stream');
  const found: [string, number][] = [];
  for (let from = 0; from < keys.length; from += PAGE) {
    const some = keys.slice(from, from + PAGE);
    const counts = await Promise.all(some.map((key) => redis.xlen(key)));
    found.push(...some.map((key, index): [string, number] => [key.slice(streamOf('').length), counts[index] ?? 0]));
  }
  return found;
}

/** Cards that still hold events, and indexes that still name cards. */
export async function leftover(redis: Redis): Promise<{ readonly cards: string[]; readonly indexes: string[] }> {
  const cards = (await lengths(redis)).filter(([, length]) => length > 0);
  const keys = await scan(redis, `${STREAM_PREFIX}{*}:${TOPIC}:*`);
  return {
    cards: cards.map(([card, length]) => `${card} (${length})`),
    indexes: keys.filter((key) => INDEXES.some((index) => key.endsWith(`:${TOPIC}:${index}`))),
  };
}

async function scan(redis: Redis, match: string, type?: string): Promise<string[]> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] =
      type === undefined
        ? await redis.scan(cursor, 'MATCH', match, 'COUNT', PAGE)
        : await redis.scan(cursor, 'MATCH', match, 'COUNT', PAGE, 'TYPE', type);
    for (const key of keys) found.add(key);
    cursor = next;
  } while (cursor !== '0');
  return [...found];
}

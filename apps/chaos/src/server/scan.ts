import type { Redis } from 'ioredis';

const PAGE = 1_000;

/** Keys that match; of one type, where it is given. */
export async function scan(redis: Redis, match: string, type?: string): Promise<string[]> {
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

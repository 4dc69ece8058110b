import type { Redis } from 'ioredis';

/** Resolves when no consumer group of a stream under the prefix has an unread or unacknowledged entry. */
export async function nothingPending(redis: Redis, prefix: string): Promise<void> {
  for (;;) {
    const streams = await keys(redis, `${prefix}*`, 'stream');
    let open = 0;
    for (const stream of streams) open += await unsettled(redis, stream);
    if (open === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export async function keys(redis: Redis, pattern: string, type: string): Promise<string[]> {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, page] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000, 'TYPE', type);
    found.push(...page);
    cursor = next;
  } while (cursor !== '0');
  return found;
}

async function unsettled(redis: Redis, stream: string): Promise<number> {
  const groups = (await redis.xinfo('GROUPS', stream)) as unknown[][];
  let open = 0;
  for (const group of groups) {
    const fields = new Map<unknown, unknown>();
    for (let at = 0; at < group.length; at += 2) fields.set(group[at], group[at + 1]);
    open += Number(fields.get('pending') ?? 0);
  }
  return open;
}

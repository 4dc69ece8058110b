import { describe } from '../core/errors.js';
import type { Client } from '../drivers/redis/clients.js';

/** What is known of a card, by the keys of its topic. */
type Index = 'reg' | 'rdy' | 'own' | 'exp' | 'blk' | 'att' | 'unr';
const INDEXES: readonly Index[] = ['reg', 'rdy', 'own', 'exp', 'blk', 'att', 'unr'];

/**
 * When every process has gone: a card with events is ready, owned by one that died, or waits; what says that a card is owned
 * and until when says so of the same cards; and a failure is noted of none without events.
 * @throws Error that tells all that is not so
 */
export async function assertCardsKept(client: Client, streamPrefix: string, keys: readonly string[]): Promise<void> {
  const problems: string[] = [];
  const known = new Map<Index, Set<string>>(INDEXES.map((index) => [index, new Set()]));
  const filled = new Set<string>();
  for (const key of keys.filter((each) => each.startsWith(streamPrefix))) {
    const name = key.slice(streamPrefix.length);
    const [, topic, index] = /^\{[^}]*\}:([^:]*):(\w+)$/.exec(name) ?? [];
    if (topic === undefined) {
      if (!name.startsWith('{') && (await client.xlen(key)) > 0) filled.add(name);
      continue;
    }
    const cards = known.get(index as Index);
    for (const card of cards === undefined ? [] : await members(client, key)) cards?.add(`${topic}:${card}`);
  }
  const has = (index: Index, card: string): boolean => known.get(index)?.has(card) === true;
  for (const card of filled) {
    if (!has('rdy', card) && !has('own', card) && !has('blk', card))
      problems.push(`${describe(card)} has events and is neither ready, owned nor waiting`);
    if (!has('reg', card)) problems.push(`${describe(card)} has events and is not registered`);
  }
  for (const card of new Set([...(known.get('own') ?? []), ...(known.get('exp') ?? [])]))
    if (has('own', card) !== has('exp', card)) problems.push(`${describe(card)} has only one of owner and lease`);
  for (const index of ['blk', 'att'] as const)
    for (const card of known.get(index) ?? [])
      if (!filled.has(card)) problems.push(`${describe(card)} is empty and has a row in '${index}'`);
  for (const card of known.get('rdy') ?? [])
    if (has('blk', card)) problems.push(`${describe(card)} is ready and waits`);
  if (problems.length > 0) throw new Error(`Cards were left in a state that is none: ${problems.join('; ')}`);
}

async function members(client: Client, key: string): Promise<readonly string[]> {
  const type = await client.type(key);
  if (type === 'zset') return client.zrange(key, '0', '-1');
  if (type === 'hash') return client.hkeys(key);
  return type === 'set' ? client.smembers(key) : [];
}

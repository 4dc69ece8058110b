import { describe, expect, it } from '@jest/globals';
import type { EventBus } from 'nestjs-cardinal';
import { waitUntil } from '../support/wait.js';
import { TOPIC, drained } from './cards-kit.js';
import { numbers, reaches } from './kit.js';
import { oneRedis } from './one-redis.js';

/** CARDS_LIVE_MINUTE=1: with the default intervals, and watched for a minute. */
const MINUTE = process.env['CARDS_LIVE_MINUTE'] !== undefined;
const CARDS = 100_000;
const WINDOW = MINUTE ? 60_000 : 4_000;
const SWEEP = MINUTE ? 30_000 : 2_000;
/** Sweeps of which at least a part can lie in the window. */
const SWEEPS = Math.ceil(WINDOW / SWEEP) + 1;
/** Cards that a sweep looks at in one call. */
const PAGE = 500;
/** Polls, heartbeats and the upkeep of the bus: so many commands a second are none that cards cause. */
const OTHERWISE = 60;

const redis = oneRedis();
const { buses } = redis;

async function used(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.raw.info('memory'))?.[1]);
}

/** Calls by command. */
async function commands(): Promise<Map<string, number>> {
  const stats = await redis.raw.info('commandstats');
  return new Map(
    [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name = '', calls]) => [name, Number(calls)]),
  );
}

/** Creates all cards with one event each, and waits until they are handled. */
async function live(bus: EventBus): Promise<void> {
  let handled = 0;
  await bus.cards.subscribe(TOPIC, () => void (handled += 1), { name: 'live', concurrency: 500 });
  for (let from = 0; from < CARDS; from += 5_000) {
    await bus.cards.publishMany(
      numbers(5_000, from).map((number) => ({ topic: TOPIC, cardId: `card-${String(number)}`, payload: { number } })),
    );
  }
  await reaches('events', CARDS, () => handled, 180_000);
  await drained([redis.raw], 60_000);
}

const say = (line: string): void => void process.stderr.write(`cards-live: ${line}\n`);

describe('100,000 live cards', () => {
  it('two connections; idle they cost the sweeps and nothing else; memory as promised, idle and reaped', async () => {
    const warm = await buses.open(redis.url);
    await warm.cards.publish(TOPIC, 'first', { number: 0 });
    const before = await used();
    const bus = await buses.open(redis.url, { cards: { sweep: SWEEP } });
    await warm.close();
    await live(bus);

    const list = (await redis.raw.client('LIST')) as string;
    expect(list.split('\n').filter((line) => line.includes(' name=cardinal:'))).toHaveLength(2);
    const idle = ((await used()) - before) / CARDS;

    const from = await commands();
    await new Promise((resolve) => setTimeout(resolve, WINDOW)); // what is measured: how much happens when nothing should
    const till = await commands();
    const calls = (name: string): number => (till.get(name) ?? 0) - (from.get(name) ?? 0);
    const made = [...till.keys()].map((name) => [name, calls(name)] as const).filter(([, count]) => count > 0);
    const shown = made.map(([name, count]) => `${name} ${String(count)}`).join(', ');
    say(`commands in ${String(WINDOW / 1_000)} s, a sweep each ${String(SWEEP / 1_000)} s: ${shown}`);
    for (const name of ['xadd', 'xreadgroup', 'xack', 'xdel', 'xgroup|create', 'publish', 'zrem', 'hset', 'hdel'])
      expect([name, calls(name) < OTHERWISE * (WINDOW / 1_000)]).toEqual([name, true]);
    // A sweep: one XLEN a card, and a few commands a page.
    expect(calls('xlen')).toBeLessThanOrEqual(SWEEPS * CARDS);
    const pages = SWEEPS * (CARDS / PAGE);
    expect(calls('evalsha')).toBeLessThan(2 * pages + OTHERWISE * (WINDOW / 1_000));

    await bus.close();
    const reaper = await buses.open(redis.url, { cards: { sweep: '1s', idleAfter: '1s' } });
    await reaper.cards.subscribe(TOPIC, () => undefined, { name: 'live' });
    await waitUntil('all cards to be reaped', async () => (await redis.raw.dbsize()) < 100, { timeout: 60_000 });
    const reaped = ((await used()) - before) / CARDS;
    const { rss } = process.memoryUsage();
    say(
      `Redis: ${idle.toFixed(0)} B an idle card, ${reaped.toFixed(0)} B a reaped one; this process: ${(rss / 2 ** 20).toFixed(0)} MiB RSS`,
    );
    // semantics.md §4: 434 B for an empty stream and group, up to 216 B for its consumer, 128 B for the registry row.
    expect(idle).toBeLessThan(434 + 216 + 128 + 100);
    expect(reaped).toBeLessThan(128 + 40);
  }, 300_000);
});

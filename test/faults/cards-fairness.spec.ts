import { describe, expect, it } from '@jest/globals';
import { FencedSink } from '../../apps/chaos/src/sink/fenced-sink.js';
import { waitUntil } from '../support/wait.js';
import { ordered, publish, SINK, TOPIC, xadd, type Came, type Produced } from './cards-kit.js';
import { numbers } from './kit.js';
import { oneRedis } from './one-redis.js';

const redis = oneRedis();
const { buses } = redis;
const HOT = 100_000;
const COLD = 1_000;
const QUANTUM = 32;
/** Hot events from one cold publish to the next. */
const BETWEEN = 15;

describe('row 12: a hot card with 100,000 events beside 1,000 cold ones', () => {
  it.each([1, 4])(
    '%s cards at once: between the publish of a cold event and its handling lie few quanta of the hot card; the hot one stays in order',
    async (concurrency) => {
      const bus = await buses.open(redis.url, { cards: { lease: '10s', quantum: QUANTUM } });
      for (let from = 0; from < HOT; from += 10_000) await xadd(redis.raw, 'hot', numbers(10_000, from));
      const sink = new FencedSink(redis.raw, SINK);
      let hot = 0;
      let next = 0;
      const waits: number[] = [];
      const published = new Map<string, number>();
      await bus.cards.subscribe(
        TOPIC,
        ({ number }: Came, { cardId: card, fencingToken: token, sequence }) => {
          const at = published.get(card);
          if (at === undefined) {
            // In order without the sink: 100,000 calls more would only take time.
            if (Number(number) !== next) throw new Error(`${String(number)} in place of ${String(next)}`);
            next += 1;
            hot += 1;
            return;
          }
          waits.push(hot - at);
          return sink.apply({ card, token, sequence, note: `${String(number)} one` });
        },
        { name: 'work', concurrency, retry: { attempts: 1 } },
      );
      await bus.cards.register(TOPIC, 'hot');
      for (const number of numbers(COLD)) {
        await waitUntil('the hot card to go on', () => hot >= number * BETWEEN, { interval: 1 });
        const card = `cold-${String(number)}`;
        published.set(card, hot);
        await publish(bus, card, [{ number: 0 }]);
      }
      await waitUntil('all cold cards', () => waits.length === COLD);
      // Without fairness a cold card waits for what is left of the hot one.
      expect(Math.max(...waits)).toBeLessThanOrEqual(4 * QUANTUM);
      // One by one, each acknowledged before the next, all of it would take minutes: what is left is as much as it should be.
      const left = await bus.cards.unregister(TOPIC, 'hot', { pending: 'drop' });
      expect(left).toBeGreaterThan(HOT / 2);
      const produced: Produced = new Map([...published.keys()].map((card) => [card, [0]]));
      const { dead } = await ordered(redis.raw, { bus, produced, buses: 1 });
      expect(dead).toEqual([]);
      expect(next).toBe(hot);
      // An event may have been handled, and not been acknowledged yet, when the rest was dropped.
      expect([HOT, HOT + 1]).toContain(hot + left);
    },
  );
});

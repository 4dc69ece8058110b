import assert from 'node:assert/strict';
import type { CardContext } from '../../../core/context.js';
import { Reject, RetryLater } from '../../../core/handler-errors.js';
import { fill, inState, listening, rested, sinkOf } from '../card-kit.js';
import { TOPIC, type CardWork } from '../card-sink.js';
import { failing, numbers, soon } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';
import { FAILURES } from './failures.js';

const LATER = { attempts: 3, delay: '10m', backoff: 'fixed', jitter: false } as const;

/** Fails at event 0, at its first attempts. */
function firstFails(times: number): CardWork {
  return (n, context) => (n === 0 ? failing(times)(n, context) : undefined);
}

export const cardRetries: ConformanceTopic = {
  name: 'retries of cards',
  tests: [
    promise('a head that fails is tried again before anything behind it; its waits are counted attempts', async (s) => {
      const [sink, bus] = await listening(s, { retry: soon(3) }, firstFails(2));
      await fill(bus, 'a', 4);
      await s.exactly(6, sink);
      assert.deepEqual(sink.payloads('a'), [0, 0, 0, 1, 2, 3]);
      assert.deepEqual(sink.attempts('a'), [1, 2, 3, 1, 1, 1]);
      assert.deepEqual(sink.events.map(({ redelivered }) => redelivered).slice(0, 3), [false, true, true]);
      const first = sink.events.slice(0, 3);
      assert.equal(new Set(first.map(({ sequence }) => sequence)).size, 1);
      assert.equal(new Set(first.map(({ context }) => context.id)).size, 1);
      sink.check();
      await s.letters(bus, 0);
      await rested(s, bus);
    }),

    promise('it holds its own card and no other, and takes no place while it waits', async (s) => {
      const work: CardWork = (n, { cardId }) => {
        if (cardId === 'bad') throw new Error('bad');
      };
      const [sink, bus] = await listening(s, { concurrency: 1, retry: LATER }, work);
      await fill(bus, 'bad', 3);
      await s.atLeast(1, sink);
      for (const card of numbers(10)) await fill(bus, String(card), 3);
      await s.exactly(31, sink);
      for (const card of numbers(10)) assert.deepEqual(sink.payloads(String(card)), numbers(3));
      assert.deepEqual(sink.payloads('bad'), [0]);
      sink.check();
    }),

    promise('what comes for a card that waits for another attempt waits too, in all processes', async (s) => {
      const buses = await s.buses(3);
      const sink = sinkOf(s, failing());
      for (const bus of buses) await sink.on(bus, { retry: LATER });
      const [publisher] = buses;
      assert.ok(publisher);
      await fill(publisher, 'a', 1);
      await s.exactly(1, sink);
      await inState(s, publisher, 'a', 'backoff');
      await fill(publisher, 'a', 5, 1);
      await publisher.cards.register(TOPIC, 'a');
      await s.exactly(1, sink);
      const record = await inState(s, publisher, 'a', 'backoff');
      assert.deepEqual([record.length, record.attempts, record.lastError], [6, 1, 'attempt 1 fails']);
      assert.ok(record.retryAt !== undefined && record.retryAt > record.activeAt);
    }),

    promise('the attempts of a head go on in the next process, under a higher token', async (s) => {
      const [first, second] = await s.buses(2);
      assert.ok(first && second);
      const sink = sinkOf(s, firstFails(3));
      const retry = { attempts: 5, delay: 100, backoff: 'fixed', jitter: false } as const;
      await sink.on(first, { retry });
      await fill(second, 'a', 2);
      await s.atLeast(1, sink);
      await s.value(first.close());
      const seen = sink.events.length;
      await sink.on(second, { retry });
      await s.exactly(5, sink);
      assert.deepEqual(sink.attempts('a'), [1, 2, 3, 4, 1]);
      assert.ok(sink.events.slice(seen).every(({ process }) => process.bus === second));
      sink.check();
    }),

    promise('a wait that ends while nobody handles the topic: its card is taken by who comes', async (s) => {
      const [first, second] = await s.buses(2);
      assert.ok(first && second);
      const sink = sinkOf(s, firstFails(1));
      const subscription = await sink.on(first, { retry: { ...LATER, delay: 100 } });
      await fill(second, 'a', 2);
      await s.atLeast(1, sink);
      await s.value(subscription.close());
      await s.harness.advance(500);
      await sink.on(second, { retry: soon(3) });
      await s.exactly(3, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 0, 1], [1, 2, 1]]); // prettier-ignore
      sink.check();
    }),

    promise('RetryLater chooses the wait, whatever the backoff says, and counts', async (s) => {
      const work: CardWork = (n, { attempt }) => {
        if (n === 0 && attempt < 3) throw new RetryLater(20);
      };
      const [sink, bus] = await listening(s, { retry: LATER }, work);
      await fill(bus, 'a', 2);
      await s.exactly(4, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 0, 0, 1], [1, 2, 3, 1]]); // prettier-ignore
      sink.check();
    }),

    promise('RetryLater for ever ends as any failure does', async (s) => {
      const work: CardWork = (n) => {
        if (n === 0) throw new RetryLater(10, { cause: new Error('not yet') });
      };
      const [sink, bus] = await listening(s, { retry: LATER, ends: ({ attempt }) => attempt === 3 }, work);
      await fill(bus, 'a', 2);
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.reason, letter?.attempts], ['handler-failed', 3]);
      await s.exactly(4, sink);
      sink.check();
    }),

    promise("the bus's `handlers.retry` holds for card handlers that say nothing else", async (s) => {
      const [sink, bus] = await listening(
        s,
        { bus: { handlers: { retry: soon(2) } }, ends: ({ attempt }) => attempt === 2 },
        failing(),
      );
      await fill(bus, 'a', 1);
      const [letter] = await s.letters(bus, 1);
      assert.equal(letter?.attempts, 2);
      await s.exactly(2, sink);
      sink.check();
    }),

    promise('whatever a handler does to fail, it is a failure of the head: tried again, then the next', async (s) => {
      const bus = await s.bus();
      const seen: [unknown, number][] = [];
      const handler = (n: number, context: CardContext): unknown => {
        seen.push([n, context.attempt]);
        return context.attempt === 1 ? FAILURES[n]?.[1](n, context) : undefined;
      };
      await bus.cards.subscribe<number>(TOPIC, handler, { retry: soon(2) });
      await fill(bus, 'a', FAILURES.length);
      const all = numbers(FAILURES.length).flatMap((n) => [[n, 1], [n, 2]]); // prettier-ignore
      await s.until('all', () => seen.length >= all.length);
      await s.quiet();
      assert.deepEqual(seen, all);
      await s.letters(bus, 0);
    }),

    promise(
      'many cards fail at the same time, each at an event of its own: nothing is lost or out of order',
      async (s) => {
        const buses = await s.buses(2);
        const work: CardWork = (n, { cardId, attempt }) => {
          if (n % 7 === Number(cardId) % 7 && attempt === 1) throw new Error('now and then');
          return Promise.resolve();
        };
        const sink = sinkOf(s, work);
        for (const bus of buses) await sink.on(bus, { retry: soon(2) });
        const [publisher] = buses;
        assert.ok(publisher);
        await Promise.all(numbers(20).map((card) => fill(publisher, String(card), 14)));
        await s.exactly(20 * 16, sink);
        for (const card of numbers(20)) assert.deepEqual(sink.handled(String(card)), numbers(14));
        sink.check();
        await s.letters(publisher, 0);
        await rested(s, publisher);
      },
    ),

    promise('a head that is rejected at a later attempt ends there', async (s) => {
      const work: CardWork = (n, { attempt }) => {
        if (n > 0) return;
        if (attempt === 2) throw new Reject('no use');
        throw new Error('boom');
      };
      const [sink, bus] = await listening(s, { retry: soon(5), ends: ({ attempt }) => attempt === 2 }, work);
      await fill(bus, 'a', 2);
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.reason, letter?.attempts, letter?.error], ['rejected', 2, 'no use']);
      await s.exactly(3, sink);
      sink.check();
    }),
  ],
};

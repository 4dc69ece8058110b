import assert from 'node:assert/strict';
import type { CardSubscribeOptions } from '../../../bus/cards.js';
import { fill, listening, rested, sinkOf } from '../card-kit.js';
import { TOPIC, type CardSink } from '../card-sink.js';
import { numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const QUANTUM = 4;

/** How many events of the hot card came between two runs of the sink. */
function hotOnes(sink: CardSink, from: number, to: number): number {
  return sink.events.slice(from, to).filter(({ card }) => card === 'hot').length;
}

export const cardTurns: ConformanceTopic = {
  name: 'turns of cards',
  tests: [
    promise('a hot card does not hold up cold ones: each has its turn after a quantum of events', async (s) => {
      const bus = await s.bus({ cards: { quantum: QUANTUM } });
      const gate = s.gate();
      const sink = sinkOf(s, (n, { cardId }) => (cardId === 'hot' && n === 0 ? gate.opened : undefined));
      await sink.on(bus, { concurrency: 1 });
      await fill(bus, 'hot', 100);
      await s.atLeast(1, sink);
      for (const card of ['cold-1', 'cold-2', 'cold-3']) await fill(bus, card, 1);
      await s.quiet();
      gate.open();
      await s.exactly(103, sink);
      const last = Math.max(...sink.events.map(({ card }, index) => (card === 'hot' ? 0 : index)));
      assert.ok(hotOnes(sink, 0, last) <= QUANTUM, 'events of the hot card before the cold ones');
      assert.deepEqual(sink.payloads('hot'), numbers(100));
      sink.check();
      await rested(s, bus);
    }),

    promise('cards that are all hot take turns, none is left out', async (s) => {
      const bus = await s.bus({ cards: { quantum: QUANTUM } });
      const gate = s.gate();
      const sink = sinkOf(s, (n, { cardId }) => (cardId === 'card-0' && n === 0 ? gate.opened : undefined));
      await sink.on(bus, { concurrency: 1 });
      const cards = numbers(4).map((n) => `card-${String(n)}`);
      await fill(bus, 'card-0', 24);
      await s.atLeast(1, sink);
      for (const card of cards.slice(1)) await fill(bus, card, 24);
      await s.quiet();
      gate.open();
      await s.exactly(96, sink);
      for (const card of cards) assert.deepEqual(sink.payloads(card), numbers(24));
      // As long as all have events.
      const order = sink.events.slice(0, 72).map(({ card }) => card);
      const blocks = order.join(' ').match(/(card-\d)( \1)*/g) ?? [];
      for (const block of blocks) assert.ok(block.split(' ').length <= QUANTUM, order.join(' '));
      sink.check();
    }),

    promise('a card that is hot all alone goes on and on, over its quantum too', async (s) => {
      const [sink, bus] = await listening(s, { bus: { cards: { quantum: 1 } }, concurrency: 1 });
      await fill(bus, 'hot', 200);
      await s.exactly(200, sink);
      assert.deepEqual(sink.payloads('hot'), numbers(200));
      sink.check();
      await rested(s, bus);
    }),

    ...[1, 3].map((concurrency) =>
      promise(`concurrency ${String(concurrency)}: as many cards at once in a process, no more`, async (s) => {
        const bus = await s.bus();
        const gate = s.gate();
        const sink = sinkOf(s, () => gate.opened);
        await sink.on(bus, { concurrency });
        for (const card of numbers(8)) await fill(bus, String(card), 3);
        await s.exactly(concurrency, sink);
        gate.open();
        await s.exactly(24, sink);
        assert.equal(sink.most, concurrency);
        for (const card of numbers(8)) assert.deepEqual(sink.payloads(String(card)), numbers(3));
        sink.check();
      }),
    ),

    promise("without `concurrency` it is the bus's; each process has its own", async (s) => {
      const buses = await s.buses(2, { concurrency: 2 });
      const gate = s.gate();
      const sink = sinkOf(s, () => gate.opened);
      for (const bus of buses) await sink.on(bus);
      const [publisher] = buses;
      assert.ok(publisher);
      for (const card of numbers(8)) await fill(publisher, String(card), 1);
      await s.exactly(4, sink);
      assert.equal(new Set(sink.events.map(({ process }) => process)).size, 2);
      gate.open();
      await s.exactly(8, sink);
      sink.check();
    }),

    promise('a process that is full leaves what comes to one that has room', async (s) => {
      const [full, free] = await s.buses(2);
      assert.ok(full && free);
      const gate = s.gate();
      const sink = sinkOf(s, (_, { cardId }) => (cardId === 'slow' ? gate.opened : undefined));
      await sink.on(full, { concurrency: 1 });
      await fill(full, 'slow', 1);
      await s.atLeast(1, sink);
      await sink.on(free, { concurrency: 1 });
      for (const card of numbers(10)) await fill(full, String(card), 3);
      await s.exactly(31, sink);
      assert.ok(sink.events.slice(1).every(({ process }) => process.bus === free));
      gate.open();
      sink.check();
    }),

    promise('a process that begins to handle a topic takes cards that wait for room elsewhere', async (s) => {
      const [full, late] = await s.buses(2);
      assert.ok(full && late);
      const gate = s.gate();
      const sink = sinkOf(s, (_, { cardId }) => (cardId === 'slow' ? gate.opened : undefined));
      await sink.on(full, { concurrency: 1 });
      await fill(full, 'slow', 1);
      await s.atLeast(1, sink);
      for (const card of numbers(5)) await fill(full, String(card), 2);
      await s.exactly(1, sink);
      await sink.on(late);
      await s.exactly(11, sink);
      gate.open();
      sink.check();
    }),

    promise('malformed options of a card handler are refused', async (s) => {
      const bus = await s.bus();
      const bad: unknown[] = [
        ...[0, -1, 1.5, NaN, '3'].map((concurrency) => ({ concurrency })),
        ...['drop', '', 7, null].map((onExhausted) => ({ onExhausted })),
        ...['', 'a b', '{a}', 'x'.repeat(129), 7].map((name) => ({ name })),
        ...[-1, NaN, 'soon'].map((timeout) => ({ timeout })),
        { retry: { attempts: 0 } },
        { batch: { size: 0, maxWait: 1 } },
        { batch: { size: 2 } },
        { idempotent: { ttl: 'never' } },
      ];
      for (const options of bad) {
        const subscribed = bus.cards.subscribe(TOPIC, () => undefined, options as CardSubscribeOptions);
        await s.refusal(subscribed, 'INVALID_OPTION');
      }
    }),
  ],
};

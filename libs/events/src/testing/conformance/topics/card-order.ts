import assert from 'node:assert/strict';
import { turns } from '../../clock.js';
import { fill, FOR_EVER, listening, rested, sinkOf } from '../card-kit.js';
import { compareSequence, TOPIC, type CardWork } from '../card-sink.js';
import { numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

export const cardOrder: ConformanceTopic = {
  name: 'order of cards',
  tests: [
    promise('the next event of a card does not begin before the one ahead has ended, here or elsewhere', async (s) => {
      const buses = await s.buses(3);
      const gate = s.gate();
      const sink = sinkOf(s, (n) => (n === 0 ? gate.opened : undefined));
      for (const bus of buses) await sink.on(bus);
      const [publisher] = buses;
      assert.ok(publisher);
      await fill(publisher, 'a', 5);
      await s.atLeast(1, sink);
      await fill(publisher, 'a', 5, 5);
      await s.exactly(1, sink);
      gate.open();
      await s.exactly(10, sink);
      assert.deepEqual(sink.payloads('a'), numbers(10));
      sink.check();
    }),

    promise('meanwhile the other cards go on', async (s) => {
      const buses = await s.buses(2);
      const gate = s.gate();
      const sink = sinkOf(s, (_, { cardId }) => (cardId === 'slow' ? gate.opened : undefined));
      for (const bus of buses) await sink.on(bus);
      const [publisher] = buses;
      assert.ok(publisher);
      await fill(publisher, 'slow', 3);
      await s.atLeast(1, sink);
      for (const card of numbers(20)) await fill(publisher, `quick-${String(card)}`, 5);
      await s.exactly(101, sink);
      gate.open();
      await s.exactly(103, sink);
      for (const card of numbers(20)) assert.deepEqual(sink.payloads(`quick-${String(card)}`), numbers(5));
      sink.check();
    }),

    promise('one id in two topics is two cards', async (s) => {
      const bus = await s.bus();
      const gate = s.gate();
      const sink = sinkOf(s, (_, { topic }) => (topic === 'order' ? gate.opened : undefined));
      await sink.on(bus, {}, [TOPIC, 'order']);
      await fill(bus, 'a', 2, 0, 'order');
      await s.atLeast(1, sink);
      await fill(bus, 'a', 5);
      await s.exactly(6, sink);
      gate.open();
      await s.exactly(7, sink);
      const of = (topic: string): unknown[] =>
        sink.events.filter((run) => run.topic === topic).map(({ payload }) => payload);
      assert.deepEqual([of('order'), of(TOPIC)], [numbers(2), numbers(5)]);
      sink.check();
    }),

    promise('topics and cards whose names joined are the same text are two cards', async (s) => {
      const bus = await s.bus();
      const gate = s.gate();
      const sink = sinkOf(s, () => gate.opened);
      await sink.on(bus, {}, ['a', 'ab']);
      await fill(bus, 'b:c', 1, 0, 'a');
      await fill(bus, ':c', 1, 1, 'ab');
      await fill(bus, 'bc', 1, 2, 'a');
      await fill(bus, 'c', 1, 3, 'ab');
      await s.exactly(4, sink);
      gate.open();
      assert.deepEqual(
        sink.events.map(({ topic, card, payload }) => [topic, card, payload]).sort(),
        [['a', 'b:c', 0], ['a', 'bc', 2], ['ab', ':c', 1], ['ab', 'c', 3]], // prettier-ignore
      );
    }),

    promise('publish awaited or not, and publishMany, keep their order among each other', async (s) => {
      const [publisher, elsewhere] = await s.buses(2);
      assert.ok(publisher && elsewhere);
      const sink = sinkOf(s);
      await sink.on(elsewhere);
      const { cards } = publisher;
      await cards.publish(TOPIC, 'a', 0);
      const row = (payload: number) => ({ topic: TOPIC, cardId: 'a', payload });
      await Promise.all([
        cards.publish(TOPIC, 'a', 1),
        cards.publishMany([2, 3, 4].map(row)),
        cards.publish(TOPIC, 'b', 0),
        cards.publish(TOPIC, 'a', 5),
        cards.publishMany([6].map(row)),
      ]);
      await fill(publisher, 'a', 300, 7);
      await s.exactly(308, sink);
      assert.deepEqual(sink.payloads('a'), numbers(307));
      sink.check();
    }),

    promise('each publisher keeps its order at a card of several; the sequence says the order of all', async (s) => {
      const buses = await s.buses(3);
      const sink = sinkOf(s);
      for (const bus of buses) await sink.on(bus);
      await Promise.all(buses.map((bus, index) => fill(bus, 'a', 60, index * 1_000)));
      await s.exactly(180, sink);
      for (const index of numbers(3)) {
        const own = (sink.payloads('a') as number[]).filter((n) => Math.floor(n / 1_000) === index);
        assert.deepEqual(own, numbers(60).map((n) => index * 1_000 + n)); // prettier-ignore
      }
      const places = sink.events.map(({ sequence }) => sequence);
      assert.deepEqual(places, [...places].sort(compareSequence));
      assert.equal(new Set(places).size, 180);
      for (const place of places) assert.match(place, /^\d+-\d+$/);
      sink.check();
    }),

    promise('what is published before anybody handles the topic is kept, and comes in order', async (s) => {
      const [early, late] = await s.buses(2);
      assert.ok(early && late);
      for (const card of ['a', 'b', 'c']) await fill(early, card, 20);
      const sink = sinkOf(s);
      await sink.on(late);
      await s.exactly(60, sink);
      for (const card of ['a', 'b', 'c']) assert.deepEqual(sink.payloads(card), numbers(20));
      sink.check();
      await rested(s, early);
    }),

    promise('many cards with many events over several processes: each in order, each event once', async (s) => {
      const buses = await s.buses(3, { cards: { quantum: 4 } });
      const sink = sinkOf(s, () => Promise.resolve());
      for (const bus of buses) await sink.on(bus);
      const cards = numbers(30).map((n) => `card-${String(n)}`);
      const [one, two] = buses;
      assert.ok(one && two);
      await Promise.all(cards.map((card, index) => fill(index % 2 === 0 ? one : two, card, 30)));
      await s.until('all events', () => sink.events.length >= 900, '30s');
      await s.exactly(900, sink);
      for (const card of cards) assert.deepEqual(sink.payloads(card), numbers(30));
      sink.check();
      await rested(s, one);
    }),

    promise('an event that comes just as its card is let go is not left behind', async (s) => {
      const buses = await s.buses(2, FOR_EVER);
      const [publisher] = buses;
      assert.ok(publisher);
      const { seed, next } = s.random();
      const work: CardWork = (n, { cardId }) => {
        if (n === 29) return;
        // Published as the acknowledgement is under way, or a little later.
        void turns(Math.floor(next() * 6)).then(() => publisher.cards.publish(TOPIC, cardId, n + 1));
      };
      const sink = sinkOf(s, work);
      for (const bus of buses) await sink.on(bus);
      const cards = numbers(8).map(String);
      for (const card of cards) await fill(publisher, card, 1);
      await s.until('all', () => sink.events.length >= 240, '15s');
      await s.exactly(240, sink);
      for (const card of cards) assert.deepEqual(sink.payloads(card), numbers(30), `seed ${String(seed)}`);
      sink.check();
      await rested(s, publisher);
    }),

    promise('a card that goes from process to process: the token grows with each owner', async (s) => {
      const publisher = await s.bus();
      const sink = sinkOf(s);
      for (const owner of numbers(4)) {
        const bus = await s.bus();
        await sink.on(bus);
        await fill(publisher, 'a', 2, owner * 2);
        await s.exactly(owner * 2 + 2, sink);
        await s.value(bus.close());
      }
      assert.deepEqual(sink.payloads('a'), numbers(8));
      assert.deepEqual(sink.attempts('a'), numbers(8).map(() => 1)); // prettier-ignore
      const tokens = sink.events.map(({ token }) => token);
      for (const token of tokens) assert.match(token, /^\d+$/);
      for (const owner of numbers(3))
        assert.ok(BigInt(tokens[owner * 2 + 1] ?? 0) < BigInt(tokens[owner * 2 + 2] ?? 0), String(tokens));
      sink.check();
    }),

    promise('a token grows too when nothing is left of the card but its name', async (s) => {
      const [sink, bus] = await listening(s, { bus: { cards: { idleAfter: 1_000, sweep: 100 } } });
      await fill(bus, 'a', 1);
      await s.exactly(1, sink);
      await rested(s, bus);
      await bus.cards.unregister(TOPIC, 'a', { pending: 'drop' });
      await s.harness.advance(1_500);
      await fill(bus, 'a', 1, 1);
      await s.exactly(2, sink);
      const [first, second] = sink.events;
      assert.ok(first && second && BigInt(first.token) < BigInt(second.token));
      sink.check();
    }),
  ],
};

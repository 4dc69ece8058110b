import assert from 'node:assert/strict';
import { fill, FOR_EVER, inState, listening, rested, sinkOf } from '../card-kit.js';
import { TOPIC } from '../card-sink.js';
import { numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

export const cardShutdown: ConformanceTopic = {
  name: 'processes that leave their cards',
  tests: [
    promise('what runs may finish, and the rest of the card goes elsewhere at once, no attempt counted', async (s) => {
      const [leaving, staying] = await s.buses(2, FOR_EVER);
      assert.ok(leaving && staying);
      const gate = s.gate();
      const sink = sinkOf(s, (n) => (n === 0 ? gate.opened : undefined));
      await sink.on(leaving);
      await fill(staying, 'a', 5);
      await s.atLeast(1, sink);
      await sink.on(staying);
      const closed = leaving.close();
      await s.quiet();
      assert.equal(sink.events.length, 1);
      gate.open();
      await s.value(closed);
      await s.exactly(5, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [numbers(5), [1, 1, 1, 1, 1]]);
      assert.ok(sink.events.slice(1).every(({ process }) => process.bus === staying));
      sink.check();
      await rested(s, staying);
    }),

    promise('a handler that hangs: its signal aborts, and its event begins elsewhere at once, uncounted', async (s) => {
      const leaving = await s.bus({ ...FOR_EVER, shutdownTimeout: 200 });
      const staying = await s.bus(FOR_EVER);
      const sink = sinkOf(s, (_n, _c, { bus }) => (bus === leaving ? s.gate().opened : undefined));
      await sink.on(leaving);
      await fill(staying, 'a', 3);
      await s.atLeast(1, sink);
      const [{ context, token }] = sink.events as [(typeof sink.events)[number]];
      await sink.on(staying);
      await s.value(leaving.close());
      assert.equal(context.signal.aborted, true);
      await s.exactly(4, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 0, 1, 2], [1, 1, 1, 1]]); // prettier-ignore
      assert.equal(sink.events[1]?.redelivered, true);
      assert.ok(BigInt(sink.events[1].token) > BigInt(token));
      await s.letters(staying, 0);
      await rested(s, staying);
    }),

    promise('100 cards at work: what runs finishes, everything else goes on elsewhere, each event once', async (s) => {
      const [leaving, staying] = await s.buses(2, FOR_EVER);
      assert.ok(leaving && staying);
      const gate = s.gate();
      const sink = sinkOf(s, (n, _, { bus }) => (bus === leaving && n === 1 ? gate.opened : undefined));
      await sink.on(leaving, { concurrency: 100 });
      const cards = numbers(100).map(String);
      await Promise.all(cards.map((card) => fill(staying, card, 4)));
      await s.until('all at work', () => sink.atWork() === 100);
      await sink.on(staying, { concurrency: 20 });
      const closed = leaving.close();
      await s.quiet();
      gate.open();
      await s.value(closed);
      await s.until('all', () => sink.done.length >= 400, '20s');
      await s.exactly(400, sink);
      for (const card of cards) assert.deepEqual(sink.payloads(card), numbers(4));
      assert.ok(sink.events.every(({ attempt }) => attempt === 1));
      sink.check();
      await rested(s, staying);
    }),

    promise('several leave and come while events flow: each event is handled once, in order', async (s) => {
      const publisher = await s.bus(FOR_EVER);
      const sink = sinkOf(s, () => Promise.resolve());
      const open = async () => {
        const bus = await s.bus(FOR_EVER);
        await sink.on(bus, { concurrency: 3 });
        return bus;
      };
      const members = [await open(), await open()];
      for (const round of numbers(5)) {
        await Promise.all(numbers(10).map((card) => fill(publisher, String(card), 6, round * 6)));
        members.push(await open());
        await s.value(members.shift()?.close() ?? Promise.resolve());
      }
      await s.until('all', () => sink.done.length >= 300, '20s');
      await s.exactly(300, sink);
      for (const card of numbers(10)) assert.deepEqual(sink.payloads(String(card)), numbers(30));
      assert.ok(sink.events.every(({ attempt }) => attempt === 1));
      sink.check();
      await rested(s, publisher);
    }),

    promise('a drained process begins nothing more, and publishing to cards works until it is closed', async (s) => {
      const [leaving, staying] = await s.buses(2, FOR_EVER);
      assert.ok(leaving && staying);
      const sink = sinkOf(s);
      await sink.on(leaving);
      await s.value(leaving.drain());
      await fill(leaving, 'a', 3);
      await s.exactly(0, sink);
      await sink.on(staying);
      await s.exactly(3, sink);
      assert.ok(sink.events.every(({ process }) => process.bus === staying));
    }),

    promise('a handler that still runs may publish to cards while its process drains', async (s) => {
      const [leaving, staying] = await s.buses(2, FOR_EVER);
      assert.ok(leaving && staying);
      const gate = s.gate();
      const sink = sinkOf(s, async (n, { topic }) => {
        if (topic !== TOPIC) return;
        await gate.opened;
        await leaving.cards.publish('audit', 'x', n);
      });
      await sink.on(leaving);
      await sink.on(staying, {}, 'audit');
      await fill(staying, 'a', 1);
      await s.atLeast(1, sink);
      const drained = leaving.drain();
      await s.quiet();
      gate.open();
      await s.value(drained);
      await s.exactly(2, sink);
      assert.equal(sink.last.topic, 'audit');
    }),

    promise('a handler that is added after the drain gets nothing', async (s) => {
      const [leaving, other] = await s.buses(2);
      assert.ok(leaving && other);
      await s.value(leaving.drain());
      const sink = sinkOf(s);
      await s.outcome(sink.on(leaving));
      await fill(other, 'a', 3);
      await s.exactly(0, sink);
    }),

    promise('closing a subscription lets its run finish and gives the card to others', async (s) => {
      const [leaving, staying] = await s.buses(2, FOR_EVER);
      assert.ok(leaving && staying);
      const gate = s.gate();
      const sink = sinkOf(s, (n) => (n === 0 ? gate.opened : undefined));
      const subscription = await sink.on(leaving);
      await fill(staying, 'a', 3);
      await s.atLeast(1, sink);
      await sink.on(staying);
      const closed = subscription.close();
      await s.quiet();
      gate.open();
      await s.value(closed);
      await s.exactly(3, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [numbers(3), [1, 1, 1]]);
      assert.ok(sink.events.slice(1).every(({ process }) => process.bus === staying));
      await fill(leaving, 'a', 1, 3);
      await s.exactly(4, sink);
      sink.check();
    }),

    promise('a subscription that is closed can be made again in the same process', async (s) => {
      const bus = await s.bus(FOR_EVER);
      const sink = sinkOf(s);
      for (const round of numbers(3)) {
        const subscription = await sink.on(bus);
        await fill(bus, 'a', 2, round * 3);
        await s.exactly(round * 3 + 2, sink);
        await s.value(Promise.all([subscription.close(), subscription.close()]));
        await fill(bus, 'a', 1, round * 3 + 2);
        await s.exactly(round * 3 + 2, sink);
        await inState(s, bus, 'a', 'ready');
        const next = await sink.on(bus);
        await s.exactly(round * 3 + 3, sink);
        await s.value(next.close());
      }
      assert.deepEqual(sink.payloads('a'), numbers(9));
      sink.check();
    }),

    promise('`signal` closes a subscription', async (s) => {
      const end = new AbortController();
      const [sink, bus] = await listening(s, { signal: end.signal });
      await fill(bus, 'a', 1);
      await s.exactly(1, sink);
      end.abort();
      await s.quiet();
      await fill(bus, 'a', 1, 1);
      await s.exactly(1, sink);
    }),

    promise('a closed bus refuses everything about cards with BusClosedError', async (s) => {
      const [sink, bus] = await listening(s);
      await s.value(bus.close());
      const { cards } = bus;
      for (const call of [
        () => cards.publish(TOPIC, 'a', 1),
        () => cards.register(TOPIC, 'a'),
        () => cards.unregister(TOPIC, 'a'),
        () => cards.list(TOPIC),
        () => cards.inspect(TOPIC, 'a'),
        () => cards.resume(TOPIC, 'a'),
        () => cards.skip(TOPIC, 'a'),
        () => cards.subscribe('other', () => undefined),
      ])
        await s.refusal(call(), 'BUS_CLOSED');
      const many = await s.refusal(
        cards.publishMany([{ topic: TOPIC, cardId: 'a', payload: 1 }]),
        'PUBLISH_MANY',
        'BUS_CLOSED',
      );
      assert.equal(((many.cause ?? many) as { code?: string }).code, 'BUS_CLOSED');
      await s.exactly(0, sink);
    }),
  ],
};

import assert from 'node:assert/strict';
import type { Filter } from '../../../core/filter.js';
import { fill, LEASE, lifetimes, listening, rested, sinkOf } from '../card-kit.js';
import { TOPIC, type CardWork } from '../card-sink.js';
import { failing, numbers, soon } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const even: Filter = (n: number) => n % 2 === 0;

export const cardSteps: ConformanceTopic = {
  name: 'steps before a card handler',
  tests: [
    promise('a filter that throws is a failure of the head: attempts, then a dead letter, then the next', async (s) => {
      const filter: Filter = (n: number) => {
        if (n === 0) throw new Error('no connection');
        return true;
      };
      const [sink, bus] = await listening(s, { name: 'picky', retry: soon(3), filter });
      await fill(bus, 'a', 3);
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.reason, letter?.handler, letter?.attempts, letter?.error], ['handler-failed', 'picky', 3, 'no connection']); // prettier-ignore
      await s.exactly(2, sink);
      assert.deepEqual(sink.payloads('a'), [1, 2]);
    }),

    promise('what the filter does not want is acknowledged: nobody gets it, those behind it are handled', async (s) => {
      const buses = await s.buses(2);
      const sink = sinkOf(s);
      for (const bus of buses) await sink.on(bus, { filter: even });
      const [bus] = buses;
      assert.ok(bus);
      for (const card of ['a', 'b']) await fill(bus, card, 20);
      await s.exactly(20, sink);
      for (const card of ['a', 'b']) assert.deepEqual(sink.payloads(card), numbers(10).map((n) => n * 2)); // prettier-ignore
      sink.check();
      await s.letters(bus, 0);
      await rested(s, bus);
    }),

    promise('a filter sees the card in its context', async (s) => {
      const filter: Filter = (_: number, context) => 'cardId' in context && context.cardId === 'wanted';
      const [sink, bus] = await listening(s, { filter });
      for (const card of ['wanted', 'unwanted']) await fill(bus, card, 3);
      await s.exactly(3, sink);
      assert.deepEqual(sink.payloads('wanted'), numbers(3));
    }),

    promise('a head that waits for its filter is waited for', async (s) => {
      const gate = s.gate();
      const filter: Filter = (n: number) => (n === 0 ? gate.opened.then(() => true) : true);
      const [sink, bus] = await listening(s, { filter });
      await fill(bus, 'a', 3);
      await s.exactly(0, sink);
      gate.open();
      await s.exactly(3, sink);
      assert.deepEqual(sink.payloads('a'), numbers(3));
    }),

    promise('idempotent: what fails is tried again; what has been done is not done again, by no process', async (s) => {
      const buses = await s.buses(2);
      const work: CardWork = (n, context) => (n === 1 ? failing(1)(n, context) : undefined);
      const sink = sinkOf(s, work, () => true);
      const options = { retry: soon(3), idempotent: { key: (n: number) => String(n) } };
      for (const bus of buses) await sink.on(bus, options);
      const [one, two] = buses;
      assert.ok(one && two);
      await fill(one, 'a', 3);
      await s.exactly(4, sink);
      await fill(two, 'a', 4);
      await s.exactly(5, sink);
      assert.deepEqual(sink.payloads('a'), [0, 1, 1, 2, 3]);
      await rested(s, one);
      await s.letters(one, 0);
    }),

    promise(
      'idempotent: the event whose process died is handled by the next, when the claim has run out',
      async (s) => {
        const publisher = await s.bus(LEASE);
        const sink = sinkOf(s, (n, { attempt }, { die }) => (n === 0 && attempt === 1 ? die() : undefined));
        await fill(publisher, 'a', 3);
        const options = { idempotent: true } as const;
        const busOptions = { ...LEASE, reclaimAfter: 1_000 };
        const over = (): boolean => sink.done.length === 3;
        const deaths = await lifetimes(s, sink, options, over, undefined, busOptions);
        assert.equal(deaths, 1);
        assert.deepEqual(sink.handled('a'), numbers(3));
        sink.check();
        await s.letters(publisher, 0);
      },
    ),

    promise('what a handler publishes to cards and to the bus carries the chain on', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const sink = sinkOf(s, async (n, { topic }, { bus }) => {
        if (topic !== TOPIC) return;
        await Promise.resolve();
        await bus.cards.publish('audit', 'x', n);
        await bus.publish('comment.seen', n);
      });
      await sink.on(a);
      await sink.on(b, {}, 'audit');
      const seen = await s.record(b, 'comment.seen');
      const receipt = await b.cards.publish(TOPIC, 'a', 7);
      await s.exactly(3, sink, seen);
      const [first, second] = sink.events.map(({ context }) => context);
      assert.ok(first && second);
      assert.deepEqual([first.id, first.correlationId, first.causationId], [receipt.id, receipt.id, undefined]);
      for (const context of [second, seen.last.context])
        assert.deepEqual([context.correlationId, context.causationId], [receipt.id, receipt.id]);
    }),

    promise('a circle of cards ends with EventLoopError', async (s) => {
      let refused: unknown;
      const work: CardWork = (n, { cardId }, { bus }) =>
        bus.cards.publish(TOPIC, cardId === 'a' ? 'b' : 'a', n).catch((error: unknown) => (refused = error));
      const [sink, bus] = await listening(s, {}, work);
      await fill(bus, 'a', 1);
      await s.until('the refusal', () => refused);
      await s.exactly(33, sink);
      assert.equal((refused as { code?: string }).code, 'EVENT_LOOP');
      sink.check();
    }),

    promise('a handler that publishes to its own card: the event comes behind those that wait', async (s) => {
      const work: CardWork = (n, _, { bus }) => (n === 0 ? bus.cards.publish(TOPIC, 'a', 100) : undefined);
      const [sink, bus] = await listening(s, {}, work);
      await bus.cards.publishMany(numbers(3).map((payload) => ({ topic: TOPIC, cardId: 'a', payload })));
      await s.exactly(4, sink);
      assert.deepEqual(sink.payloads('a'), [0, 1, 2, 100]);
      sink.check();
    }),

    promise('the context tells the card and everything that any event tells', async (s) => {
      const [sender, receiver] = await s.buses(2, { service: 'shop' });
      assert.ok(sender && receiver);
      const sink = sinkOf(s);
      await sink.on(receiver, { name: 'clerk' });
      const { id, time } = await sender.cards.publish(TOPIC, 'ä:1 x', 7, {
        headers: { tenant: 'x' },
        correlationId: 'chain',
        source: 'elsewhere',
      });
      await s.exactly(1, sink);
      const { context } = sink.last;
      const told = ['id', 'type', 'topic', 'cardId', 'source', 'sourceInstance', 'version', 'mode', 'bus'] as const;
      assert.deepEqual(
        told.map((name) => context[name]),
        [id, TOPIC, TOPIC, 'ä:1 x', 'elsewhere', sender.instanceId, 1, 'anycast', receiver.name],
      );
      const { group, handler, attempt, redelivered, correlationId, causationId } = context;
      assert.deepEqual(
        [group, handler, attempt, redelivered, correlationId, causationId],
        [undefined, 'clerk', 1, false, 'chain', undefined],
      );
      const { headers, signal, logger, traceId, sequence, fencingToken, reply } = context;
      assert.deepEqual([{ ...headers }, signal.aborted, traceId], [{ tenant: 'x' }, false, undefined]);
      assert.equal(typeof logger.log, 'function');
      assert.equal(context.time.getTime(), time.getTime());
      assert.match(`${sequence} ${fencingToken}`, /^\d+-\d+ \d+$/);
      const answers = await s.record(sender, 'answer');
      await reply('answer', 1);
      await s.exactly(1, answers);
    }),
  ],
};

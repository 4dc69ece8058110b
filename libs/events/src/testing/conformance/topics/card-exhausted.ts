import assert from 'node:assert/strict';
import type { CardSubscribeOptions } from '../../../bus/cards.js';
import type { EventBus } from '../../../bus/event-bus.js';
import { Reject } from '../../../core/handler-errors.js';
import { allCards, fill, inState, listening, rested, sinkOf } from '../card-kit.js';
import { TOPIC, type CardSink, type CardWork } from '../card-sink.js';
import { failing, numbers, soon, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const ends = (): boolean => true;

/** Fails at event 0 for ever, or until it is mended. */
class Fault {
  mended = false;

  readonly work: CardWork = (n, context) => (n === 0 && !this.mended ? failing()(n, context) : undefined);
}

/** A card 'a' with the events 0, 1, 2, parked at 0 by a handler that fails. */
async function parked(
  s: Stage,
  options: CardSubscribeOptions = {},
): Promise<{ sink: CardSink; bus: EventBus; fault: Fault }> {
  const fault = new Fault();
  const [sink, bus] = await listening(s, { retry: soon(2), onExhausted: 'park', ends, ...options }, fault.work);
  await fill(bus, 'a', 3);
  await inState(s, bus, 'a', 'parked');
  return { sink, bus, fault };
}

export const cardExhausted: ConformanceTopic = {
  name: 'cards whose head fails for good',
  tests: [
    ...[undefined, 'dead-letter' as const].map((onExhausted) =>
      promise(
        `${onExhausted ?? 'nothing said'}: the head is a dead letter, and those behind it are handled`,
        async (s) => {
          const [sink, bus] = await listening(
            s,
            { name: 'clerk', retry: soon(3), ends, ...(onExhausted === undefined ? {} : { onExhausted }) },
            new Fault().work,
          );
          await fill(bus, 'a', 4);
          const [letter] = await s.letters(bus, 1, { topic: TOPIC });
          assert.deepEqual([letter?.reason, letter?.handler, letter?.attempts], ['handler-failed', 'clerk', 3]);
          assert.deepEqual([letter?.error, letter?.event?.payload], ['attempt 3 fails', 0]);
          await s.exactly(6, sink);
          assert.deepEqual(sink.payloads('a'), [0, 0, 0, 1, 2, 3]);
          sink.check();
          await rested(s, bus);
        },
      ),
    ),

    promise('each event that fails is a dead letter of its own, one after the other', async (s) => {
      const [sink, bus] = await listening(s, { retry: soon(2), ends }, failing());
      await fill(bus, 'a', 5);
      const letters = await s.letters(bus, 5);
      assert.deepEqual(letters.map(({ event }) => event?.payload), numbers(5)); // prettier-ignore
      assert.deepEqual(sink.attempts('a'), [1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
      sink.check();
      await rested(s, bus);
    }),

    promise('park: the card waits with its head, nothing behind it is handled; other cards go on', async (s) => {
      const { sink, bus } = await parked(s);
      const other = await s.bus();
      await sink.on(other, { retry: soon(2), onExhausted: 'park' });
      await fill(bus, 'a', 2, 3);
      await fill(other, 'b', 2, 10);
      await bus.cards.register(TOPIC, 'a');
      await s.exactly(4, sink);
      assert.deepEqual([sink.payloads('a'), sink.payloads('b')], [[0, 0], [10, 11]]); // prettier-ignore
      const record = await inState(s, other, 'a', 'parked');
      assert.deepEqual([record.length, record.attempts, record.lastError], [5, 2, 'attempt 2 fails']);
      assert.deepEqual([record.owner, record.fencingToken, record.retryAt], [undefined, undefined, undefined]);
      await s.letters(bus, 0);
      sink.check();
    }),

    promise('park: it stays parked when its process goes, and when others come', async (s) => {
      const { sink, bus } = await parked(s);
      const other = await s.bus({ cards: { sweep: 100, scan: 100 } });
      await s.value(bus.close());
      await sink.on(other, { retry: soon(2), onExhausted: 'park' });
      await s.harness.advance(500);
      await s.exactly(2, sink);
      await inState(s, other, 'a', 'parked');
    }),

    promise('resume: its head is tried again, its attempts begin again, and those behind follow', async (s) => {
      const { sink, bus, fault } = await parked(s);
      fault.mended = true;
      const elsewhere = await s.bus();
      assert.equal(await elsewhere.cards.resume(TOPIC, 'a'), true);
      await s.exactly(5, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 0, 0, 1, 2], [1, 2, 1, 1, 1]]); // prettier-ignore
      assert.equal(sink.events[2]?.redelivered, true);
      await s.letters(bus, 0);
      sink.check();
      await rested(s, bus);
    }),

    promise('resume: where the fault is still there it is parked again, with all its attempts', async (s) => {
      const { sink, bus } = await parked(s);
      assert.equal(await bus.cards.resume(TOPIC, 'a'), true);
      await s.until('both attempts', () => sink.events.length === 4);
      const record = await inState(s, bus, 'a', 'parked');
      await s.exactly(4, sink);
      assert.deepEqual([sink.attempts('a'), record.attempts, record.length], [[1, 2, 1, 2], 2, 3]);
      sink.check();
    }),

    promise('skip: its head is a dead letter `skipped`, and those behind follow', async (s) => {
      const { sink, bus } = await parked(s, { name: 'clerk' });
      const elsewhere = await s.bus();
      assert.equal(await elsewhere.cards.skip(TOPIC, 'a'), true);
      await s.exactly(4, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 0, 1, 2], [1, 2, 1, 1]]); // prettier-ignore
      const [letter] = await s.letters(bus, 1, { topic: TOPIC });
      assert.deepEqual([letter?.reason, letter?.event?.payload], ['skipped', 0]);
      sink.check();
      await rested(s, bus);
    }),

    promise('resume and skip by several at once: one of them it is', async (s) => {
      const { sink, bus, fault } = await parked(s);
      fault.mended = true;
      const buses = [bus, ...(await s.buses(2))];
      const resumed = await Promise.all(buses.map(({ cards }) => cards.resume(TOPIC, 'a')));
      assert.equal(resumed.filter(Boolean).length, 1);
      await s.exactly(5, sink);
      sink.check();
    }),

    promise('resume of a card that does not wait, and skip of one without events, are false', async (s) => {
      const bus = await s.bus();
      const gate = s.gate();
      const sink = sinkOf(s, () => gate.opened);
      await sink.on(bus);
      const { cards } = bus;
      await cards.register(TOPIC, 'idle');
      await fill(bus, 'held', 2);
      await s.atLeast(1, sink);
      for (const card of ['idle', 'unknown', 'held']) {
        assert.equal(await cards.resume(TOPIC, card), false, card);
        assert.equal(await cards.skip(TOPIC, card), false, card);
      }
      assert.deepEqual([...(await allCards(bus)).keys()].sort(), ['held', 'idle']);
      await s.letters(bus, 0);
      gate.open();
      await s.exactly(2, sink);
      sink.check();
    }),

    promise('a card in backoff can be resumed or skipped before its time', async (s) => {
      const fault = new Fault();
      const [sink, bus] = await listening(s, { retry: { attempts: 3, delay: '10m' }, ends }, fault.work);
      for (const card of ['a', 'b']) {
        await fill(bus, card, 2);
        await inState(s, bus, card, 'backoff');
      }
      fault.mended = true;
      assert.equal(await bus.cards.resume(TOPIC, 'a'), true);
      assert.equal(await bus.cards.skip(TOPIC, 'b'), true);
      await s.exactly(5, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 0, 1], [1, 1, 1]]); // prettier-ignore
      assert.deepEqual(sink.payloads('b'), [0, 1]);
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.reason, letter?.event?.payload], ['skipped', 0]);
      await rested(s, bus);
    }),

    promise('a card that nobody handles can be skipped, event by event', async (s) => {
      const bus = await s.bus();
      await fill(bus, 'a', 3);
      assert.equal((await bus.cards.inspect(TOPIC, 'a'))?.state, 'ready');
      assert.deepEqual([await bus.cards.skip(TOPIC, 'a'), await bus.cards.skip(TOPIC, 'a')], [true, true]);
      const letters = await s.letters(bus, 2);
      assert.deepEqual(letters.map(({ event, reason }) => [event?.payload, reason]), [[0, 'skipped'], [1, 'skipped']]); // prettier-ignore
      const sink = sinkOf(s);
      await sink.on(bus);
      await s.exactly(1, sink);
      assert.deepEqual(sink.payloads('a'), [2]);
      assert.equal(await bus.cards.skip(TOPIC, 'a'), false);
    }),

    promise('block: it is tried again for ever, with the card behind it, and goes on when it succeeds', async (s) => {
      const fault = new Fault();
      const [sink, bus] = await listening(s, { retry: { ...soon(2), maxDelay: 20 }, onExhausted: 'block' }, fault.work);
      await fill(bus, 'a', 3);
      await s.atLeast(7, sink);
      assert.deepEqual(new Set(sink.payloads('a')), new Set([0]));
      assert.deepEqual(sink.attempts('a').slice(0, 7), [1, 2, 3, 4, 5, 6, 7]);
      assert.notEqual((await bus.cards.inspect(TOPIC, 'a'))?.state, 'parked');
      fault.mended = true;
      await s.until('the rest', () => sink.done.length === 3);
      assert.deepEqual(sink.handled('a'), numbers(3));
      await s.letters(bus, 0);
      sink.check();
      await rested(s, bus);
    }),

    promise('block: a blocked head can be skipped', async (s) => {
      const fault = new Fault();
      const retry = { attempts: 1, delay: '10m', maxDelay: '10m' } as const;
      const [sink, bus] = await listening(s, { retry, onExhausted: 'block', ends }, fault.work);
      await fill(bus, 'a', 2);
      await inState(s, bus, 'a', 'backoff');
      assert.equal(await bus.cards.skip(TOPIC, 'a'), true);
      await s.exactly(2, sink);
      assert.deepEqual(sink.payloads('a'), [0, 1]);
    }),

    ...(['dead-letter', 'block'] as const).map((onExhausted) =>
      promise(`Reject under ${onExhausted}: a dead letter at once, for no attempt can mend it`, async (s) => {
        const work: CardWork = (n) => {
          if (n === 0) throw new Reject('no use');
        };
        const [sink, bus] = await listening(s, { retry: soon(5), onExhausted, ends }, work);
        await fill(bus, 'a', 3);
        const [letter] = await s.letters(bus, 1, { topic: TOPIC });
        assert.deepEqual([letter?.reason, letter?.attempts, letter?.error], ['rejected', 1, 'no use']);
        await s.exactly(3, sink);
        assert.deepEqual(sink.payloads('a'), numbers(3));
        sink.check();
      }),
    ),

    promise('Reject under park: parked at once, and skip goes on', async (s) => {
      const work: CardWork = (n) => {
        if (n === 0) throw new Reject('no use');
      };
      const [sink, bus] = await listening(s, { retry: soon(5), onExhausted: 'park', ends }, work);
      await fill(bus, 'a', 3);
      const record = await inState(s, bus, 'a', 'parked');
      assert.deepEqual([record.attempts, record.lastError], [1, 'no use']);
      await s.exactly(1, sink);
      await s.letters(bus, 0);
      assert.equal(await bus.cards.skip(TOPIC, 'a'), true);
      await s.exactly(3, sink);
      sink.check();
    }),
  ],
};

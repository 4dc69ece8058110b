import assert from 'node:assert/strict';
import type { CardHandler, CardSubscribeOptions } from '../../../bus/cards.js';
import type { EventBus } from '../../../bus/event-bus.js';
import type { Subscription } from '../../../bus/subscription.js';
import type { CardContext } from '../../../core/context.js';
import { BatchError, Reject } from '../../../core/handler-errors.js';
import { fill, inState, LEASE, rested } from '../card-kit.js';
import { TOPIC } from '../card-sink.js';
import { numbers, soon, type Counting, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const NEVER = '10m';

type Work = (payloads: readonly number[], contexts: readonly CardContext[]) => unknown;

interface Call {
  readonly card: string;
  readonly payloads: readonly number[];
  readonly contexts: readonly CardContext[];
  readonly attempts: readonly number[];
}

/** A batch handler that records what it gets, and that one card has one batch at once. */
class Batches implements Counting {
  readonly events: Call[] = [];
  readonly problems: string[] = [];
  most = 0;
  private readonly running = new Set<string>();

  constructor(private readonly work: Work = () => undefined) {}

  on(
    bus: EventBus,
    batch: { size: number; maxWait: number | string },
    options: CardSubscribeOptions = {},
  ): Promise<Subscription> {
    const handler = this.handler as unknown as CardHandler;
    return bus.cards.subscribe(TOPIC, handler, { name: 'batches', ...options, batch });
  }

  of(card: string): Call[] {
    return this.events.filter((call) => call.card === card);
  }

  payloads(card: string): number[][] {
    return this.of(card).map(({ payloads }) => [...payloads]);
  }

  private readonly handler = async (payloads: readonly number[], contexts: readonly CardContext[]): Promise<void> => {
    const ids = new Set(contexts.map(({ cardId }) => cardId));
    const [card = ''] = ids;
    if (ids.size !== 1) this.problems.push(`a batch of the cards ${[...ids].join(', ')}`);
    if (this.running.has(card)) this.problems.push(`two batches of ${card} at once`);
    this.running.add(card);
    this.most = Math.max(this.most, this.running.size);
    this.events.push({ card, payloads, contexts, attempts: contexts.map(({ attempt }) => attempt) });
    try {
      await this.work(payloads, contexts);
    } finally {
      this.running.delete(card);
    }
  };
}

/** Waits until each of these numbers of the card has been in a batch. */
async function until(s: Stage, got: Batches, card: string, count: number): Promise<void> {
  await s.until(`${String(count)} events of ${card}`, () => new Set(got.payloads(card).flat()).size >= count);
  await s.quiet();
}

export const cardBatches: ConformanceTopic = {
  name: 'batches of cards',
  tests: [
    promise(
      'BatchError means its lowest index: what is before it is done, it and all after it come again',
      async (s) => {
        const bus = await s.bus();
        let failed = false;
        const got = new Batches(() => {
          if (failed) return;
          failed = true;
          throw new BatchError([4, 2]);
        });
        await got.on(bus, { size: 6, maxWait: 100 }, { retry: soon(3) });
        await fill(bus, 'a', 6);
        await until(s, got, 'a', 6);
        assert.deepEqual(got.payloads('a'), [numbers(6), [2, 3, 4, 5]]);
        assert.deepEqual(got.events[1]?.attempts, [2, 1, 1, 1]);
        await s.letters(bus, 0);
        await rested(s, bus);
      },
    ),

    promise('BatchError again and again: the lowest is a dead letter, those after it go on without it', async (s) => {
      const bus = await s.bus();
      const got = new Batches((payloads) => {
        const bad = payloads.indexOf(2);
        if (bad >= 0) throw new BatchError([bad], { cause: new Error('two') });
      });
      await got.on(bus, { size: 4, maxWait: 50 }, { retry: soon(2) });
      await fill(bus, 'a', 4);
      const [letter] = await s.letters(bus, 1, { topic: TOPIC });
      assert.deepEqual([letter?.event?.payload, letter?.error, letter?.attempts], [2, 'two', 2]);
      await s.until('three', () => got.payloads('a').length === 3);
      await s.quiet();
      assert.deepEqual(got.payloads('a'), [numbers(4), [2, 3], [3]]);
      await rested(s, bus);
    }),

    promise('any other error fails the batch from its first on: nothing is taken for done', async (s) => {
      const bus = await s.bus();
      const got = new Batches((_, contexts) => {
        if (contexts[0]?.attempt === 1) throw new Error('boom');
      });
      await got.on(bus, { size: 3, maxWait: 50 }, { retry: soon(2) });
      await fill(bus, 'a', 3);
      await s.until('the second attempt', () => got.events.length >= 2);
      await s.quiet();
      assert.deepEqual(got.payloads('a'), [numbers(3), numbers(3)]);
      assert.deepEqual(got.events[1]?.attempts, [2, 1, 1]);
      await s.letters(bus, 0);
    }),

    promise('a BatchError with an index that no event has fails the batch from its first on', async (s) => {
      const bus = await s.bus();
      const got = new Batches((payloads, contexts) => {
        if (contexts[0]?.attempt === 1) throw new BatchError([1, payloads.length]);
      });
      await got.on(bus, { size: 3, maxWait: 50 }, { retry: soon(2) });
      await fill(bus, 'a', 3);
      await s.until('the second attempt', () => got.events.length >= 2);
      await s.quiet();
      assert.deepEqual(got.payloads('a'), [numbers(3), numbers(3)]);
    }),

    promise('an error for ever: one dead letter after the other, in order, and nothing is left', async (s) => {
      const bus = await s.bus();
      const got = new Batches(() => Promise.reject(new Error('boom')));
      await got.on(bus, { size: 3, maxWait: 20 }, { retry: soon(2) });
      await fill(bus, 'a', 3);
      const letters = await s.letters(bus, 3);
      assert.deepEqual(letters.map(({ event }) => event?.payload), numbers(3)); // prettier-ignore
      await rested(s, bus);
    }),

    promise('Reject makes dead letters without another attempt', async (s) => {
      const bus = await s.bus();
      const got = new Batches(() => {
        throw new Reject('no');
      });
      await got.on(bus, { size: 3, maxWait: 20 }, { retry: soon(5) });
      await fill(bus, 'a', 3);
      for (const { reason, attempts } of await s.letters(bus, 3)) assert.deepEqual([reason, attempts], ['rejected', 1]);
      for (const { attempts } of got.events) assert.deepEqual(new Set(attempts), new Set([1]));
      await rested(s, bus);
    }),

    promise('park: the card waits with the event that failed for good, what is before it is done', async (s) => {
      const bus = await s.bus();
      let broken = true;
      const got = new Batches((payloads) => {
        const bad = payloads.indexOf(1);
        if (broken && bad >= 0) throw new BatchError([bad]);
      });
      await got.on(bus, { size: 3, maxWait: 20 }, { retry: soon(1), onExhausted: 'park' });
      await fill(bus, 'a', 3);
      assert.equal((await inState(s, bus, 'a', 'parked')).length, 2);
      broken = false;
      await bus.cards.resume(TOPIC, 'a');
      await s.until('the rest', () => got.events.length === 2);
      assert.deepEqual(got.payloads('a'), [numbers(3), [1, 2]]);
      await rested(s, bus);
    }),

    promise('consecutive events of one card, at most `size`; other cards have batches of their own', async (s) => {
      const bus = await s.bus();
      const got = new Batches();
      const cards = ['a', 'b', 'c'];
      for (const card of cards) await fill(bus, card, 10);
      await got.on(bus, { size: 4, maxWait: 50 });
      for (const card of cards) {
        await until(s, got, card, 10);
        assert.deepEqual(got.payloads(card).flat(), numbers(10));
        assert.ok(got.payloads(card).every((batch) => batch.length <= 4));
        assert.deepEqual(got.payloads(card)[0], numbers(4));
      }
      assert.deepEqual(got.problems, []);
      await rested(s, bus);
    }),

    promise('one that gets full goes at once, and those behind it follow', async (s) => {
      const bus = await s.bus();
      const got = new Batches();
      await got.on(bus, { size: 5, maxWait: NEVER });
      await fill(bus, 'a', 3);
      await s.exactly(0, got);
      await fill(bus, 'a', 17, 3);
      await s.exactly(4, got);
      assert.deepEqual(got.payloads('a').flat(), numbers(20));
      assert.ok(got.events.every(({ payloads }) => payloads.length === 5));
    }),

    promise('one that does not get full goes after maxWait, with what has come meanwhile', async (s) => {
      const bus = await s.bus();
      const got = new Batches();
      await got.on(bus, { size: 100, maxWait: 300 });
      await fill(bus, 'a', 2);
      await s.harness.advance(50);
      await fill(bus, 'a', 3, 2);
      await until(s, got, 'a', 5);
      assert.deepEqual(got.payloads('a').flat(), numbers(5));
      assert.ok(got.events.length <= 2, 'in one batch, or two where the machine is slow');
    }),

    promise('a card that waits for its batch keeps its process, however long that is', async (s) => {
      const [a, b] = await s.buses(2, LEASE);
      assert.ok(a && b);
      const [got, other] = [new Batches(), new Batches()];
      await got.on(a, { size: 4, maxWait: NEVER });
      await fill(a, 'a', 3);
      await s.quiet();
      await other.on(b, { size: 1, maxWait: 0 });
      await s.harness.advance(2_500);
      assert.deepEqual([got.events.length, other.events.length], [0, 0]);
      await fill(b, 'a', 1, 3);
      await s.exactly(1, got);
      await s.exactly(0, other);
    }),

    promise('a drain does not wait for a batch to get full, and loses nothing of it', async (s) => {
      const [leaving, staying] = await s.buses(2);
      assert.ok(leaving && staying);
      const [got, other] = [new Batches(), new Batches()];
      await got.on(leaving, { size: 100, maxWait: NEVER });
      await fill(staying, 'a', 3);
      await s.exactly(0, got);
      await s.value(leaving.close());
      await other.on(staying, { size: 1, maxWait: 0 });
      await s.until('all', () => got.payloads('a').flat().length + other.payloads('a').flat().length === 3);
      assert.deepEqual([...got.payloads('a').flat(), ...other.payloads('a').flat()], numbers(3));
      await rested(s, staying);
    }),

    promise('concurrency is cards at once; without it one', async (s) => {
      for (const concurrency of [1, 2]) {
        const bus = await s.bus();
        const gate = s.gate();
        const got = new Batches(() => gate.opened);
        const subscription = await got.on(bus, { size: 2, maxWait: 0 }, concurrency === 1 ? {} : { concurrency });
        for (const card of numbers(4)) await fill(bus, `${String(concurrency)}-${String(card)}`, 4);
        await s.exactly(concurrency, got);
        gate.open();
        await s.until('all', () => got.events.flatMap(({ payloads }) => payloads).length === 16);
        assert.equal(got.most, concurrency);
        await subscription.close();
      }
    }),

    promise('what the filter does not want is in no batch; the rest keeps its order', async (s) => {
      const bus = await s.bus();
      const got = new Batches();
      await got.on(bus, { size: 5, maxWait: 50 }, { filter: (n: number) => n % 2 === 0 });
      await fill(bus, 'a', 20);
      await until(s, got, 'a', 10);
      assert.deepEqual(got.payloads('a').flat(), numbers(10).map((n) => n * 2)); // prettier-ignore
      await rested(s, bus);
    }),

    promise(
      'an entry that cannot be read is in no batch: a dead letter, the others are handled in order',
      async (s) => {
        const bus = await s.bus();
        const got = new Batches();
        await fill(bus, 'a', 2);
        await s.harness.rawCardEntry?.(TOPIC, 'a', { ce: '["half', data: '{"half":' });
        await fill(bus, 'a', 2, 2);
        await got.on(bus, { size: 5, maxWait: 50 });
        await until(s, got, 'a', 4);
        assert.deepEqual(got.payloads('a').flat(), numbers(4));
        const [letter] = await s.letters(bus, 1);
        assert.equal(letter?.reason, 'undecodable');
        await rested(s, bus);
      },
      'raw-entries',
    ),

    promise('each context is that of its payload', async (s) => {
      const bus = await s.bus();
      const got = new Batches();
      const receipts = await Promise.all(
        numbers(4).map((n) => bus.cards.publish(TOPIC, 'a', n, { headers: { n: String(n) } })),
      );
      await got.on(bus, { size: 4, maxWait: NEVER });
      await s.exactly(1, got);
      const [call] = got.events;
      assert.deepEqual(
        call?.contexts.map(({ id, topic, cardId, handler, headers }) => [id, topic, cardId, handler, headers['n']]),
        receipts.map(({ id }, n) => [id, TOPIC, 'a', 'batches', String(n)]),
      );
      assert.equal(new Set(call.contexts.map(({ sequence }) => sequence)).size, 4);
      assert.equal(new Set(call.contexts.map(({ fencingToken }) => fencingToken)).size, 1);
    }),

    promise('an owner that dies with a batch: its events come again in order, under a higher token', async (s) => {
      const [dying, other] = await s.buses(2, LEASE);
      assert.ok(dying && other);
      const got = new Batches(() => s.gate().opened);
      await got.on(dying, { size: 3, maxWait: 20 });
      await fill(other, 'a', 5);
      await s.atLeast(1, got);
      await s.harness.crash(dying);
      const next = new Batches();
      await next.on(other, { size: 3, maxWait: 20 });
      await until(s, next, 'a', 5);
      assert.deepEqual(next.payloads('a').flat(), numbers(5));
      const [before, after] = [got.events[0]?.contexts[0], next.events[0]?.contexts[0]];
      assert.ok(before && after && BigInt(after.fencingToken) > BigInt(before.fencingToken));
      assert.deepEqual([after.attempt, after.redelivered], [2, true]);
      await rested(s, other);
    }),

    promise('over several processes with failures: in order, and each event done once', async (s) => {
      const buses = await s.buses(3, { cards: { quantum: 5 } });
      const done = new Map<string, number[]>();
      const got = new Batches((payloads, contexts) => {
        const cardId = contexts[0]?.cardId ?? '';
        const row = done.get(cardId) ?? [];
        const bad = payloads.findIndex((n, index) => n % 5 === 3 && contexts[index]?.attempt === 1);
        row.push(...payloads.slice(0, bad < 0 ? payloads.length : bad));
        done.set(cardId, row);
        if (bad >= 0) throw new BatchError([bad]);
      });
      for (const bus of buses) await got.on(bus, { size: 4, maxWait: 10 }, { retry: soon(3), concurrency: 4 });
      const [publisher] = buses;
      assert.ok(publisher);
      await Promise.all(numbers(10).map((card) => fill(publisher, String(card), 20)));
      await s.until('all', () => [...done.values()].flat().length >= 200, '20s');
      await rested(s, publisher);
      for (const card of numbers(10)) assert.deepEqual(done.get(String(card)), numbers(20));
      assert.deepEqual(got.problems, []);
      await s.letters(publisher, 0);
    }),
  ],
};

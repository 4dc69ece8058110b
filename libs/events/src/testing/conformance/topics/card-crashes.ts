import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import type { DeadLetterFilter } from '../../../bus/dead-letters.js';
import { fill, inState, LEASE, lifetimes, rested, sinkOf } from '../card-kit.js';
import { TOPIC, type CardRun, type CardWork } from '../card-sink.js';
import { failing, numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const POISON = 100;
const never = new Promise<never>(() => undefined);
const ofTopic: DeadLetterFilter = { topic: TOPIC };
/** The poison alone may be settled without having been handled. */
const ends = ({ payload }: CardRun): boolean => payload === POISON;
const poison: CardWork = (n, _, { die }) => (n === POISON ? die() : undefined);

const buried =
  (bus: EventBus, count = 1) =>
  async (): Promise<boolean> =>
    (await bus.deadLetters.list(ofTopic)).total >= count;

export const cardCrashes: ConformanceTopic = {
  name: 'processes that die with cards',
  tests: [
    promise('the owner dies mid-handler: the next begins with the same event, attempt + 1, higher token', async (s) => {
      const publisher = await s.bus(LEASE);
      const sink = sinkOf(s, (n, { attempt }, { die }) => (n === 2 && attempt === 1 ? die() : undefined));
      await fill(publisher, 'a', 6);
      const deaths = await lifetimes(s, sink, {}, () => sink.done.length === 6);
      assert.equal(deaths, 1);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 1, 2, 2, 3, 4, 5], [1, 1, 1, 2, 1, 1, 1]]); // prettier-ignore
      const [before, after] = sink.events.slice(2);
      assert.ok(before && after);
      assert.equal(before.sequence, after.sequence);
      assert.ok(BigInt(after.token) > BigInt(before.token));
      assert.deepEqual([before.redelivered, after.redelivered], [false, true]);
      sink.check();
      await s.letters(publisher, 0);
      await rested(s, publisher);
    }),

    promise('it dies between the effect and its acknowledgement: the event repeats once, and says so', async (s) => {
      const publisher = await s.bus(LEASE);
      const effects: [number, number, boolean][] = [];
      const sink = sinkOf(s, (n, { attempt, redelivered }, { die }) => {
        effects.push([n, attempt, redelivered]);
        return n === 1 && attempt === 1 ? die() : undefined;
      });
      await fill(publisher, 'a', 3);
      await lifetimes(s, sink, {}, () => sink.done.length === 3);
      assert.deepEqual(effects, [[0, 1, false], [1, 1, false], [1, 2, true], [2, 1, effects[3]?.[2] ?? false]]); // prettier-ignore
      sink.check();
    }),

    promise('others that live take over, each card where it stood; nothing is lost or out of order', async (s) => {
      const [dying, ...others] = await s.buses(3, LEASE);
      const [publisher] = others;
      assert.ok(dying && publisher);
      const gate = s.gate();
      const sink = sinkOf(s, (n, _, { bus }) => (bus === dying && n === 1 ? gate.opened : undefined));
      await sink.on(dying, { concurrency: 20 });
      for (const card of numbers(20)) await fill(publisher, String(card), 4);
      await s.exactly(40, sink);
      for (const bus of others) await sink.on(bus, { concurrency: 20 });
      void sink.process(dying).die();
      await s.until('all', () => sink.done.length === 80, '15s');
      for (const card of numbers(20)) {
        assert.deepEqual(sink.payloads(String(card)), [0, 1, 1, 2, 3]);
        assert.deepEqual(sink.attempts(String(card)), [1, 1, 2, 1, 1]);
      }
      sink.check();
      await s.letters(publisher, 0);
      await rested(s, publisher);
    }),

    promise(
      'an event whose owners die again and again: counted, in the end a dead letter, no crash loop',
      async (s) => {
        const publisher = await s.bus(LEASE);
        const sink = sinkOf(s, poison, ends);
        await publisher.cards.publish(TOPIC, 'a', POISON);
        await fill(publisher, 'a', 3);
        const deaths = await lifetimes(
          s,
          sink,
          { name: 'clerk', retry: { attempts: 2 } },
          async () => sink.done.length === 3 && (await buried(publisher)()),
        );
        const [letter] = await s.letters(publisher, 1, ofTopic);
        assert.deepEqual([letter?.reason, letter?.handler, letter?.event?.payload], ['crashed', 'clerk', POISON]);
        // Two deaths make it suspect; of those that come then, alone, it has as many as attempts.
        assert.deepEqual([deaths, letter?.attempts], [4, 4]);
        assert.deepEqual(sink.attempts('a'), [1, 2, 3, 4, 1, 1, 1]);
        assert.deepEqual(sink.handled('a'), numbers(3));
        sink.check();
        await rested(s, publisher);
      },
    ),

    promise('its neighbours, at work when it died, are handled; after two deaths each runs alone', async (s) => {
      const publisher = await s.bus(LEASE);
      const cards = numbers(4).map(String);
      const lives = new Set<unknown>();
      let inHand = 0;
      let alone = true;
      const sink = sinkOf(
        s,
        async (n, _, process) => {
          if (!lives.has(process)) inHand = 0;
          // Nobody ends in the first two lives before all are in hand and one of them takes the process down.
          if (lives.add(process).size <= 2) return ++inHand <= cards.length ? never : process.die();
          alone &&= sink.atWork() === 1;
          if (n === POISON) return process.die();
          await s.harness.deadLetters();
          alone &&= sink.atWork() === 1;
          return undefined;
        },
        ends,
      );
      await publisher.cards.publish(TOPIC, 'bad', POISON);
      for (const card of cards) await fill(publisher, card, 1);
      const over = async (): Promise<boolean> => sink.done.length === cards.length && (await buried(publisher)());
      await lifetimes(s, sink, { retry: { attempts: 1 } }, over);
      const letters = await s.letters(publisher, 1, ofTopic);
      assert.deepEqual(letters.map(({ reason, event }) => [reason, event?.payload]), [['crashed', POISON]]); // prettier-ignore
      for (const card of cards) assert.deepEqual(sink.handled(card), [0]);
      assert.ok(alone, 'suspects run alone');
      sink.check();
      await rested(s, publisher);
    }),

    promise('park: after its deaths the card waits, and can be resumed when its fault is mended', async (s) => {
      const publisher = await s.bus(LEASE);
      let mended = false;
      const sink = sinkOf(s, (n, context, process) => (mended ? undefined : poison(n, context, process)), ends);
      await publisher.cards.publish(TOPIC, 'a', POISON);
      await fill(publisher, 'a', 2);
      await fill(publisher, 'b', 2);
      const options = { retry: { attempts: 1 }, onExhausted: 'park' } as const;
      const parked = async (): Promise<boolean> =>
        (await publisher.cards.inspect(TOPIC, 'a'))?.state === 'parked' && sink.handled('b').length === 2;
      const deaths = await lifetimes(s, sink, options, parked);
      assert.equal(deaths, 3);
      const record = await inState(s, publisher, 'a', 'parked');
      assert.deepEqual([record.length, record.attempts], [3, 3]);
      await s.letters(publisher, 0);
      mended = true;
      await publisher.cards.resume(TOPIC, 'a');
      await lifetimes(s, sink, options, () => sink.handled('a').length === 3);
      assert.deepEqual(sink.handled('a'), [POISON, 0, 1]);
      assert.deepEqual(sink.attempts('a'), [1, 2, 3, 1, 1, 1]);
      sink.check();
    }),

    promise('block: deaths do not end it; it succeeds when its fault is mended', async (s) => {
      const publisher = await s.bus(LEASE);
      const sink = sinkOf(s, (n, { attempt }, { die }) => (n === 0 && attempt < 5 ? die() : undefined));
      await fill(publisher, 'a', 2);
      const options = { retry: { attempts: 1, delay: 20, maxDelay: 20 }, onExhausted: 'block' } as const;
      await lifetimes(s, sink, options, () => sink.done.length === 2);
      assert.deepEqual(sink.handled('a'), numbers(2));
      await s.letters(publisher, 0);
      sink.check();
    }),

    promise('deaths and failures together are counted together', async (s) => {
      const publisher = await s.bus(LEASE);
      const work: CardWork = (n, context, { die }) => {
        if (n !== 0) return;
        if (context.attempt === 2) return die();
        return context.attempt < 4 ? failing()(n, context) : undefined;
      };
      const sink = sinkOf(s, work);
      await fill(publisher, 'a', 2);
      const options = { retry: { attempts: 5, delay: 20, backoff: 'fixed' } } as const;
      const deaths = await lifetimes(s, sink, options, () => sink.done.length === 2);
      assert.deepEqual([deaths, sink.attempts('a')], [1, [1, 2, 3, 4, 1]]);
      sink.check();
      await s.letters(publisher, 0);
    }),

    promise('an orderly hand-over of a suspect is no death: it runs again and is not condemned', async (s) => {
      const publisher = await s.bus(LEASE);
      let calls = 0;
      const sink = sinkOf(s, (_n, _c, { die }) => {
        if (++calls < 3) return die();
        return calls === 3 ? s.gate().opened : undefined;
      });
      await fill(publisher, 'a', 1);
      const options = { retry: { attempts: 1 } };
      assert.equal(await lifetimes(s, sink, options, () => calls === 3), 2);
      assert.equal(await lifetimes(s, sink, options, () => sink.done.length === 1), 0);
      assert.deepEqual(sink.attempts('a'), [1, 2, 3, 3]);
      await s.letters(publisher, 0);
    }),

    promise('a process that dies while its cards wait: what is in backoff or parked stays so', async (s) => {
      const [dying, other] = await s.buses(2, LEASE);
      assert.ok(dying && other);
      const sink = sinkOf(s, failing());
      const retry = { attempts: 2, delay: '10m', backoff: 'fixed' } as const;
      await sink.on(dying, { retry });
      await fill(other, 'a', 2);
      await inState(s, other, 'a', 'backoff');
      await s.harness.crash(dying);
      await sink.on(other, { retry });
      await s.harness.advance(2_500);
      await s.exactly(1, sink);
      assert.equal((await inState(s, other, 'a', 'backoff')).attempts, 1);
    }),

    promise('all are dead and the lease has long run out: who comes then takes the cards', async (s) => {
      const publisher = await s.bus(LEASE);
      const sink = sinkOf(s, (n, { attempt }, { die }) => (n === 0 && attempt === 1 ? die() : undefined));
      const first = await s.bus(LEASE);
      await sink.on(first);
      await fill(publisher, 'a', 3);
      await s.until('its death', () => !sink.process(first).alive);
      await s.harness.advance(3_000);
      await fill(publisher, 'a', 2, 3);
      const next = await s.bus(LEASE);
      await sink.on(next);
      await s.exactly(6, sink);
      assert.deepEqual(sink.handled('a'), numbers(5));
      sink.check();
      await rested(s, publisher);
    }),
  ],
};

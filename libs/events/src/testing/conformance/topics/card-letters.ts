import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import type { SystemWarning } from '../../../bus/system-events.js';
import { Reject } from '../../../core/handler-errors.js';
import { fill, listening, rested, sinkOf } from '../card-kit.js';
import { TOPIC, type CardSink, type CardWork } from '../card-sink.js';
import { failing, numbers, soon, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const ofTopic = { topic: TOPIC };
const ends = (): boolean => true;

/** Rejects while it is broken. */
class Fault {
  mended = false;

  readonly work: CardWork = (n) => {
    if (!this.mended && n < 3) throw new Reject(`no ${String(n)}`);
  };
}

/** Letters of the events 0, 1, 2 of card 'a', filed in this order; 3 and 4 are handled. */
async function three(s: Stage): Promise<{ sink: CardSink; bus: EventBus; fault: Fault }> {
  const fault = new Fault();
  const [sink, bus] = await listening(s, { name: 'clerk', retry: { attempts: 1 }, ends }, fault.work);
  await fill(bus, 'a', 5);
  await s.exactly(5, sink);
  await s.letters(bus, 3, ofTopic);
  return { sink, bus, fault };
}

export const cardLetters: ConformanceTopic = {
  name: 'dead letters of cards',
  tests: [
    promise('a letter keeps the event as it was sent, its card, who failed, with what and when', async (s) => {
      const [bus, sender] = await s.buses(2, { service: 'shop' });
      assert.ok(bus && sender);
      const sink = sinkOf(s, failing(), ends);
      await sink.on(bus, { name: 'clerk', retry: { attempts: 1 } });
      const { id } = await sender.cards.publish(TOPIC, 'ä:1', { deep: [1, 'ä'] }, { headers: { tenant: 'x' } });
      const [letter] = await s.letters(sender, 1, ofTopic);
      assert.ok(letter);
      const { event } = letter;
      assert.deepEqual([letter.topic, letter.cardId, letter.reason, letter.handler, letter.group, letter.attempts, letter.error, letter.replay], [TOPIC, 'ä:1', 'handler-failed', 'clerk', undefined, 1, 'attempt 1 fails', undefined]); // prettier-ignore
      assert.match(letter.stack ?? '', /attempt 1 fails[^]*stage/);
      assert.ok(letter.time instanceof Date && event?.time instanceof Date);
      assert.deepEqual([event.id, event.payload, event.source, event.sourceInstance], [id, { deep: [1, 'ä'] }, 'shop', sender.instanceId]); // prettier-ignore
      assert.deepEqual([event.version, { ...event.headers }, event.correlationId], [1, { tenant: 'x' }, id]);
      assert.deepEqual(await bus.deadLetters.get(letter.id), letter);
      const rows = await s.deadLetters(1);
      assert.deepEqual([rows[0]?.type, rows[0]?.id, rows[0]?.reason, rows[0]?.cardId], [TOPIC, id, 'handler-failed', 'ä:1']); // prettier-ignore
    }),

    promise(
      'they are listed by topic, newest first, and by handler and reason; also beside those of types',
      async (s) => {
        const { bus, sink } = await three(s);
        await sink.on(bus, { name: 'other', retry: { attempts: 1 } }, 'other');
        await fill(bus, 'x', 1, 0, 'other');
        await s.record(bus, TOPIC, { group: 'billing', name: 'of-type', retry: { attempts: 1 }, then: failing() });
        await bus.publish(TOPIC, 'by type');
        await s.letters(bus, 1, { topic: 'other' });
        await s.until('five', async () => (await bus.deadLetters.list()).total === 5);
        const payloads = async (filter: object): Promise<unknown[]> =>
          (await bus.deadLetters.list(filter)).items.map(({ event }) => event?.payload);
        assert.deepEqual(await payloads(ofTopic), [2, 1, 0]);
        assert.deepEqual(await payloads({ ...ofTopic, handler: 'clerk', reason: 'rejected' }), [2, 1, 0]);
        assert.deepEqual(await payloads({ ...ofTopic, handler: 'other' }), []);
        assert.deepEqual(await payloads({ topic: 'other' }), [0]);
        assert.deepEqual(await payloads({ topic: 'nobody' }), []);
        assert.deepEqual(await payloads({ group: 'billing' }), ['by type']);
        assert.deepEqual((await bus.deadLetters.list({ ...ofTopic, page: 2, pageSize: 2 })).total, 3);
        await s.refusal(bus.deadLetters.list({ topic: 'a:b' }), 'INVALID_CARD');
      },
    ),

    promise('replay puts them at the end of their card, in their order, with attempts that begin again', async (s) => {
      const { bus, sink, fault } = await three(s);
      fault.mended = true;
      const elsewhere = await s.bus();
      const { replayed } = await s.value(elsewhere.deadLetters.replay(ofTopic));
      assert.equal(replayed, 3);
      await s.exactly(8, sink);
      assert.deepEqual(sink.payloads('a'), [0, 1, 2, 3, 4, 0, 1, 2]);
      assert.deepEqual(new Set(sink.attempts('a')), new Set([1]));
      const ids = sink.events.map(({ context }) => context.id);
      assert.deepEqual(ids.slice(5), ids.slice(0, 3));
      await s.letters(bus, 0, ofTopic);
      sink.check();
      await rested(s, bus);
    }),

    promise('one of them can be replayed by its id, once', async (s) => {
      const { bus, sink, fault } = await three(s);
      fault.mended = true;
      const [, second] = await s.letters(bus, 3, ofTopic);
      assert.ok(second);
      const both = await Promise.all([bus.deadLetters.replay(second.id), bus.deadLetters.replay(second.id)]);
      assert.equal(both.reduce((sum, { replayed }) => sum + replayed, 0), 1); // prettier-ignore
      await s.exactly(6, sink);
      assert.equal(sink.last.payload, 1);
      await s.letters(bus, 2, ofTopic);
      sink.check();
    }),

    promise('what fails again is a dead letter again', async (s) => {
      const { bus, sink } = await three(s);
      await s.value(bus.deadLetters.replay(ofTopic));
      await s.exactly(8, sink);
      await s.letters(bus, 3, ofTopic);
      await rested(s, bus);
    }),

    promise('replay with nobody there: they wait in their card', async (s) => {
      const { bus, sink, fault } = await three(s);
      const other = await s.bus();
      await s.value(bus.close());
      await s.value(other.deadLetters.replay(ofTopic));
      assert.equal((await other.cards.inspect(TOPIC, 'a'))?.length, 3);
      fault.mended = true;
      await sink.on(other);
      await s.exactly(8, sink);
      await rested(s, other);
    }),

    promise('a letter of a card that was unregistered makes it again', async (s) => {
      const { bus, sink, fault } = await three(s);
      await bus.cards.unregister(TOPIC, 'a');
      await s.until('the card to be gone', async () => (await bus.cards.inspect(TOPIC, 'a')) === undefined);
      fault.mended = true;
      await s.value(bus.deadLetters.replay(ofTopic));
      await s.exactly(8, sink);
      assert.deepEqual(sink.payloads('a').slice(5), numbers(3));
    }),

    promise('dryRun, limit and maxFailures hold for them too', async (s) => {
      const { bus, sink } = await three(s);
      const dry = await bus.deadLetters.replay(ofTopic, { dryRun: true });
      assert.ok(dry.replayed === 0 || dry.replayed === 3);
      await s.letters(bus, 3, ofTopic);
      await s.exactly(5, sink);
      assert.equal((await s.value(bus.deadLetters.replay(ofTopic, { limit: 2 }))).replayed, 2);
      await s.exactly(7, sink);
      assert.deepEqual(sink.payloads('a').slice(5), [0, 1]);
      await s.value(bus.deadLetters.replay(ofTopic, { maxFailures: 1 }));
      await s.letters(bus, 3, ofTopic);
    }),

    promise('discard drops one by its id, or all that fit', async (s) => {
      const { bus } = await three(s);
      const [first] = await s.letters(bus, 3, ofTopic);
      assert.ok(first);
      assert.deepEqual([await bus.deadLetters.discard(first.id), await bus.deadLetters.discard(first.id)], [1, 0]);
      assert.equal(await bus.deadLetters.get(first.id), undefined);
      assert.equal(await bus.deadLetters.discard({ ...ofTopic, handler: 'nobody' }), 0);
      assert.equal(await bus.deadLetters.discard(ofTopic), 2);
      assert.equal((await bus.deadLetters.list(ofTopic)).total, 0);
    }),

    promise('topics and types of one name have letters of their own, with ids of their own', async (s) => {
      const { bus } = await three(s);
      await s.record(bus, TOPIC, { group: 'g', name: 'of-type', retry: { attempts: 1 }, then: failing() });
      await bus.publish(TOPIC, 'by type');
      const [ofType] = await s.letters(bus, 1, { group: 'g' });
      assert.ok(ofType);
      assert.equal(ofType.topic, undefined);
      const all = (await bus.deadLetters.list()).items;
      assert.equal(new Set(all.map(({ id }) => id)).size, 4);
      for (const letter of all) assert.deepEqual(await bus.deadLetters.get(letter.id), letter);
      assert.equal(await bus.deadLetters.discard(ofTopic), 3);
      assert.deepEqual(await bus.deadLetters.get(ofType.id), ofType);
    }),

    promise('topics and cards with strange names have letters that can be found, replayed and dropped', async (s) => {
      const topics = ['a b', 'x@y', 'ä', '%41', 'a.b*#', '\u2028', '@', '1-0'];
      const fault = new Fault();
      const [sink, bus] = await listening(s, { ends }, fault.work);
      for (const topic of topics) {
        await sink.on(bus, { retry: { attempts: 1 } }, topic);
        await fill(bus, `${topic} @1-0:x`, 1, 0, topic);
        const [letter] = await s.letters(bus, 1, { topic });
        assert.deepEqual([letter?.topic, letter?.cardId], [topic, `${topic} @1-0:x`]);
        assert.deepEqual(await bus.deadLetters.get(letter?.id ?? ''), letter, topic);
      }
      fault.mended = true;
      for (const topic of topics) {
        const [letter] = await s.letters(bus, 1, { topic });
        assert.equal((await s.value(bus.deadLetters.replay(letter?.id ?? ''))).replayed, 1, topic);
      }
      await s.exactly(topics.length * 2, sink);
      assert.equal((await bus.deadLetters.list()).total, 0);
      sink.check();
    }),

    promise('each is said in system.warning, with its topic and card', async (s) => {
      const [, bus] = await listening(s, { retry: { attempts: 1 }, ends }, failing());
      const warnings = await s.record(bus, 'system.warning');
      const { id } = await bus.cards.publish(TOPIC, 'card-7', 0);
      await s.letters(bus, 1, ofTopic);
      await s.exactly(1, warnings);
      const { cause, message } = warnings.last.payload as SystemWarning;
      assert.equal(cause, 'dead-letter');
      for (const part of [TOPIC, 'card-7', id]) assert.ok(message.includes(part), message);
    }),

    promise('a listing of dead letters hides what `redact` says, and nothing of what is kept', async (s) => {
      let broken = true;
      const bus = await s.bus({ redact: ['password'] });
      const got: unknown[] = [];
      await bus.cards.subscribe(TOPIC, (payload) => {
        got.push(payload);
        if (broken) throw new Error('boom');
      }, { retry: soon(1) }); // prettier-ignore
      const payload = { name: 'ada', password: 'secret' };
      await bus.cards.publish(TOPIC, 'a', payload);
      const [letter] = await s.letters(bus, 1, ofTopic);
      assert.ok(!JSON.stringify(letter).includes('secret'));
      broken = false;
      await s.value(bus.deadLetters.replay(ofTopic));
      await s.until('both', () => got.length === 2);
      assert.deepEqual(got, [payload, payload]);
    }),
  ],
};

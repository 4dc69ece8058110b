import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import type { EventHandler } from '../../../core/handler.js';
import type { EventsRecorder } from '../../recorder.js';
import { attempts, failing, numbers, soon, sorted, type RecordOptions, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
const once = { retry: { attempts: 1 } };

/** A handler with a fault that can be mended. */
class Faulty {
  broken = true;
  readonly then: EventHandler = (payload, context) => {
    if (this.broken) failing()(payload, context);
  };
}

/** Letters with the payloads 0 … count - 1 of one handler of the group; filed in this order. */
async function lettersOf(
  s: Stage,
  bus: EventBus,
  count: number,
  options: RecordOptions = { group, ...once },
): Promise<{ readonly fault: Faulty; readonly recorder: EventsRecorder }> {
  const fault = new Faulty();
  const recorder = await s.record(bus, 'order.created', { name: 'bad', concurrency: 1, then: fault.then, ...options });
  for (const n of numbers(count)) await bus.publish('order.created', n);
  await s.letters(bus, count);
  recorder.clear();
  return { fault, recorder };
}

export const replays: ConformanceTopic = {
  name: 'replays of dead letters',
  tests: [
    promise(
      'two operators replay the same letters at once: each is replayed by one of them, and handled once',
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        const { fault, recorder } = await lettersOf(s, a, 40);
        fault.broken = false;
        const results = await s.value(Promise.all([a, b, a].map((bus) => bus.deadLetters.replay({ group }))));
        assert.equal(results.reduce((sum, { replayed }) => sum + replayed, 0), 40); // prettier-ignore
        assert.equal(new Set(results.flatMap(({ ids }) => ids)).size, 40);
        await s.exactly(40, recorder);
        assert.deepEqual(sorted(recorder), numbers(40));
        assert.equal((await a.deadLetters.list()).total, 0);
      },
    ),

    promise('two operators replay one letter by its id at once: one of them does', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const { fault, recorder } = await lettersOf(s, a, 1);
      fault.broken = false;
      const [letter] = (await b.deadLetters.list()).items;
      const id = letter?.id ?? '';
      const results = await s.value(Promise.all([a.deadLetters.replay(id), b.deadLetters.replay(id)]));
      assert.deepEqual(results.map(({ replayed }) => replayed).sort(), [0, 1]);
      await s.exactly(1, recorder);
    }),

    promise('one replays while another discards: each letter is one or the other', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const { fault, recorder } = await lettersOf(s, a, 30);
      fault.broken = false;
      const replaying = a.deadLetters.replay({});
      const [{ replayed }, discarded] = await s.value(Promise.all([replaying, b.deadLetters.discard({})]));
      assert.equal(replayed + discarded, 30);
      await s.exactly(replayed, recorder);
      assert.equal((await a.deadLetters.list()).total, 0);
    }),

    promise('a replay reaches only the handler that failed, in its group: nobody else sees it', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const { fault, recorder } = await lettersOf(s, a, 3);
      const others = [
        await s.record(a, 'order.created', { group, name: 'good' }),
        await s.record(a, 'order.*', { group: 'stock', name: 'bad' }),
        await s.record(a, 'order.created', { name: 'bad' }),
        await s.record(b, 'order.*'),
      ];
      fault.broken = false;
      const { replayed, missed, failed, ids, operation } = await s.value(a.deadLetters.replay({ group }));
      assert.deepEqual([replayed, missed, failed, ids.length], [3, 0, 0, 3]);
      assert.ok(operation.length > 0);
      await s.exactly(3, recorder);
      await s.exactly(0, ...others);
      assert.equal((await b.deadLetters.list()).total, 0);
    }),

    promise('a replayed event is the original one, and its attempts begin again', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const fault = new Faulty();
      const recorder = await s.record(a, 'order.created', { group, name: 'bad', retry: soon(3), then: fault.then });
      const { id, time } = await b.publish('order.created', { n: 1 }, { headers: { tenant: 'x' }, correlationId: 'c' });
      const [letter] = await s.letters(b, 1);
      await s.value(b.deadLetters.replay(letter?.id ?? ''));
      await s.atLeast(6, recorder);
      const [again] = await s.letters(b, 1);
      assert.deepEqual(attempts(recorder), [1, 2, 3, 1, 2, 3]);
      for (const { payload, context } of recorder.events) {
        assert.deepEqual([payload, context.id, context.group], [{ n: 1 }, id, group]);
        assert.deepEqual([context.headers['tenant'], context.correlationId], ['x', 'c']);
        assert.equal(context.time.getTime(), time.getTime());
      }
      assert.equal(again?.attempts, 3);
      assert.notEqual(again.id, letter?.id);
    }),

    promise(
      'one that fails again is a letter that names its replay; one that was not replayed names none',
      async (s) => {
        const bus = await s.bus();
        const { recorder } = await lettersOf(s, bus, 2);
        const [, oldest] = (await bus.deadLetters.list()).items;
        const first = await s.value(bus.deadLetters.replay(oldest?.id ?? ''));
        await s.exactly(1, recorder);
        const [untouched, replayed] = await s.letters(bus, 2);
        assert.deepEqual([untouched?.replay, replayed?.replay], [undefined, first.operation]);
        assert.deepEqual([untouched?.event?.payload, replayed?.event?.payload], [1, 0]);
        const second = await s.value(bus.deadLetters.replay(replayed?.id ?? ''));
        await s.exactly(2, recorder);
        const [, twice] = await s.letters(bus, 2);
        assert.equal(twice?.replay, second.operation);
        assert.notEqual(first.operation, second.operation);
      },
    ),

    promise('dryRun tells which it would be, and does nothing', async (s) => {
      const bus = await s.bus();
      const { recorder } = await lettersOf(s, bus, 5);
      const { items } = await bus.deadLetters.list();
      const { replayed, ids } = await s.value(bus.deadLetters.replay({}, { dryRun: true, limit: 3 }));
      assert.equal(replayed, 0);
      assert.deepEqual(
        ids,
        items
          .map(({ id }) => id)
          .reverse()
          .slice(0, 3),
      );
      const one = await s.value(bus.deadLetters.replay(items[0]?.id ?? '', { dryRun: true }));
      assert.deepEqual([one.replayed, one.ids], [0, [items[0]?.id]]);
      await s.exactly(0, recorder);
      assert.equal((await bus.deadLetters.list()).total, 5);
    }),

    promise('limit takes the oldest', async (s) => {
      const bus = await s.bus();
      const { fault, recorder } = await lettersOf(s, bus, 5);
      fault.broken = false;
      const { replayed } = await s.value(bus.deadLetters.replay({ type: 'order.*' }, { limit: 2 }));
      assert.equal(replayed, 2);
      await s.exactly(2, recorder);
      assert.deepEqual(sorted(recorder), [0, 1]);
      assert.equal((await bus.deadLetters.list()).total, 3);
    }),

    promise('a filter replays what fits, and leaves the rest', async (s) => {
      const bus = await s.bus();
      const fault = new Faulty();
      const one = await s.record(bus, 'order.*', { group, name: 'one', ...once, then: fault.then });
      const two = await s.record(bus, 'order.*', { group, name: 'two', ...once, then: fault.then });
      await bus.publishMany(['order.a', 'order.b'].map((type) => ({ type })));
      await s.letters(bus, 4);
      fault.broken = false;
      assert.equal((await s.value(bus.deadLetters.replay({ handler: 'one', type: 'order.a' }))).replayed, 1);
      await s.exactly(5, one, two);
      assert.equal(one.last.context.type, 'order.a');
      await s.letters(bus, 3);
      assert.equal((await s.value(bus.deadLetters.replay({ reason: 'crashed' }))).replayed, 0);
      assert.equal((await s.value(bus.deadLetters.replay({ group: '' }))).replayed, 0);
    }),

    promise('maxFailures stops a replay whose fault is still there', async (s) => {
      const bus = await s.bus();
      const { recorder } = await lettersOf(s, bus, 120);
      const { replayed, failed } = await s.value(bus.deadLetters.replay({}, { maxFailures: 5 }));
      assert.ok(
        replayed < 120 && failed >= 5 && failed <= replayed,
        `${String(replayed)} replayed, ${String(failed)} failed`,
      );
      await s.exactly(replayed, recorder);
      assert.equal((await bus.deadLetters.list()).total, 120);
    }),

    promise('maxFailures does not stop a replay without failures', async (s) => {
      const bus = await s.bus();
      const { fault, recorder } = await lettersOf(s, bus, 120);
      fault.broken = false;
      const { replayed, failed } = await s.value(bus.deadLetters.replay({}, { maxFailures: 1 }));
      assert.deepEqual([replayed, failed], [120, 0]);
      await s.exactly(120, recorder);
    }),

    promise('a replay waits for a live process that has the handler', async (s) => {
      const [failingBus, operator] = await s.buses(2);
      assert.ok(failingBus && operator);
      await lettersOf(s, failingBus, 1);
      await s.value(failingBus.close());
      const other = await s.record(operator, 'order.created', { group, name: 'other' });
      await s.value(operator.deadLetters.replay({}));
      await s.quiet();
      const mended = await s.record(await s.bus(), 'order.created', { group, name: 'bad' });
      // Which member is offered it is chance; each that lacks the handler puts it off by a second.
      await s.until('the event', () => mended.events.length > 0, '20s');
      await s.exactly(1, mended);
      await s.exactly(0, other);
      assert.equal((await operator.deadLetters.list()).total, 0);
    }),

    ...[{ group }, {}].map((options) =>
      promise(
        `a replay whose handler no live process has for the retention is a letter again (${'group' in options ? 'group' : 'no group'})`,
        async (s) => {
          const [failingBus, operator] = await s.buses(2, { retention: 1_000 });
          assert.ok(failingBus && operator);
          await lettersOf(s, failingBus, 1, { ...options, ...once });
          await s.value(failingBus.close());
          const other = await s.record(operator, 'order.created', { ...options, name: 'other' });
          const { operation } = await s.value(operator.deadLetters.replay({}));
          const [letter] = await s.letters(operator, 1);
          assert.deepEqual([letter?.reason, letter?.handler, letter?.replay], ['unhandled', 'bad', operation]);
          assert.deepEqual([letter?.group, letter?.event?.payload], [options.group, 0]);
          await s.exactly(0, other);
        },
      ),
    ),

    promise('a letter without a group goes to one live process that has the handler', async (s) => {
      const buses = await s.buses(3);
      const [a, b, c] = buses;
      assert.ok(a && b && c);
      const { fault, recorder } = await lettersOf(s, a, 10, once);
      fault.broken = false;
      const twin = await s.record(b, 'order.created', { name: 'bad' });
      const others = [await s.record(b, 'order.created', { name: 'other' }), await s.record(c, 'order.*')];
      assert.equal((await s.value(c.deadLetters.replay({ group: '' }))).replayed, 10);
      await s.exactly(10, recorder, twin);
      assert.deepEqual(sorted(recorder, twin), numbers(10));
      await s.exactly(0, ...others);
    }),

    promise('a replayed letter without a group has its retries too, and may become a letter again', async (s) => {
      const bus = await s.bus();
      const { recorder } = await lettersOf(s, bus, 1, { retry: soon(2) });
      const { operation } = await s.value(bus.deadLetters.replay({}));
      await s.atLeast(2, recorder);
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual(attempts(recorder), [1, 2]);
      assert.deepEqual([letter?.handler, letter?.group, letter?.attempts], ['bad', undefined, 2]);
      assert.equal(letter?.replay, operation);
    }),

    promise('a unicast letter goes to a live process that has the handler', async (s) => {
      const [a, target] = await s.buses(2);
      assert.ok(a && target);
      const fault = new Faulty();
      await s.record(target, 'note', { name: 'bad', ...once, then: fault.then });
      await a.publish('note', 1, { target: target.instanceId });
      await s.letters(a, 1);
      await s.value(target.close());
      const heir = await s.record(a, 'note', { name: 'bad' });
      const other = await s.record(a, 'note', { name: 'other' });
      assert.equal((await s.value(a.deadLetters.replay({}))).replayed, 1);
      await s.exactly(1, heir);
      await s.exactly(0, other);
      assert.deepEqual(heir.payloads, [1]);
    }),

    promise('a letter without a handler goes to any one handler of the type', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await a.deadLetters.add({ type: 'job.run', payload: 7 }, 'by hand');
      const workers = [await s.record(a, 'job.run'), await s.record(b, 'job.*'), await s.record(b, '#', { group })];
      assert.equal((await s.value(b.deadLetters.replay({ reason: 'added' }))).replayed, 1);
      await s.exactly(1, ...workers);
      assert.deepEqual(workers.flatMap(({ payloads }) => payloads as unknown[]), [7]); // prettier-ignore
    }),

    promise(
      'an entry that cannot be read is a letter again when it is replayed, and the flow goes on',
      async (s) => {
        const bus = await s.bus();
        const recorder = await s.record(bus, 'order.created', { group });
        await s.harness.rawEntry?.('order.created', { ce: '["half', data: '{"half":' });
        await s.letters(bus, 1);
        const { replayed, operation } = await s.value(bus.deadLetters.replay({}));
        assert.equal(replayed, 1);
        await s.until('the letter', async () => (await bus.deadLetters.list()).items[0]?.replay === operation);
        const [letter] = await s.letters(bus, 1);
        assert.deepEqual([letter?.reason, letter?.group], ['undecodable', group]);
        await bus.publish('order.created', 1);
        await s.exactly(1, recorder);
      },
      'raw-entries',
    ),

    promise('a replayed event whose process dies goes to another, and is not lost', async (s) => {
      const [dying, other] = await s.buses(2, { reclaimAfter: 1_000 });
      assert.ok(dying && other);
      let calls = 0;
      const gate = s.gate();
      const then: EventHandler = () => (++calls === 1 ? Promise.reject(new Error('boom')) : gate.opened);
      const held = await s.record(dying, 'order.created', { group, name: 'bad', ...once, then });
      await other.publish('order.created', 1);
      await s.letters(other, 1);
      await s.value(other.deadLetters.replay({}));
      await s.atLeast(2, held);
      await s.harness.crash(dying);
      const survivor = await s.record(other, 'order.created', { group, name: 'bad' });
      await s.exactly(1, survivor);
      assert.equal(survivor.last.attempt, 2);
      assert.equal((await other.deadLetters.list()).total, 0);
    }),
  ],
};

import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import { numbers, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const anycastOf = (bus: EventBus, payload: unknown, preferLocal = false): Promise<unknown> =>
  bus.publish('job.run', payload, { mode: 'anycast', preferLocal });

export const anycast: ConformanceTopic = {
  name: 'anycast',
  tests: [
    promise(
      'a handler that fails with no attempt left has had the event: a dead letter, and no other handler gets it',
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        const options = { name: 'worker', retry: { attempts: 1 }, then: () => Promise.reject(new Error('boom')) };
        const workers = [await s.record(a, 'job.run', options), await s.record(b, 'job.run', options)];
        await anycastOf(a, 1);
        await s.exactly(1, ...workers);
        const [letter] = await s.deadLetters(1);
        assert.deepEqual([letter?.type, letter?.reason, letter?.handler], ['job.run', 'handler-failed', 'worker']);
      },
    ),

    promise('an event that nobody takes within the retention becomes a dead letter', async (s) => {
      const bus = await s.bus({ retention: 1_000 });
      await anycastOf(bus, 1);
      await s.harness.advance(500);
      assert.deepEqual(await s.harness.deadLetters(), []);
      const [letter] = await s.deadLetters(1);
      assert.deepEqual([letter?.type, letter?.reason], ['job.run', 'unhandled']);
      const late = await s.record(bus, 'job.run');
      await s.exactly(0, late);
    }),

    promise('so does one whose takers were busy and then left', async (s) => {
      const publisher = await s.bus({ retention: 1_000, reclaimAfter: 1_000 });
      const busy = await s.bus({ concurrency: 1, prefetch: 1, retention: 1_000, reclaimAfter: 1_000 });
      const held = await s.record(busy, 'job.run', { then: s.gate().handler });
      await anycastOf(publisher, 0);
      await s.atLeast(1, held);
      await anycastOf(publisher, 1);
      await s.harness.crash(busy);
      const letters = await s.deadLetters(2);
      assert.deepEqual(
        letters.map(({ reason }) => reason),
        ['unhandled', 'unhandled'],
      );
    }),

    promise('an event waits, within the retention, for the first process that can take it', async (s) => {
      const [publisher, late] = await s.buses(2);
      assert.ok(publisher && late);
      await s.record(publisher, 'other');
      await anycastOf(publisher, 1);
      await s.quiet();
      const recorder = await s.record(late, 'job.*');
      await s.exactly(1, recorder);
      assert.equal(recorder.last.context.mode, 'anycast');
    }),

    promise('a process without a free place leaves the event to another', async (s) => {
      const [busy, free] = await s.buses(2, { concurrency: 1, prefetch: 1 });
      assert.ok(busy && free);
      const held = await s.record(busy, 'job.run', { then: s.gate().handler });
      await anycastOf(free, 0);
      await s.atLeast(1, held);
      const other = await s.record(free, 'job.run');
      for (const number of numbers(10)) await anycastOf(busy, number + 1, number % 2 === 0);
      await s.exactly(11, held, other);
    }),

    promise('each event goes to exactly one handler of all processes, grouped or not', async (s) => {
      const buses = await s.buses(3);
      const recorders = await Promise.all(
        buses.flatMap((bus) => [
          s.record(bus, 'job.run'),
          s.record(bus, 'job.*', { group: 'workers' }),
          s.record(bus, '#', { startFrom: 'earliest' }),
        ]),
      );
      await Promise.all(
        buses.flatMap((bus, index) => numbers(20).map((number) => anycastOf(bus, index * 20 + number))),
      );
      await s.exactly(60, ...recorders);
      assert.deepEqual(sorted(...recorders), numbers(60));
    }),

    promise('the handlers of a process take turns', async (s) => {
      const bus = await s.bus();
      const recorders = await Promise.all(numbers(3).map(() => s.record(bus, 'job.run')));
      for (const number of numbers(9)) await anycastOf(bus, number);
      await s.exactly(9, ...recorders);
      assert.deepEqual(
        recorders.map(({ events }) => events.length),
        [3, 3, 3],
      );
    }),

    // A preference, not a rule: another process that looks at that moment for reasons of its own may take one.
    promise('preferLocal: an idle handler of the publishing process takes nearly all', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const local = await s.record(a, 'job.run');
      const remote = await s.record(b, 'job.run');
      for (const number of numbers(20)) {
        await anycastOf(a, number, true);
        await s.atLeast(number + 1, local, remote);
      }
      assert.ok(
        local.events.length >= 16,
        `${String(local.events.length)} of 20 were handled where they were published`,
      );
    }),

    promise('preferLocal without a handler in the publishing process: another one takes it', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const remote = await s.record(b, 'job.run');
      await anycastOf(a, 1, true);
      await s.exactly(1, remote);
    }),

    promise('preferLocal goes with anycast only', async (s) => {
      const bus = await s.bus();
      await s.refusal(bus.publish('job.run', 1, { preferLocal: true }), 'INVALID_OPTION');
    }),
  ],
};

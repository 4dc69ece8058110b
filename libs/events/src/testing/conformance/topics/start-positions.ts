import assert from 'node:assert/strict';
import { EventsRecorder } from '../../recorder.js';
import { numbers, publishNumbers, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';

export const startPositions: ConformanceTopic = {
  name: 'where handlers begin',
  tests: [
    promise('events published before the start, in bootstrap hooks, reach the handlers', async (s) => {
      const inProcess = new EventsRecorder();
      const inGroup = new EventsRecorder();
      await s.bus({
        beforeStart: async (bus) => {
          await publishNumbers(bus, 'order.created', 3);
          await bus.subscribe('order.*', inProcess.handler);
          await bus.subscribe('order.*', inGroup.handler, { group, name: 'handler' });
          await publishNumbers(bus, 'order.created', 3, 3);
          await s.quiet();
          assert.equal(inProcess.events.length + inGroup.events.length, 0, 'nothing is received before the start');
        },
      });
      await s.exactly(12, inProcess, inGroup);
      assert.deepEqual(inProcess.payloads, numbers(6));
      assert.deepEqual(sorted(inGroup), numbers(6));
    }),

    promise('events of others, published before this process connected, do not reach its handlers', async (s) => {
      const old = await s.bus();
      await publishNumbers(old, 'order.created', 3);
      const recorder = new EventsRecorder();
      await s.bus({ beforeStart: (bus) => bus.subscribe('order.*', recorder.handler) });
      await old.publish('order.created', 3);
      await s.exactly(1, recorder);
      assert.deepEqual(recorder.payloads, [3]);
    }),

    promise('a handler added at run time gets nothing of before, and everything of after', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(a, 'order.created');
      await publishNumbers(b, 'order.created', 10);
      const recorders = [
        await s.record(a, 'order.*'),
        await s.record(a, 'order.created'),
        await s.record(b, 'order.*', { group }),
      ];
      await publishNumbers(b, 'order.created', 5, 10);
      await s.exactly(15, ...recorders);
      for (const recorder of recorders) assert.deepEqual(sorted(recorder), numbers(15).slice(10));
    }),

    promise(
      "startFrom 'earliest': a handler without group gets what is retained, then the rest, in order and once",
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        await s.record(a, 'order.created');
        await publishNumbers(b, 'order.created', 10);
        const earliest = await s.record(a, 'order.*', { startFrom: 'earliest', concurrency: 1 });
        const fresh = await s.record(a, 'order.*');
        await publishNumbers(b, 'order.created', 5, 10);
        await s.exactly(20, earliest, fresh);
        assert.deepEqual(earliest.payloads, numbers(15));
        assert.deepEqual(sorted(fresh), numbers(15).slice(10));
      },
    ),

    promise(
      "startFrom 'earliest': a group gets what is retained when the pattern is new to it, once over all members",
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        await publishNumbers(b, 'order.created', 10);
        const first = await s.record(a, 'order.*', { group, startFrom: 'earliest' });
        await s.exactly(10, first);
        const second = await s.record(b, 'order.*', { group, startFrom: 'earliest' });
        await publishNumbers(b, 'order.created', 5, 10);
        await s.exactly(15, first, second);
        assert.deepEqual(sorted(first, second), numbers(15));
      },
    ),

    promise('a pattern added later to a group replays no history', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(a, 'b.*', { group, name: 'of-b' });
      await publishNumbers(b, 'a.x', 5);
      const later = await s.record(a, 'a.*', { group, name: 'of-a' });
      await publishNumbers(b, 'a.x', 5, 5);
      await s.exactly(5, later);
      assert.deepEqual(sorted(later), numbers(10).slice(5));
    }),

    promise("a wider pattern with 'earliest' does not replay to a group what it has had", async (s) => {
      const bus = await s.bus();
      const narrow = await s.record(bus, 'a.x', { group, name: 'narrow' });
      await publishNumbers(bus, 'a.x', 5);
      await publishNumbers(bus, 'a.y', 5);
      await s.exactly(5, narrow);
      const wide = await s.record(bus, 'a.#', { group, name: 'wide', startFrom: 'earliest' });
      await s.exactly(5, wide);
      assert.deepEqual(wide.types, ['a.y', 'a.y', 'a.y', 'a.y', 'a.y']);
      assert.equal(narrow.events.length, 5);
    }),

    promise(
      "startFrom 'earliest' gets the events of several types in the order in which they were stored",
      async (s) => {
        const bus = await s.bus();
        for (const number of numbers(10)) await bus.publish(`order.${number % 2 === 0 ? 'even' : 'odd'}`, number);
        const recorder = await s.record(bus, 'order.*', { startFrom: 'earliest', concurrency: 1 });
        await s.exactly(10, recorder);
        for (const type of ['order.even', 'order.odd']) {
          const own = recorder.events
            .filter(({ context }) => context.type === type)
            .map(({ payload }) => payload as number);
          assert.deepEqual(
            own,
            [...own].sort((a, b) => a - b),
          );
        }
      },
    ),

    promise('startFrom that is neither is refused', async (s) => {
      const bus = await s.bus();
      const startFrom = 'oldest' as 'earliest';
      await s.refusal(
        bus.subscribe('a', () => undefined, { startFrom }),
        'INVALID_OPTION',
      );
    }),
  ],
};

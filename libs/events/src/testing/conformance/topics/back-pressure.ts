import assert from 'node:assert/strict';
import type { EventsError } from '../../../core/errors.js';
import type { SystemWarning } from '../../../bus/system-events.js';
import type { EventBus } from '../../../bus/event-bus.js';
import { numbers, publishNumbers, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';

export const backPressure: ConformanceTopic = {
  name: 'back-pressure',
  tests: [
    ...[undefined, group].map((inGroup) =>
      promise(
        `a handler ${inGroup === undefined ? 'without' : 'with'} a group never runs more than \`concurrency\` at once`,
        async (s) => {
          const bus = await s.bus();
          let running = 0;
          let most = 0;
          const recorder = await s.record(bus, 'order.created', {
            ...(inGroup === undefined ? {} : { group: inGroup }),
            concurrency: 3,
            then: async () => {
              most = Math.max(most, ++running);
              for (let turn = 0; turn < 5; turn++) await Promise.resolve();
              running--;
            },
          });
          await publishNumbers(bus, 'order.created', 100);
          await s.exactly(100, recorder);
          assert.equal(most, 3);
        },
      ),
    ),

    promise('a process never holds more than `prefetch` unsettled events of a group', async (s) => {
      const [hog, other] = await s.buses(2, { concurrency: 2, prefetch: 4 });
      assert.ok(hog && other);
      const gate = s.gate();
      const held = await s.record(hog, 'order.created', { group, then: gate.handler });
      await publishNumbers(other, 'order.created', 20);
      await s.atLeast(2, held);
      await s.quiet();
      assert.equal(held.events.length, 2);
      const rest = await s.record(other, 'order.created', { group });
      await s.atLeast(16, rest);
      gate.open();
      await s.exactly(20, held, rest);
      assert.deepEqual(sorted(held, rest), numbers(20));
    }),

    promise('a handler that is slow does not stop the others', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const gate = s.gate();
      const slow = await s.record(a, 'order.created', { concurrency: 1, then: gate.handler });
      const others = [
        await s.record(a, 'order.created'),
        await s.record(a, 'order.created', { group }),
        await s.record(b, 'order.created'),
      ];
      await publishNumbers(b, 'order.created', 20);
      await s.atLeast(60, ...others);
      assert.equal(slow.events.length, 1);
      gate.open();
      await s.exactly(80, slow, ...others);
      assert.deepEqual(slow.payloads, numbers(20));
    }),

    promise(
      'a full stream refuses with StreamFullError: what was stored is handled, what was refused is not',
      async (s) => {
        const bus = await s.bus({ maxLength: 10, concurrency: 1, prefetch: 1 });
        const gate = s.gate();
        const recorder = await s.record(bus, 'order.created', { group, then: gate.handler });
        const { stored, refused } = await flood(bus, 50);
        assert.ok(stored.length >= 10, `${String(stored.length)} were stored`);
        assert.ok(refused.length > 0);
        assert.deepEqual(new Set(refused.map((error) => (error as EventsError).code)), new Set(['STREAM_FULL']));
        gate.open();
        await s.exactly(stored.length, recorder);
        assert.deepEqual(sorted(recorder), stored);
        await s.value(bus.publish('order.created', 50));
      },
    ),

    promise('one type that is full does not refuse another', async (s) => {
      const bus = await s.bus({ maxLength: 10, concurrency: 1, prefetch: 1 });
      await s.record(bus, 'order.created', { group, then: s.gate().handler });
      await s.record(bus, 'other', { group, name: 'other' });
      const { refused } = await flood(bus, 50);
      assert.ok(refused.length > 0);
      await s.value(bus.publish('other', 1));
    }),

    promise("overflow 'drop-oldest' takes every event, keeps the newest, and warns", async (s) => {
      const bus = await s.bus({ maxLength: 10, overflow: 'drop-oldest', concurrency: 1, prefetch: 1 });
      const warnings = await s.record(bus, 'system.warning');
      const gate = s.gate();
      const recorder = await s.record(bus, 'order.created', { group, then: gate.handler });
      await bus.publish('order.created', 0);
      await s.atLeast(1, recorder);
      const { stored } = await flood(bus, 50, 1);
      assert.equal(stored.length, 50);
      gate.open();
      await s.until('the newest event', () => recorder.payloads.includes(50));
      await s.quiet();
      for (const number of numbers(10)) assert.ok(recorder.payloads.includes(50 - number));
      assert.ok(recorder.events.length < 51);
      await s.until('a warning', () => (warnings.payloads as SystemWarning[]).some(({ cause }) => cause === 'drop'));
    }),

    promise('no handler of system.warning starts inside the call of publish', async (s) => {
      const bus = await s.bus({ maxLength: 1, overflow: 'drop-oldest', concurrency: 1, prefetch: 1 });
      let inside = false;
      let started = false;
      await s.record(bus, 'system.warning', {
        then: () => {
          started ||= inside;
        },
      });
      await s.record(bus, 'order.created', { group, then: s.gate().handler });
      for (const number of numbers(10)) {
        inside = true;
        const published = bus.publish('order.created', number);
        inside = false;
        await published;
      }
      await s.quiet();
      assert.equal(started, false);
    }),
  ],
};

/** Publishes numbers, and sorts them by what became of them. */
async function flood(bus: EventBus, count: number, from = 0): Promise<{ stored: number[]; refused: unknown[] }> {
  const results = await Promise.allSettled(numbers(count).map((number) => bus.publish('order.created', from + number)));
  return {
    stored: results.flatMap(({ status }, index) => (status === 'fulfilled' ? [from + index] : [])),
    refused: results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])),
  };
}

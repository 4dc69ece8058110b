import assert from 'node:assert/strict';
import { waitForAbort } from '../../wait-for.js';
import { numbers, publishNumbers, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
/** Beyond every test: what still reaches another member was handed over, not reclaimed. */
const NEVER = { reclaimAfter: '10m', shutdownTimeout: 200 };
const SOON = { reclaimAfter: 1_000 };

export const redelivery: ConformanceTopic = {
  name: 'redelivery',
  tests: [
    promise('a member dies with events in hand: each goes to another once, attempt + 1, redelivered', async (s) => {
      const [dying, other] = await s.buses(2, SOON);
      assert.ok(dying && other);
      const gate = s.gate();
      const held = await s.record(dying, 'order.created', { group, then: gate.handler });
      await publishNumbers(other, 'order.created', 3);
      await s.atLeast(3, held);
      const survivor = await s.record(other, 'order.created', { group });
      await s.harness.crash(dying);
      await s.exactly(3, survivor);
      assert.deepEqual(sorted(survivor), numbers(3));
      for (const { attempt, redelivered } of survivor.events) assert.deepEqual([attempt, redelivered], [2, true]);
    }),

    promise('what a dead member held comes to the other in order', async (s) => {
      const [dying, other] = await s.buses(2, SOON);
      assert.ok(dying && other);
      const held = await s.record(dying, 'order.created', { group, then: s.gate().handler });
      await publishNumbers(other, 'order.created', 5);
      await s.atLeast(5, held);
      await s.harness.crash(dying);
      const survivor = await s.record(other, 'order.created', { group, concurrency: 1 });
      await s.exactly(5, survivor);
      assert.deepEqual(survivor.payloads, numbers(5));
    }),

    promise('the only member dies: its events wait for the next one', async (s) => {
      const [dying, publisher] = await s.buses(2, SOON);
      assert.ok(dying && publisher);
      const held = await s.record(dying, 'order.created', { group, then: s.gate().handler });
      await publishNumbers(publisher, 'order.created', 2);
      await s.atLeast(2, held);
      await s.harness.crash(dying);
      await publishNumbers(publisher, 'order.created', 2, 2);
      const next = await s.record(await s.bus(SOON), 'order.created', { group });
      await s.exactly(4, next);
      assert.deepEqual(sorted(next), numbers(4));
    }),

    promise('what a dead member had finished does not come again', async (s) => {
      const [dying, other] = await s.buses(2, SOON);
      assert.ok(dying && other);
      const done = await s.record(dying, 'order.created', { group });
      await publishNumbers(other, 'order.created', 5);
      await s.exactly(5, done);
      const survivor = await s.record(other, 'order.created', { group });
      await s.harness.crash(dying);
      await s.harness.advance(1_500);
      await s.exactly(0, survivor);
    }),

    promise('a handler that takes longer than reclaimAfter keeps its event while its process lives', async (s) => {
      const [slow, idle] = await s.buses(2, SOON);
      assert.ok(slow && idle);
      const gate = s.gate();
      const working = await s.record(slow, 'order.created', { group, then: gate.handler });
      await slow.publish('order.created', 0);
      await s.atLeast(1, working);
      const other = await s.record(idle, 'order.created', { group });
      await s.harness.advance(2_500);
      assert.equal(other.events.length, 0);
      assert.equal(working.last.context.signal.aborted, false);
      gate.open();
      await s.exactly(1, working, other);
    }),

    promise(
      'a handler hangs at shutdown: its signal aborts, another member gets the event at once, attempt unchanged',
      async (s) => {
        const [hanging, other] = await s.buses(2, NEVER);
        assert.ok(hanging && other);
        const held = await s.record(hanging, 'order.created', { group, then: s.gate().handler });
        await publishNumbers(other, 'order.created', 3);
        await s.atLeast(3, held);
        const survivor = await s.record(other, 'order.created', { group });
        const { signal } = held.last.context;
        assert.equal(signal.aborted, false);
        await s.value(hanging.close());
        await waitForAbort(signal);
        await s.exactly(3, survivor);
        assert.deepEqual(
          survivor.events.map(({ attempt }) => attempt),
          [1, 1, 1],
        );
      },
    ),

    promise('what an abandoned handler still does has no effect', async (s) => {
      const [hanging, other] = await s.buses(2, NEVER);
      assert.ok(hanging && other);
      const gate = s.gate();
      const held = await s.record(hanging, 'order.created', {
        group,
        then: () => gate.opened.then(() => Promise.reject(new Error('too late'))),
      });
      await other.publish('order.created', 0);
      await s.atLeast(1, held);
      const survivor = await s.record(other, 'order.created', { group });
      await s.value(hanging.drain());
      await s.atLeast(1, survivor);
      gate.open();
      await s.exactly(1, survivor);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('what a handler knows of its delivery does not change when the event goes on to another', async (s) => {
      const [hanging, other] = await s.buses(2, SOON);
      assert.ok(hanging && other);
      const held = await s.record(hanging, 'order.created', { group, then: s.gate().handler });
      await other.publish('order.created', 0);
      await s.atLeast(1, held);
      const survivor = await s.record(other, 'order.created', { group });
      await s.harness.crash(hanging);
      await s.atLeast(1, survivor);
      const { context } = held.last;
      assert.deepEqual([context.attempt, context.redelivered], [1, false]);
    }),

    promise(
      'the only member hangs at shutdown: it begins nothing more, and the next one gets all with attempts unchanged',
      async (s) => {
        const hanging = await s.bus({ ...NEVER, concurrency: 1, prefetch: 1 });
        const publisher = await s.bus(NEVER);
        const held = await s.record(hanging, 'order.created', { group, then: s.gate().handler });
        await publishNumbers(publisher, 'order.created', 4);
        await s.atLeast(1, held);
        await s.value(hanging.drain());
        await s.quiet();
        assert.equal(held.events.length, 1, 'no handler begins after the shutdown timeout');
        await s.value(hanging.close());
        const next = await s.record(await s.bus(NEVER), 'order.created', { group, concurrency: 1 });
        await s.exactly(4, next);
        assert.deepEqual(next.payloads, numbers(4));
        assert.deepEqual(
          next.events.map(({ attempt }) => attempt),
          [1, 1, 1, 1],
        );
      },
    ),

    promise('a member leaves in order with a backlog: each event is handled once, attempts unchanged', async (s) => {
      const [leaving, staying] = await s.buses(2, { ...NEVER, concurrency: 2, prefetch: 10 });
      assert.ok(leaving && staying);
      const gate = s.gate();
      const first = await s.record(leaving, 'order.created', { group, then: gate.handler });
      const second = await s.record(staying, 'order.created', { group, then: gate.handler });
      await publishNumbers(staying, 'order.created', 50);
      await s.atLeast(4, first, second);
      const closed = leaving.close();
      gate.open();
      await s.value(closed);
      await s.exactly(50, first, second);
      assert.deepEqual(sorted(first, second), numbers(50));
      for (const { attempt } of [...first.events, ...second.events]) assert.equal(attempt, 1);
    }),

    promise('a member unsubscribes with events in hand: none is lost, none is handled twice', async (s) => {
      const [leaving, staying] = await s.buses(2, NEVER);
      assert.ok(leaving && staying);
      const gate = s.gate();
      const handler = { name: 'handler', group, concurrency: 1 };
      const begun: number[] = [];
      const subscription = await leaving.subscribe<number>(
        'order.created',
        (payload) => {
          begun.push(payload);
          return gate.opened;
        },
        handler,
      );
      await publishNumbers(staying, 'order.created', 10);
      await s.until('the first event', () => begun.length > 0);
      const other = await s.record(staying, 'order.created', handler);
      await subscription.close();
      gate.open();
      await s.until('all events', () => begun.length + other.events.length >= 10);
      await s.quiet();
      assert.deepEqual(
        [...begun, ...sorted(other)].sort((a, b) => a - b),
        numbers(10),
      );
    }),

    promise('an anycast event whose taker dies goes to another process', async (s) => {
      const [dying, other] = await s.buses(2, SOON);
      assert.ok(dying && other);
      const held = await s.record(dying, 'job.run', { then: s.gate().handler });
      await other.publish('job.run', 1, { mode: 'anycast' });
      await s.atLeast(1, held);
      const survivor = await s.record(other, 'job.run');
      await s.harness.crash(dying);
      await s.exactly(1, survivor);
      assert.deepEqual([survivor.last.attempt, survivor.last.redelivered], [2, true]);
    }),
  ],
};

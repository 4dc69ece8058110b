import assert from 'node:assert/strict';
import type { PublishManyError } from '../../../core/publish-errors.js';
import type { PublishReceipt } from '../../../core/context.js';
import { numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const MINUTE = 60_000;

export const publishingReliably: ConformanceTopic = {
  name: 'id, mandatory, retry',
  tests: [
    promise('the same id twice: handled once, and a receipt both times, with the time of the first', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      const process = await s.record(other, 'order.created');
      const group = await s.record(other, 'order.created', { group: 'g' });
      const first = await bus.publish('order.created', 1, { id: 'same' });
      await s.quiet();
      const second = await bus.publish('order.created', 2, { id: 'same' });
      const elsewhere = await other.publish('order.created', 3, { id: 'same' });
      await s.exactly(2, process, group);
      assert.deepEqual([process.payloads, group.payloads], [[1], [1]]);
      for (const { id, time } of [second, elsewhere]) {
        assert.equal(id, 'same');
        // A server may note the id a moment before or after it gives the entry its time.
        assert.ok(Math.abs(time.getTime() - first.time.getTime()) < 100, 'the time of the first');
      }
    }),

    promise('the same id at the same time, in one process and in several: handled once', async (s) => {
      const buses = await s.buses(3);
      const [bus] = buses;
      assert.ok(bus);
      const recorder = await s.record(bus, 'order.created');
      const receipts = await s.value(
        Promise.all(buses.flatMap((each) => numbers(20).map((n) => each.publish('order.created', n, { id: 'same' })))),
      );
      assert.equal(receipts.length, 60);
      await s.exactly(1, recorder);
    }),

    promise('the same id, anycast and unicast: handled once', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, '#');
      for (const options of [{ mode: 'anycast' }, { target: bus.instanceId }] as const) {
        const before = recorder.events.length;
        const publish = (): Promise<unknown> => bus.publish('job.run', 1, { ...options, id: 'same' });
        await s.value(Promise.all([publish(), publish()]));
        await s.value(publish());
        await s.exactly(before + 1, recorder);
      }
    }),

    promise('one id for another type, another mode, another target: other events', async (s) => {
      const [one, two] = await s.buses(2);
      assert.ok(one && two);
      const recorders = [await s.record(one, '#'), await s.record(two, '#')];
      const id = 'same';
      await one.publish('a', 1, { id });
      await one.publish('b', 1, { id });
      await s.exactly(4, ...recorders);
      await one.publish('a', 1, { id, mode: 'anycast' });
      await one.publish('a', 1, { id, target: one.instanceId });
      await one.publish('a', 1, { id, target: two.instanceId });
      await s.exactly(7, ...recorders);
    }),

    promise('events among which some are there already: the others are stored, in order', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created', { concurrency: 1 });
      await bus.publish('order.created', 'x', { id: '3' });
      await s.exactly(1, recorder);
      await s.value(
        Promise.all(
          numbers(10).map((n) => bus.publish('order.created', n, n % 3 === 0 ? { id: String(n) } : undefined)),
        ),
      );
      await s.exactly(10, recorder);
      assert.deepEqual(recorder.payloads, ['x', 0, 1, 2, 4, 5, 6, 7, 8, 9]);
    }),

    promise('publishMany: rows with one id are one event, and each has its receipt', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, '#');
      const row = (payload: number, id: string): object => ({ type: 'order.created', payload, options: { id } });
      const receipts = await s.value(bus.publishMany([row(0, 'a'), row(1, 'b'), row(2, 'a')] as never));
      assert.deepEqual(
        receipts.map(({ id }) => id),
        ['a', 'b', 'a'],
      );
      await s.exactly(2, recorder);
      await s.value(bus.publishMany([row(3, 'b'), row(4, 'c')] as never));
      await s.exactly(3, recorder);
    }),

    promise('an event that was refused does not use up its id', async (s) => {
      const bus = await s.bus({ maxLength: 2, prefetch: 1, concurrency: 1 });
      const gate = s.gate();
      const held = await s.record(bus, 'order.created', { group: 'g', then: gate.handler });
      let stored = 0;
      const publish = (): Promise<unknown> => bus.publish('order.created', stored, { id: `n${String(stored)}` });
      await s.until('the refusal', () =>
        publish().then(
          () => ++stored < 0,
          () => true,
        ),
      );
      await s.refusal(publish(), 'STREAM_FULL');
      // What is there already is no new event: it resolves, however full it is.
      await s.value(bus.publish('order.created', 0, { id: `n${String(stored - 1)}` }));
      gate.open();
      await s.atLeast(stored, held);
      await s.until('room', () => publish().then(() => true));
      await s.exactly(stored + 1, held);
    }),

    promise('mandatory: refused where nobody listens, and not stored', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'order.paid');
      await s.refusal(bus.publish('order.created', 1, { mandatory: true }), 'UNROUTABLE');
      await s.refusal(bus.publish('order.created', 1, { mandatory: true, mode: 'anycast' }), 'UNROUTABLE');
      const late = await s.record(bus, 'order.*', { group: 'g', startFrom: 'earliest' });
      const anycast = await s.record(bus, 'order.created', { startFrom: 'earliest' });
      await s.exactly(0, late, anycast);
    }),

    promise('mandatory: a handler of this process, of another, of a group, of a pattern will do', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      const recorders = [
        await s.record(bus, 'here'),
        await s.record(other, 'there.*'),
        await s.record(bus, 'shared', { group: 'g' }),
        await s.record(other, 'shared.there', { group: 'g' }),
      ];
      for (const type of ['here', 'there.b', 'shared', 'shared.there']) {
        await s.value(bus.publish(type, 1, { mandatory: true }));
        await s.value(bus.publish(type, 1, { mandatory: true, mode: 'anycast' }));
      }
      await s.exactly(8, ...recorders);
    }),

    promise('mandatory: a listener counts as soon as it is there, and no longer when it has gone', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      const publish = (): Promise<unknown> => bus.publish('order.created', 1, { mandatory: true });
      await s.refusal(publish(), 'UNROUTABLE');
      const recorder = await s.record(other, 'order.created');
      await s.value(publish());
      await s.exactly(1, recorder);
      await s.value(other.close());
      await s.until('the refusal', () =>
        publish().then(
          () => false,
          () => true,
        ),
      );
      await s.refusal(publish(), 'UNROUTABLE');
    }),

    promise('mandatory: a group without a live member is somebody for broadcast, not for anycast', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      await s.record(other, 'order.created', { group: 'g' });
      await s.value(other.close());
      await s.value(bus.publish('order.created', 1, { mandatory: true }));
      await s.until('the refusal', () =>
        bus.publish('order.created', 2, { mandatory: true, mode: 'anycast' }).then(
          () => false,
          () => true,
        ),
      );
      const next = await s.record(await s.bus(), 'order.created', { group: 'g' });
      // Of the others some may have been stored, while the one that left was still taken to be there.
      await s.until('the event of the group', () => next.payloads.includes(1));
    }),

    promise('mandatory, unicast: only a handler of the target will do', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      const recorder = await s.record(other, 'note');
      await s.value(bus.publish('note', 1, { mandatory: true, target: other.instanceId }));
      await s.exactly(1, recorder);
      await s.refusal(bus.publish('note', 2, { mandatory: true, target: bus.instanceId }), 'UNROUTABLE');
      await s.refusal(bus.publish('note', 3, { mandatory: true, target: 'nobody' }), 'NO_SUCH_INSTANCE');
      await s.exactly(1, recorder);
    }),

    promise('mandatory: publishes of a type that is listened to keep their order', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created', { concurrency: 1 });
      // From the first on the process knows that somebody listens: until then it may have to ask.
      await s.value(bus.publish('order.created', 'first', { mandatory: true }));
      await s.value(Promise.all(numbers(50).map((n) => bus.publish('order.created', n, { mandatory: n % 2 === 0 }))));
      await s.exactly(51, recorder);
      assert.deepEqual(recorder.payloads, ['first', ...numbers(50)]);
    }),

    promise('publishMany: an unroutable row does not hold back the others', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'a');
      const rows = ['a', 'b', 'a'].map((type) => ({ type, options: { mandatory: true } }));
      const { results } = (await s.refusal(bus.publishMany(rows), 'PUBLISH_MANY')) as PublishManyError<PublishReceipt>;
      assert.deepEqual(
        results.map((result) => ('error' in result ? (result.error as { code?: unknown }).code : 'stored')),
        ['stored', 'UNROUTABLE', 'stored'],
      );
      await s.exactly(2, recorder);
    }),

    promise(
      'retry while the backend is there: stored once; what is wrong with the event is told at once',
      async (s) => {
        const bus = await s.bus({ maxPayload: 100 });
        const recorder = await s.record(bus, 'order.created');
        const retry = { attempts: 1_000, delay: '5m' };
        await s.value(bus.publish('order.created', 1, { retry }));
        await s.value(bus.publish('order.created', 2, { retry, settle: true }));
        await s.exactly(2, recorder);
        await s.refusal(bus.publish('order.created', 'x'.repeat(200), { retry }), 'PAYLOAD_TOO_LARGE');
        await s.refusal(bus.publish('nobody', 1, { retry, mandatory: true }), 'UNROUTABLE');
        await s.refusal(bus.publish('note', 1, { retry, target: 'nobody' }), 'NO_SUCH_INSTANCE');
      },
    ),

    promise('retry: values that cannot be used are refused, and nothing is stored', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, '#');
      const good = { attempts: 3, delay: 10 };
      const bad: unknown[] = [
        null,
        3,
        {},
        { ...good, attempts: 0 },
        { ...good, attempts: 1_001 },
        { ...good, attempts: 1.5 },
        { ...good, delay: -1 },
        { ...good, delay: 'soon' },
        { ...good, backoff: 'random' },
      ];
      for (const retry of bad)
        await s.refusal(bus.publish('order.created', 1, { retry: retry as never }), 'INVALID_OPTION');
      await s.refusal(bus.publish('order.created', 1, { retry: good, settle: true, id: 'mine' }), 'INVALID_OPTION');
      await s.exactly(0, recorder);
    }),

    promise(
      'after 10 minutes an id is a new one',
      async (s) => {
        const bus = await s.bus();
        const recorder = await s.record(bus, 'order.created');
        const publish = (): Promise<unknown> => bus.publish('order.created', 1, { id: 'same' });
        await publish();
        await s.harness.advance(9 * MINUTE);
        await publish();
        await s.exactly(1, recorder);
        await s.harness.advance(MINUTE);
        await publish();
        await s.exactly(2, recorder);
      },
      // Where all time is the library's, so that ten minutes pass at once: the same backend.
      'by-reference',
    ),
  ],
};

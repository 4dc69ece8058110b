import assert from 'node:assert/strict';
import { numbers, publishNumbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';

export const shutdown: ConformanceTopic = {
  name: 'drain and close',
  tests: [
    promise('what runs may finish before the drain resolves, and its acknowledgement counts', async (s) => {
      const [bus, other] = await s.buses(2, { reclaimAfter: 1_000 });
      assert.ok(bus && other);
      const gate = s.gate();
      let finished = 0;
      const then = (): Promise<void> =>
        gate.opened.then(() => {
          finished++;
        });
      const recorders = [
        await s.record(bus, 'order.created', { then }),
        await s.record(bus, 'order.created', { group, then }),
      ];
      await bus.publish('order.created');
      await s.atLeast(2, ...recorders);
      const drained = bus.drain().then(() => finished);
      await s.quiet();
      gate.open();
      assert.equal(await s.value(drained), 2);
      const again = await s.record(other, 'order.created', { group });
      await s.harness.advance(1_500);
      assert.equal(again.events.length, 0);
    }),

    promise('a request of this process that runs may finish before the drain resolves', async (s) => {
      const bus = await s.bus();
      const gate = s.gate();
      const asked = await s.record(bus, 'slow', { then: () => gate.opened.then(() => 'answer') });
      let answer: unknown;
      const request = bus.publishAndWait('slow').then((value) => (answer = value));
      await s.atLeast(1, asked);
      const drained = bus.drain().then(() => answer);
      await s.quiet();
      gate.open();
      await s.value(request);
      assert.equal(await s.value(drained), 'answer');
    }),

    promise('a handler that hangs is given up after shutdownTimeout, and its signal aborts', async (s) => {
      const bus = await s.bus({ shutdownTimeout: 200 });
      const recorders = [
        await s.record(bus, 'order.created', { then: s.gate().handler }),
        await s.record(bus, 'order.created', { group, then: s.gate().handler }),
      ];
      await bus.publish('order.created');
      await s.atLeast(2, ...recorders);
      const signals = recorders.map(({ last }) => last.context.signal);
      await s.value(bus.close());
      assert.deepEqual(
        signals.map(({ aborted }) => aborted),
        [true, true],
      );
    }),

    promise('a drained process handles nothing more, and others get what comes', async (s) => {
      const [leaving, staying] = await s.buses(2);
      assert.ok(leaving && staying);
      const inProcess = await s.record(leaving, 'order.created');
      const inGroup = await s.record(leaving, 'order.created', { group });
      const other = await s.record(staying, 'order.created', { group });
      await s.value(leaving.drain());
      await publishNumbers(staying, 'order.created', 10);
      await s.exactly(10, other);
      await s.exactly(0, inProcess, inGroup);
    }),

    promise('a handler added after the drain gets nothing', async (s) => {
      const [leaving, other] = await s.buses(2);
      assert.ok(leaving && other);
      await s.value(leaving.drain());
      let called = 0;
      const handler = (): number => called++;
      const adding = [
        leaving.subscribe('order.created', handler),
        leaving.subscribe('order.created', handler, { group, name: 'handler' }),
      ];
      await s.value(Promise.allSettled(adding));
      await publishNumbers(other, 'order.created', 3);
      await s.quiet();
      assert.equal(called, 0);
    }),

    promise('publishing works while the process drains and until it is closed', async (s) => {
      const [leaving, staying] = await s.buses(2);
      assert.ok(leaving && staying);
      const gate = s.gate();
      const running = await s.record(leaving, 'order.created', { then: gate.handler });
      const received = await s.record(staying, 'note');
      await leaving.publish('order.created');
      await s.atLeast(1, running);
      const drained = leaving.drain();
      await leaving.publish('note', 0);
      gate.open();
      await s.value(drained);
      await leaving.publish('note', 1);
      await s.exactly(2, received);
    }),

    promise('a handler that still runs may publish, ask and reply while the process drains', async (s) => {
      const [leaving, staying] = await s.buses(2);
      assert.ok(leaving && staying);
      const gate = s.gate();
      let asked: unknown;
      const running = await s.record(leaving, 'order.created', {
        group,
        then: async (_, context) => {
          await gate.opened;
          await leaving.publish('note', 0);
          asked = await leaving.publishAndWait('sum', 1);
          await context.reply('answer');
        },
      });
      const notes = await s.record(staying, 'note');
      const answers = await s.record(staying, 'answer');
      await s.record(staying, 'sum', { then: (n: number) => n + 1 });
      await staying.publish('order.created');
      await s.atLeast(1, running);
      const drained = leaving.drain();
      await s.quiet();
      gate.open();
      await s.value(drained);
      await s.exactly(2, notes, answers);
      assert.equal(asked, 2);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('drain and close, twice or at once, are once', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'order.created');
      await s.value(Promise.all([bus.drain(), bus.drain(), bus.close(), bus.close()]));
      await s.value(bus.close());
      await s.value(bus.drain());
    }),

    promise('a closed bus refuses everything with BusClosedError', async (s) => {
      const bus = await s.bus();
      const subscription = await bus.subscribe('order.created', () => undefined);
      const waiting = s.refusal(bus.once('order.created'), 'BUS_CLOSED');
      await s.value(bus.close());
      await waiting;
      await s.refusal(bus.publish('order.created'), 'BUS_CLOSED');
      await s.refusal(bus.publishAndWait('order.created'), 'BUS_CLOSED');
      await s.refusal(
        bus.subscribe('order.created', () => undefined),
        'BUS_CLOSED',
      );
      await s.refusal(bus.once('order.created'), 'BUS_CLOSED');
      await s.refusal(
        bus.once('order.created', () => undefined),
        'BUS_CLOSED',
      );
      const many = await s.refusal(bus.publishMany([{ type: 'order.created' }]), 'PUBLISH_MANY', 'BUS_CLOSED');
      assert.equal(((many.cause ?? many) as { code?: string }).code, 'BUS_CLOSED');
      bus.emit('order.created');
      await s.value(subscription.close());
    }),

    promise('one instance id has one live holder', async (s) => {
      const first = await s.bus({ instanceId: 'one' });
      await s.refusal(s.bus({ instanceId: 'one' }), 'INSTANCE_ID_IN_USE');
      const recorder = await s.record(first, 'order.created');
      await first.publish('order.created');
      await s.exactly(1, recorder);
      await s.value(first.close());
      assert.equal((await s.bus({ instanceId: 'one' })).instanceId, 'one');
    }),

    promise('the instance id of a dead process is free again when its death is known', async (s) => {
      const first = await s.bus({ instanceId: 'one', reclaimAfter: 1_000 });
      await s.harness.crash(first);
      await s.harness.waitFor(() => s.bus({ instanceId: 'one', reclaimAfter: 1_000 }), { timeout: '60s' });
    }),

    promise('what a process has stored is there after it has closed', async (s) => {
      const [publisher, member] = await s.buses(2);
      assert.ok(publisher && member);
      const recorder = await s.record(member, 'order.created', { group });
      await Promise.all([
        ...numbers(20).map((number) => publisher.publish('order.created', number)),
        s.value(publisher.close()),
      ]);
      await s.exactly(20, recorder);
    }),
  ],
};

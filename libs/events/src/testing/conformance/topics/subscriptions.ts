import assert from 'node:assert/strict';
import { numbers, publishNumbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';

export const subscriptions: ConformanceTopic = {
  name: 'subscriptions',
  tests: [
    promise('a closed subscription gets nothing more; what it has begun it finishes', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      const gate = s.gate();
      const got: unknown[] = [];
      let finished = 0;
      const subscription = await bus.subscribe('order.created', async (payload) => {
        got.push(payload);
        await gate.opened;
        finished++;
      });
      const staying = await s.record(bus, 'order.created');
      await other.publish('order.created', 0);
      await s.until('the first event', () => got.length === 1);
      await subscription.close();
      await other.publish('order.created', 1);
      gate.open();
      await s.exactly(2, staying);
      assert.deepEqual([got, finished], [[0], 1]);
    }),

    promise('events that wait in the process for a place are not begun after the closing', async (s) => {
      const bus = await s.bus();
      const gate = s.gate();
      let begun = 0;
      const handler = (): Promise<void> => {
        begun++;
        return gate.opened;
      };
      const alone = await bus.subscribe('order.created', handler, { concurrency: 1 });
      await publishNumbers(bus, 'order.created', 5);
      await s.until('the first event', () => begun > 0);
      await alone.close();
      gate.open();
      await s.quiet();
      assert.equal(begun, 1);
    }),

    promise(
      'events of a group that wait in the process for a place go to the other members when it unsubscribes',
      async (s) => {
        const [leaving, staying] = await s.buses(2);
        assert.ok(leaving && staying);
        const gate = s.gate();
        let begun = 0;
        const handler = (): Promise<void> => {
          begun++;
          return gate.opened;
        };
        const member = await leaving.subscribe('order.created', handler, { group, name: 'handler', concurrency: 1 });
        await publishNumbers(staying, 'order.created', 5);
        await s.until('the first event', () => begun > 0);
        const other = await s.record(staying, 'order.created', { group });
        await member.close();
        gate.open();
        await s.exactly(4, other);
        assert.equal(begun, 1);
        assert.deepEqual(
          other.events.map(({ attempt }) => attempt),
          [1, 1, 1, 1],
        );
      },
    ),

    promise('closing one of two handlers of one pattern leaves the other', async (s) => {
      const bus = await s.bus();
      const subscriptionOf = (options: object): Promise<{ close(): Promise<void> }> =>
        bus.subscribe('order.created', () => 1, options);
      const closed = await Promise.all([
        subscriptionOf({}),
        subscriptionOf({ group, name: 'other' }),
        subscriptionOf({ startFrom: 'earliest' }),
      ]);
      const staying = [await s.record(bus, 'order.created'), await s.record(bus, 'order.created', { group })];
      for (const subscription of closed) await subscription.close();
      await bus.publish('order.created');
      await bus.publish('order.created', 1, { mode: 'anycast' });
      await s.exactly(3, ...staying);
    }),

    promise('close twice is once, also inside its own handler', async (s) => {
      const bus = await s.bus();
      let calls = 0;
      const subscription = await bus.subscribe('order.created', async () => {
        calls++;
        await subscription.close();
      });
      await bus.publish('order.created');
      await s.until('the call', () => calls === 1);
      await s.value(Promise.all([subscription.close(), subscription.close()]));
      await bus.publish('order.created');
      await s.quiet();
      assert.equal(calls, 1);
    }),

    promise('a handler can be added again after it was closed', async (s) => {
      const bus = await s.bus();
      const got: unknown[] = [];
      for (const number of numbers(3)) {
        const subscription = await bus.subscribe('order.created', (payload) => void got.push(payload), {
          group,
          name: 'handler',
        });
        await bus.publish('order.created', number);
        await s.until('the event', () => got.length === number + 1);
        await subscription.close();
      }
      assert.deepEqual(got, numbers(3));
    }),

    promise('a handler may add handlers', async (s) => {
      const bus = await s.bus();
      let inner: { readonly events: readonly unknown[] } | undefined;
      await s.record(bus, 'order.created', {
        then: async () => {
          inner ??= await s.record(bus, 'order.paid');
        },
      });
      await bus.publish('order.created');
      await s.until('the inner handler', () => inner);
      await bus.publish('order.paid');
      await s.until('its event', () => inner?.events.length === 1);
    }),

    promise('once: of many events the handler gets one', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      const got: unknown[] = [];
      await bus.once('order.*', (payload) => void got.push(payload));
      const all = await s.record(bus, 'order.*');
      await publishNumbers(other, 'order.created', 20);
      await s.exactly(20, all);
      assert.deepEqual(got, [0]);
    }),

    promise('once: a handler that fails has had its event', async (s) => {
      const bus = await s.bus();
      let calls = 0;
      const fails = (): never => {
        calls++;
        throw new Error('boom');
      };
      await bus.once('order.created', fails, { retry: { attempts: 1 } });
      await publishNumbers(bus, 'order.created', 5);
      await s.quiet();
      assert.equal(calls, 1);
    }),

    promise('once without a handler is a promise of the event; several get the same one', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      const waiting = [bus.once('order.created'), bus.once('order.*')];
      await s.quiet();
      const { id } = await other.publish('order.created', { n: 1 });
      for (const { payload, context } of await s.value(Promise.all(waiting))) {
        assert.deepEqual([payload, context.id], [{ n: 1 }, id]);
      }
    }),

    promise('once is given up when its signal aborts', async (s) => {
      const bus = await s.bus();
      await s.refusal(bus.once('order.created', { signal: AbortSignal.abort(new Error('no')) }), 'ABORTED');
      const controller = new AbortController();
      const waiting = s.refusal(bus.once('order.created', { signal: controller.signal }), 'ABORTED');
      controller.abort(new Error('enough'));
      assert.equal(((await waiting).cause as Error).message, 'enough');
    }),

    promise('a bad pattern of once is refused, not waited for', async (s) => {
      const bus = await s.bus();
      await s.refusal(bus.once('a..b'), 'INVALID_PATTERN');
    }),

    promise('a subscription ends when its signal aborts, also one that had before', async (s) => {
      const bus = await s.bus();
      const controller = new AbortController();
      const recorder = await s.record(bus, 'order.created', { signal: controller.signal });
      const never = await s.record(bus, 'order.created', { signal: AbortSignal.abort() });
      await bus.publish('order.created', 0);
      await s.exactly(1, recorder);
      controller.abort();
      await s.quiet();
      await bus.publish('order.created', 1);
      await s.exactly(1, recorder);
      await s.exactly(0, never);
    }),

    promise('a handler of a group needs a name', async (s) => {
      const bus = await s.bus();
      await s.refusal(
        bus.subscribe('order.created', () => undefined, { group }),
        'INVALID_OPTION',
      );
    }),

    promise('a subscription counts when subscribe has resolved: the next event reaches it', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      for (const number of numbers(10)) {
        const type = `type.${String(number)}`;
        const recorder = await s.record(bus, number % 2 === 0 ? type : `${type}.#`);
        await other.publish(type);
        await s.atLeast(1, recorder);
      }
    }),
  ],
};

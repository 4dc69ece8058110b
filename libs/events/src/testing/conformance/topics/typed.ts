import assert from 'node:assert/strict';
import { EventType } from '../../../core/event-class.js';
import type { EventValidationError } from '../../../core/errors.js';
import type { SchemaResult, StandardSchema } from '../../../core/standard-schema.js';
import { promise, type ConformanceTopic } from '../suite.js';

/** A schema as any library makes them: `id` is text, `at` is a time as text and becomes a Date. */
const schema: StandardSchema = {
  '~standard': { version: 1, vendor: 'nestjs-cardinal', validate: (value) => checked(value) },
};

const slowSchema: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'nestjs-cardinal',
    validate: async (value) => {
      await Promise.resolve();
      return checked(value);
    },
  },
};

function checked(value: unknown): SchemaResult {
  const { id, at } = (value ?? {}) as { id?: unknown; at?: unknown };
  if (typeof id !== 'string') return { issues: [{ message: 'must be text', path: ['id'] }] };
  const date = new Date(typeof at === 'string' ? at : NaN);
  if (Number.isNaN(date.getTime())) return { issues: [{ message: 'must be a time', path: [{ key: 'at' }] }] };
  return { value: { id, at: date } };
}

@EventType('order.created', { schema })
class Order {
  readonly id!: string;
  readonly at!: Date;
  readonly inner?: { readonly n: number };
}

@EventType('order.slow', { schema: slowSchema })
class SlowOrder {
  readonly id!: string;
  readonly at!: Date;
}

@EventType('order.created')
class PlainOrder {
  readonly id!: string;
  readonly inner!: { readonly n: number };
  get label(): string {
    return `order ${this.id}`;
  }
}

@EventType('order.created', { version: 2 })
class NewerOrder {
  readonly id!: string;
}

const order = <T extends object>(event: T, changes: object = {}): T =>
  Object.assign(event, { id: 'o', at: new Date(5) }, changes);

export const typed: ConformanceTopic = {
  name: 'events with classes',
  tests: [
    promise('a broken rule: publish rejects and says where, and nothing is sent', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.*');
      for (const bad of [order(new Order(), { id: 7 }), order(new SlowOrder(), { id: 7 })]) {
        const error = await s.refusal(bus.publish(bad), 'VALIDATION');
        assert.deepEqual((error as EventValidationError).issues, [{ path: 'id', message: 'must be text' }]);
        await s.refusal(bus.publishAndWait(bad), 'VALIDATION');
        const many = await s.refusal(bus.publishMany([{ event: bad }]), 'PUBLISH_MANY');
        assert.equal((many.cause as EventValidationError).code, 'VALIDATION');
        bus.emit(bad);
      }
      await s.exactly(0, recorder);
    }),

    promise('what is good is sent, whether its check is at once or takes a while', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, [Order, SlowOrder]);
      await bus.publish(order(new Order()));
      await bus.publish(order(new SlowOrder()));
      await bus.publishMany([{ event: order(new Order()) }, { event: order(new SlowOrder()) }]);
      await s.exactly(4, recorder);
      for (const { payload } of recorder.events) assert.deepEqual((payload as Order).at, new Date(5));
    }),

    promise('handlers get instances of their class, with dates, deep-frozen', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const recorders = [
        await s.record(a, Order),
        await s.record(b, Order, { group: 'g' }),
        await s.record(b, SlowOrder),
      ];
      await a.publish(order(new Order()));
      await a.publish('order.slow', { id: 'o', at: new Date(5) });
      await s.exactly(3, ...recorders);
      for (const [index, { last }] of recorders.entries()) {
        const value = last.payload as Order;
        assert.ok(value instanceof (index < 2 ? Order : SlowOrder));
        assert.deepEqual({ id: value.id, at: value.at }, { id: 'o', at: new Date(5) });
        assert.ok(Object.isFrozen(value) && Object.isFrozen(value.at));
      }
    }),

    promise('a class without rules gives frozen instances too, and the publisher keeps its own object', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, PlainOrder);
      const event = order(new PlainOrder(), { inner: { n: 1 } });
      await bus.publish(event);
      await s.exactly(1, recorder);
      const value = recorder.last.payload as PlainOrder;
      assert.ok(value instanceof PlainOrder && value !== event);
      assert.equal(value.label, 'order o');
      assert.ok(Object.isFrozen(value) && Object.isFrozen(value.inner));
      assert.ok(!Object.isFrozen(event) && !Object.isFrozen(event.inner));
    }),

    promise('the handlers of one class in one process get one value; others get the JSON', async (s) => {
      const bus = await s.bus();
      const recorders = [await s.record(bus, PlainOrder), await s.record(bus, PlainOrder)];
      const byText = await s.record(bus, 'order.#');
      await bus.publish(order(new PlainOrder(), { inner: { n: 1 } }));
      await s.exactly(3, ...recorders, byText);
      assert.ok(recorders[0]?.last.payload === recorders[1]?.last.payload);
      assert.equal(Object.getPrototypeOf(byText.last.payload), Object.prototype);
    }),

    promise(
      'a payload that breaks the rules of the handler is a dead letter at once, without an attempt',
      async (s) => {
        const bus = await s.bus();
        const ofClass = await s.record(bus, Order, { group: 'g', name: 'strict', retry: { attempts: 5 } });
        const byText = await s.record(bus, 'order.*', { group: 'g', name: 'easy' });
        const { id } = await bus.publish('order.created', { id: 'o', at: 'never' });
        await bus.publish('order.created', { id: 'o', at: new Date(5) });
        await s.exactly(3, ofClass, byText);
        assert.equal(ofClass.events.length, 1);
        const [letter] = await s.deadLetters(1);
        assert.deepEqual([letter?.id, letter?.reason, letter?.handler], [id, 'invalid', 'strict']);
        assert.match(letter?.error ?? '', /at: must be a time/);
      },
    ),

    promise('a request that breaks the rules of its handler is answered with what is wrong', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const recorder = await s.record(b, Order);
      for (const bus of [a, b]) {
        const error = await s.refusal(bus.publishAndWait('order.created', { id: 7 }), 'REMOTE_HANDLER');
        assert.match(error.message, /id: must be text/);
      }
      await s.exactly(0, recorder);
    }),

    promise('a version that the handler cannot read is a dead letter that says what to do', async (s) => {
      const bus = await s.bus();
      const old = await s.record(bus, PlainOrder, { group: 'old', name: 'old' });
      await bus.publish(order(new NewerOrder()));
      const [newer] = await s.deadLetters(1);
      assert.deepEqual([newer?.reason, newer?.handler], ['unsupported-version', 'old']);
      assert.match(newer?.error ?? '', /version 2; this process knows 1: upgrade it/);
      await s.exactly(0, old);
    }),

    promise(
      'an older version from which no upcast leads is a dead letter; by text it is handled as it came',
      async (s) => {
        const bus = await s.bus();
        await s.record(bus, NewerOrder, { group: 'g', name: 'newer' });
        const byText = await s.record(bus, 'order.created');
        await bus.publish(order(new PlainOrder()));
        const [letter] = await s.deadLetters(1);
        assert.equal(letter?.reason, 'unsupported-version');
        assert.match(letter.error, /there is no @Upcast/);
        await s.exactly(1, byText);
        assert.equal(byText.last.context.version, 1);
      },
    ),
  ],
};

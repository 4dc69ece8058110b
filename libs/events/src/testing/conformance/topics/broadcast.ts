import assert from 'node:assert/strict';
import { EventType } from '../../../core/event-class.js';
import { numbers, publishNumbers, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

class OrderCreated {
  constructor(readonly order: number) {}
}
EventType('order.created', { version: 2 })(OrderCreated);

export const broadcast: ConformanceTopic = {
  name: 'broadcast',
  tests: [
    promise('a handler that throws does not keep the event from the other handlers and processes', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(a, 'order.created', { then: () => Promise.reject(new Error('boom')) });
      const others = [await s.record(a, 'order.*'), await s.record(b, 'order.created')];
      await publishNumbers(a, 'order.created', 3);
      await s.exactly(6, ...others);
    }),

    promise('every process with a matching handler gets each event once', async (s) => {
      const buses = await s.buses(3);
      const recorders = await Promise.all(buses.map((bus) => s.record(bus, 'order.*')));
      await Promise.all(buses.map((bus, index) => publishNumbers(bus, 'order.created', 10, index * 10)));
      await s.exactly(90, ...recorders);
      for (const recorder of recorders) assert.deepEqual(sorted(recorder), numbers(30));
    }),

    promise('a handler whose patterns match twice gets the event once', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, ['order.created', 'order.*', '#.created', 'order.created']);
      await bus.publish('order.created', 1);
      await s.exactly(1, recorder);
    }),

    promise("'*' is one word, '#' and '**' are any number of words", async (s) => {
      const bus = await s.bus();
      const types = ['a', 'a.b', 'a.b.c', 'b.a'];
      const star = await s.record(bus, 'a.*');
      const hash = await s.record(bus, 'a.#');
      const twoStars = await s.record(bus, 'a.**');
      const all = await s.record(bus, '#');
      for (const type of types) await bus.publish(type);
      await s.exactly(4 + 3 + 3 + 1, star, hash, twoStars, all);
      assert.deepEqual(star.types, ['a.b']);
      assert.deepEqual(hash.types.sort(), ['a', 'a.b', 'a.b.c']);
      assert.deepEqual(twoStars.types.sort(), ['a', 'a.b', 'a.b.c']);
      assert.deepEqual(all.types.sort(), types);
    }),

    promise('an event that nobody listens to is stored all the same', async (s) => {
      const bus = await s.bus();
      const before = await s.record(bus, 'other');
      const receipt = await bus.publish('lonely', { n: 1 });
      assert.equal(receipt.type, 'lonely');
      assert.ok(receipt.id.length > 0);
      assert.ok(receipt.time instanceof Date);
      await s.exactly(0, before);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('no handler starts inside the call of publish or emit', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created');
      const published = bus.publish('order.created', 1);
      assert.equal(recorder.events.length, 0);
      bus.emit('order.created', 2);
      assert.equal(recorder.events.length, 0);
      await published;
      await s.exactly(2, recorder);
    }),

    promise('the context tells where the event comes from', async (s) => {
      const sender = await s.bus({ service: 'shop', instanceId: 'shop-1' });
      const receiver = await s.bus({ service: 'billing' });
      const recorder = await s.record(receiver, 'order.created', { name: 'the-handler' });
      const receipt = await sender.publish('order.created', { n: 1 }, { headers: { tenant: 'x' } });
      await s.exactly(1, recorder);
      const { context, attempt, redelivered } = recorder.last;
      assert.equal(context.id, receipt.id);
      assert.equal(context.type, 'order.created');
      assert.equal(context.source, 'shop');
      assert.equal(context.sourceInstance, 'shop-1');
      assert.equal(context.time.getTime(), receipt.time.getTime());
      assert.equal(context.version, 1);
      assert.equal(context.mode, 'broadcast');
      assert.equal(context.bus, receiver.name);
      assert.equal(context.group, undefined);
      assert.equal(context.handler, 'the-handler');
      assert.equal(context.correlationId, receipt.id);
      assert.equal(context.causationId, undefined);
      assert.deepEqual({ ...context.headers }, { tenant: 'x' });
      assert.equal(context.signal.aborted, false);
      assert.deepEqual([attempt, redelivered], [1, false]);
    }),

    promise('id, source and correlation id are the ones that the publisher chose', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const recorder = await s.record(b, 'order.created');
      const receipt = await a.publish('order.created', 1, { id: 'id-1', source: 'import', correlationId: 'batch-7' });
      await s.exactly(1, recorder);
      const { context } = recorder.last;
      assert.deepEqual(
        [receipt.id, context.id, context.source, context.correlationId],
        ['id-1', 'id-1', 'import', 'batch-7'],
      );
    }),

    promise(
      'an event published again with the id of a recent one is stored once',
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        const recorder = await s.record(b, 'order.created');
        const first = await a.publish('order.created', 1, { id: 'same' });
        const second = await a.publish('order.created', 1, { id: 'same' });
        assert.equal(second.id, first.id);
        await s.exactly(1, recorder);
      },
      'deduplication',
    ),

    promise('an instance of an event class is published by its type and version', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const byClass = await s.record(b, OrderCreated);
      const byName = await s.record(b, 'order.created');
      await a.publish(new OrderCreated(7));
      await s.exactly(2, byClass, byName);
      assert.deepEqual({ ...(byClass.last.payload as object) }, { order: 7 });
      assert.equal(byName.last.context.version, 2);
    }),

    promise('ids are unique over processes', async (s) => {
      const buses = await s.buses(3);
      const receipts = await Promise.all(buses.flatMap((bus) => numbers(50).map(() => bus.publish('order.created'))));
      assert.equal(new Set(receipts.map(({ id }) => id)).size, 150);
    }),
  ],
};

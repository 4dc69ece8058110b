import assert from 'node:assert/strict';
import type { HandlersFailedError, PublishManyError } from '../../../core/publish-errors.js';
import type { PublishReceipt } from '../../../core/context.js';
import type { SystemError } from '../../../bus/system-events.js';
import { promise, type ConformanceTopic } from '../suite.js';

export const publishing: ConformanceTopic = {
  name: 'emit, publishMany, settle',
  tests: [
    promise('emit never throws; what goes wrong becomes system.error in this process', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      const errors = await s.record(bus, 'system.error');
      const elsewhere = await s.record(other, 'system.error');
      bus.emit('not a type');
      bus.emit('order.created', 1n);
      bus.emit('note', 1, { target: 'nobody' });
      bus.emit({ plain: true });
      for (const odd of [undefined, null, 7, Object.create(null)]) bus.emit(odd as unknown as object);
      await s.exactly(8, errors);
      assert.deepEqual(
        (errors.payloads as SystemError[]).map(({ what }) => what),
        Array(8).fill('emit'),
      );
      await s.exactly(0, elsewhere);
    }),

    promise('no handler of system.error starts inside the call of emit', async (s) => {
      const bus = await s.bus();
      const errors = await s.record(bus, 'system.error');
      bus.emit('not a type');
      assert.equal(errors.events.length, 0);
      await s.exactly(1, errors);
    }),

    promise('a handler of system.error whose own emit fails does not go round for ever', async (s) => {
      const bus = await s.bus();
      let calls = 0;
      await s.record(bus, 'system.error', {
        then: () => {
          if (++calls <= 200) bus.emit('not a type');
        },
      });
      bus.emit('not a type');
      await s.quiet();
      assert.ok(calls >= 1 && calls <= 33, `${String(calls)} calls`);
    }),

    promise('publishMany: one that is refused does not hold back the others, and the error tells which', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created');
      const refused = await s.refusal(
        bus.publishMany([
          { type: 'order.created', payload: 0 },
          { type: 'not a type' },
          { type: 'order.created', payload: 1n },
          { type: 'order.created', payload: 3 },
          { type: 'order.created', payload: 4, options: { target: 'nobody' } },
          null as never,
        ]),
        'PUBLISH_MANY',
      );
      const { results } = refused as PublishManyError<PublishReceipt>;
      assert.deepEqual(
        results.map((result) => 'receipt' in result),
        [true, false, false, true, false, false],
      );
      await s.exactly(2, recorder);
      assert.deepEqual(
        results.flatMap((result) => ('receipt' in result ? [result.receipt.id] : [])),
        recorder.ids,
      );
    }),

    promise('publishMany gives the receipts in order; of nothing, none', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, '#', { concurrency: 1 });
      const receipts = await bus.publishMany(['a', 'b', 'c'].map((type) => ({ type })));
      assert.deepEqual(
        receipts.map(({ type }) => type),
        ['a', 'b', 'c'],
      );
      await s.exactly(3, recorder);
      assert.deepEqual(await bus.publishMany([]), []);
    }),

    promise(
      'settle: rejects with every failed ungrouped handler of this process; the event is stored all the same',
      async (s) => {
        const [bus, other] = await s.buses(2);
        assert.ok(bus && other);
        const reason = new Error('boom');
        await s.record(bus, 'order.created', { name: 'bad', then: () => Promise.reject(reason) });
        await s.record(bus, 'order.*', {
          name: 'worse',
          startFrom: 'earliest',
          then: () => Promise.reject(new Error('x')),
        });
        const good = [await s.record(bus, 'order.created'), await s.record(other, 'order.created')];
        const error = (await s.refusal(
          bus.publish('order.created', 1, { settle: true }),
          'HANDLERS_FAILED',
        )) as HandlersFailedError;
        assert.deepEqual(error.failures.map(({ handler }) => handler).sort(), ['bad', 'worse']);
        assert.equal(error.failures.find(({ handler }) => handler === 'bad')?.error, reason);
        await s.exactly(2, ...good);
      },
    ),

    promise(
      'settle: resolves when the ungrouped handlers of this process have ended, not before, and waits for no others',
      async (s) => {
        const [bus, other] = await s.buses(2);
        assert.ok(bus && other);
        const gate = s.gate();
        const recorder = await s.record(bus, 'order.created', { then: gate.handler });
        await s.record(bus, 'order.created', { group: 'g', then: () => Promise.reject(new Error('in a group')) });
        await s.record(other, 'order.created', { then: () => Promise.reject(new Error('elsewhere')) });
        let settled = false;
        const published = bus.publish('order.created', 1, { settle: true }).then(() => (settled = true));
        await s.atLeast(1, recorder);
        await s.quiet();
        assert.equal(settled, false);
        gate.open();
        await s.value(published);
      },
    ),

    promise('settle: resolves at once where no handler is, or only one of a group', async (s) => {
      const bus = await s.bus();
      await s.value(bus.publish('order.created', 1, { settle: true }));
      await s.record(bus, 'order.created', { group: 'g', then: s.gate().handler });
      await s.value(bus.publish('order.created', 1, { settle: true }));
    }),

    promise('settle: two events with one id wait each for its own', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'a');
      await s.record(bus, 'b');
      const options = { id: 'same', settle: true };
      await s.value(Promise.all([bus.publish('a', 1, options), bus.publish('b', 1, options)]));
    }),

    promise('settle: of two events with one id each gets the failures of its own handlers', async (s) => {
      const bus = await s.bus();
      const gate = s.gate();
      await s.record(bus, 'slow', {
        name: 'slow',
        then: () => gate.opened.then(() => Promise.reject(new Error('slow'))),
      });
      const fast = await s.record(bus, 'fast');
      const options = { id: 'same', settle: true };
      const refused = s.refusal(bus.publish('slow', 1, options), 'HANDLERS_FAILED');
      const settled = s.value(bus.publish('fast', 1, options));
      await s.atLeast(1, fast);
      await settled;
      gate.open();
      assert.deepEqual(
        ((await refused) as HandlersFailedError).failures.map(({ handler }) => handler),
        ['slow'],
      );
    }),

    promise('settle: does not wait for a handler that goes before the event has reached it', async (s) => {
      const bus = await s.bus({ concurrency: 1, prefetch: 1 });
      const busy = await bus.subscribe('order.created', s.gate().handler, { startFrom: 'earliest' });
      const other = await s.record(bus, 'order.created');
      await bus.publish('order.created', 0);
      await s.atLeast(1, other);
      const settled = s.value(bus.publish('order.created', 1, { settle: true }));
      await s.atLeast(2, other);
      await busy.close();
      await settled;
    }),

    promise('settle: does not wait for a handler that is only being added, or that has just gone', async (s) => {
      const bus = await s.bus();
      const adding = bus.subscribe('order.created', () => undefined);
      await s.value(bus.publish('order.created', 1, { settle: true }));
      const removing = (await adding).close();
      await s.value(bus.publish('order.created', 1, { settle: true }));
      await removing;
    }),

    promise('settle: a refused event is refused, and leaves nobody waiting', async (s) => {
      const bus = await s.bus({ maxPayload: 100 });
      await s.record(bus, 'order.created');
      await s.refusal(bus.publish('order.created', 'x'.repeat(200), { settle: true }), 'PAYLOAD_TOO_LARGE');
      await s.refusal(bus.publish('order.created', 1, { settle: true, mode: 'anycast' }), 'INVALID_OPTION');
      await s.value(bus.publish('order.created', 1, { settle: true }));
    }),

    promise('settle: resolves after the drain too, when nobody here handles any more', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'order.created');
      await s.value(bus.drain());
      await s.value(bus.publish('order.created', 1, { settle: true }));
    }),
  ],
};

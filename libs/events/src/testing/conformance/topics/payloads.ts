import assert from 'node:assert/strict';
import { POLLUTING, randomJson, values } from '../payload-samples.js';
import { numbers, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

export const payloads: ConformanceTopic = {
  name: 'payloads',
  tests: [
    promise("the publisher's object may change after the call of publish: nobody sees it", async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const recorders = [await s.record(a, 'order.created'), await s.record(b, 'order.created', { group: 'g' })];
      const payload = { list: [1], inner: { n: 1 } };
      const published = a.publish('order.created', payload);
      payload.list.push(2);
      payload.inner.n = 2;
      await published;
      await s.exactly(2, ...recorders);
      for (const { last } of recorders) assert.deepEqual(last.payload, { list: [1], inner: { n: 1 } });
    }),

    promise(
      "handlers get a deep-frozen value; the publisher's own object is never frozen, nor handed out",
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        const recorders = [await s.record(a, 'order.created'), await s.record(b, 'order.created')];
        const payload = { list: [{ n: 1 }], inner: { n: 1 } };
        await a.publish('order.created', payload);
        await s.exactly(2, ...recorders);
        for (const { last } of recorders) {
          const value = last.payload as typeof payload;
          assert.notEqual(value, payload);
          assert.ok(Object.isFrozen(value) && Object.isFrozen(value.list) && Object.isFrozen(value.list[0]));
          assert.ok(Object.isFrozen(value.inner));
          assert.throws(() => (value.inner.n = 2), TypeError);
        }
        assert.ok(!Object.isFrozen(payload) && !Object.isFrozen(payload.list) && !Object.isFrozen(payload.inner));
      },
    ),

    promise('headers are copied and frozen', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created');
      const headers = { tenant: 'a' };
      const published = bus.publish('order.created', 1, { headers });
      headers.tenant = 'b';
      await published;
      await s.exactly(1, recorder);
      assert.deepEqual({ ...recorder.last.context.headers }, { tenant: 'a' });
      assert.ok(Object.isFrozen(recorder.last.context.headers));
    }),

    promise('no payload is undefined, null is null', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const recorder = await s.record(b, 'order.created', { concurrency: 1 });
      await a.publish('order.created');
      await a.publish('order.created', undefined);
      await a.publish('order.created', null);
      await s.exactly(3, recorder);
      assert.deepEqual(recorder.payloads, [undefined, undefined, null]);
    }),

    promise('whatever is published arrives as JSON gives it', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const given = values();
      const recorder = await s.record(b, 'order.created', { concurrency: 1 });
      for (const value of given) await a.publish('order.created', value);
      await s.exactly(given.length, recorder);
      assert.deepEqual(
        recorder.payloads,
        given.map((value) => JSON.parse(JSON.stringify(value)) as unknown),
      );
    }),

    promise('random JSON arrives unchanged', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const { seed, next } = s.random();
      const recorder = await s.record(b, 'order.created', { concurrency: 1 });
      const values = numbers(100).map(() => randomJson(next, 4));
      for (const value of values) await a.publish('order.created', value);
      await s.exactly(100, recorder);
      for (const [index, value] of values.entries()) {
        const expected: unknown = JSON.parse(JSON.stringify(value));
        assert.deepEqual(recorder.payloads[index], expected, `value ${String(index)} of seed ${String(seed)}`);
      }
    }),

    ...POLLUTING.map((text) =>
      promise(`a __proto__ key changes no prototype: ${text}`, async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        const recorders = [await s.record(a, 'order.created'), await s.record(b, 'order.created')];
        await a.publish('order.created', JSON.parse(text));
        await s.exactly(2, ...recorders);
        for (const { last } of recorders) {
          const value = last.payload as { readonly inner?: object };
          const copy: Record<string, unknown> = Object.assign({}, value, value.inner);
          assert.equal(copy['a'], 1);
          assert.equal(copy['polluted'], undefined);
          assert.equal(Object.getPrototypeOf(copy), Object.prototype);
        }
        assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
      }),
    ),

    promise('a payload of the largest size arrives, one byte more is refused and counts in bytes', async (s) => {
      const [a, b] = await s.buses(2, { maxPayload: 10_000 });
      assert.ok(a && b);
      const recorder = await s.record(b, 'order.created');
      await a.publish('order.created', 'x'.repeat(9_998));
      await s.refusal(a.publish('order.created', 'x'.repeat(9_999)), 'PAYLOAD_TOO_LARGE');
      await a.publish('order.created', 'ü'.repeat(4_999));
      await s.refusal(a.publish('order.created', 'ü'.repeat(5_000)), 'PAYLOAD_TOO_LARGE');
      await s.exactly(2, recorder);
    }),

    promise('a payload of megabytes arrives, where maxPayload lets it', async (s) => {
      const [a, b] = await s.buses(2, { maxPayload: 4_000_000 });
      assert.ok(a && b);
      const recorder = await s.record(b, 'order.created', { group: 'g' });
      await a.publish('order.created', { body: 'x'.repeat(3_000_000) });
      await s.exactly(1, recorder);
      assert.equal((recorder.last.payload as { body: string }).body.length, 3_000_000);
    }),

    promise('payloads that JSON cannot write are refused and not sent', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created');
      for (const bad of unwritable()) await s.refusal(bus.publish('order.created', bad), 'SERIALIZATION');
      await s.exactly(0, recorder);
    }),

    promise(
      'isolate: false hands the very object over, not frozen',
      async (s: Stage) => {
        const bus = await s.bus({ isolate: false });
        const recorder = await s.record(bus, 'order.created');
        const payload = { n: 1, self: 1n };
        await bus.publish('order.created', payload);
        await s.exactly(1, recorder);
        assert.equal(recorder.last.payload, payload);
        assert.equal(Object.isFrozen(payload), false);
      },
      'by-reference',
    ),
  ],
};

function unwritable(): unknown[] {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const throwing = { toJSON: () => { throw new Error('boom'); } }; // prettier-ignore
  return [1n, { deep: [1n] }, cycle, () => 1, Symbol('s'), throwing, { toJSON: () => undefined }];
}

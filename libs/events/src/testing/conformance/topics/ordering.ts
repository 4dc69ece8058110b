import assert from 'node:assert/strict';
import { numbers, publishNumbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

export const ordering: ConformanceTopic = {
  name: 'order',
  tests: [
    promise(
      'events of one type of one publisher reach a handler with concurrency 1 in order, awaited or not',
      async (s) => {
        const [a, b] = await s.buses(2, { prefetch: 16 });
        assert.ok(a && b);
        const here = await s.record(a, 'order.created', { concurrency: 1 });
        const there = await s.record(b, 'order.created', { concurrency: 1, then: () => Promise.resolve() });
        for (const number of numbers(100)) await a.publish('order.created', number);
        await publishNumbers(a, 'order.created', 300, 100);
        await s.exactly(800, here, there);
        assert.deepEqual(here.payloads, numbers(400));
        assert.deepEqual(there.payloads, numbers(400));
      },
    ),

    promise('so they do in a group of one member, also behind a handler that now and then fails', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const then = (n: number): Promise<void> => (n % 10 === 3 ? Promise.reject(new Error('3')) : Promise.resolve());
      const recorder = await s.record(b, 'order.created', { group: 'g', concurrency: 1, retry: { attempts: 1 }, then });
      await publishNumbers(a, 'order.created', 100);
      await s.exactly(100, recorder);
      assert.deepEqual(recorder.payloads, numbers(100));
    }),

    promise('handlers begin in order also with more than one at once', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created', { concurrency: 5, then: () => Promise.resolve() });
      await publishNumbers(bus, 'order.created', 200);
      await s.exactly(200, recorder);
      assert.deepEqual(recorder.payloads, numbers(200));
    }),

    promise('emit, publish and publishMany keep their order among each other', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created', { concurrency: 1 });
      bus.emit('order.created', 0);
      const first = bus.publish('order.created', 1);
      const many = bus.publishMany([2, 3].map((payload) => ({ type: 'order.created', payload })));
      bus.emit('order.created', 4);
      await Promise.all([first, many]);
      await s.exactly(5, recorder);
      assert.deepEqual(recorder.payloads, numbers(5));
    }),
  ],
};

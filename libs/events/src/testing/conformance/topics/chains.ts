import assert from 'node:assert/strict';
import type { EventsError } from '../../../core/errors.js';
import { numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

export const chains: ConformanceTopic = {
  name: 'chains of events',
  tests: [
    promise('a loop ends: the event that would be hop 33 is refused with EventLoopError', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      let refused: unknown;
      const onA = await s.record(a, 'ping', {
        then: () => a.publish('pong').catch((error: unknown) => (refused = error)),
      });
      const onB = await s.record(b, 'pong', {
        then: () => b.publish('ping').catch((error: unknown) => (refused = error)),
      });
      const { id } = await a.publish('ping');
      await s.until('the refusal', () => refused);
      await s.exactly(33, onA, onB);
      assert.equal((refused as EventsError).code, 'EVENT_LOOP');
      assert.match((refused as EventsError).message, new RegExp(id));
    }),

    promise('a loop of emits ends too, and says so in system.error', async (s) => {
      const bus = await s.bus();
      const errors = await s.record(bus, 'system.error');
      const recorder = await s.record(bus, 'ping', {
        then: () => {
          bus.emit('ping');
        },
      });
      bus.emit('ping');
      await s.exactly(33, recorder);
      await s.exactly(1, errors);
      assert.equal((errors.last.payload as { type: string }).type, 'ping');
    }),

    promise(
      'what a handler publishes carries the correlation id on and names its cause, also after awaits and in another process',
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        await s.record(a, 'one', {
          then: async () => {
            await Promise.resolve();
            await s.harness.waitFor(() => true);
            await a.publish('two');
          },
        });
        await s.record(b, 'two', { group: 'g', then: () => b.publish('three') });
        const all = [await s.record(a, 'two'), await s.record(a, 'three')];
        const first = await a.publish('one');
        await s.exactly(2, ...all);
        const [two, three] = all.map(({ last }) => last.context);
        assert.ok(two && three);
        assert.deepEqual([two.correlationId, two.causationId], [first.id, first.id]);
        assert.deepEqual([three.correlationId, three.causationId], [first.id, two.id]);
      },
    ),

    promise('chains that run at once do not mix', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'cause', {
        then: async (n: number) => {
          for (let turn = 0; turn < n % 4; turn++) await Promise.resolve();
          await bus.publish('effect', n);
        },
      });
      const effects = await s.record(bus, 'effect');
      const receipts = await Promise.all(numbers(40).map((number) => bus.publish('cause', number)));
      await s.exactly(40, effects);
      for (const { payload, context } of effects.events)
        assert.equal(context.causationId, receipts[payload as number]?.id);
    }),

    promise('what is published outside a handler begins a chain of its own', async (s) => {
      const bus = await s.bus();
      const gate = s.gate();
      const recorder = await s.record(bus, '#', { then: gate.handler });
      const first = await bus.publish('one');
      await s.atLeast(1, recorder);
      const second = await bus.publish('two');
      await s.atLeast(2, recorder);
      assert.notEqual(second.id, first.id);
      assert.deepEqual(
        [recorder.last.context.correlationId, recorder.last.context.causationId],
        [second.id, undefined],
      );
    }),

    promise("a correlation id of the caller's own beats the chain's, and goes on", async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'one', { then: () => bus.publish('two', 1, { correlationId: 'mine' }) });
      await s.record(bus, 'two', { then: () => bus.publish('three') });
      const last = await s.record(bus, 'three');
      await bus.publish('one');
      await s.exactly(1, last);
      assert.equal(last.last.context.correlationId, 'mine');
    }),
  ],
};

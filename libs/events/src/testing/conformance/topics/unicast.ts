import assert from 'node:assert/strict';
import { numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

export const unicast: ConformanceTopic = {
  name: 'unicast',
  tests: [
    promise('an unknown target is refused at once', async (s) => {
      const bus = await s.bus();
      const error = await s.refusal(bus.publish('note', 1, { target: 'nobody' }), 'NO_SUCH_INSTANCE');
      assert.match(error.message, /nobody/);
    }),

    promise('a target that has closed is refused', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(b, 'note');
      await s.value(b.close());
      await s.refusal(a.publish('note', 1, { target: b.instanceId }), 'NO_SUCH_INSTANCE');
    }),

    promise(
      'a target that has died is refused as soon as that is known; what it had not handled becomes dead letters',
      async (s) => {
        const [a, b] = await s.buses(2, { reclaimAfter: 1_000 });
        assert.ok(a && b);
        const held = await s.record(b, 'note', { then: s.gate().handler });
        await a.publish('note', 0, { target: b.instanceId });
        await s.atLeast(1, held);
        await s.harness.crash(b);
        let stored = 1;
        await s.harness.waitFor(
          () =>
            a.publish('note', stored, { target: b.instanceId }).then(
              () => {
                stored++;
                return false;
              },
              (error: unknown) => (error as { code?: string }).code === 'NO_SUCH_INSTANCE',
            ),
          { what: 'the death to be known', timeout: '60s' },
        );
        const letters = await s.deadLetters(stored);
        assert.deepEqual(new Set(letters.map(({ reason }) => reason)), new Set(['target-died']));
      },
    ),

    promise('a target without a matching handler: a dead letter', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const { id } = await a.publish('note', 1, { target: b.instanceId });
      const [letter] = await s.deadLetters(1);
      assert.deepEqual([letter?.id, letter?.reason], [id, 'unhandled']);
    }),

    promise('a handler that fails: a dead letter for it, and the others of the process get the event', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(b, 'note', { name: 'bad', retry: { attempts: 1 }, then: () => Promise.reject(new Error('boom')) });
      const good = await s.record(b, 'note', { name: 'good' });
      await a.publish('note', 1, { target: b.instanceId });
      await s.exactly(1, good);
      const [letter] = await s.deadLetters(1);
      assert.deepEqual([letter?.handler, letter?.reason], ['bad', 'handler-failed']);
    }),

    promise('every matching handler of the target gets the event, grouped or not, and nobody else', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const elsewhere = [await s.record(a, 'note'), await s.record(a, 'note', { group: 'g' })];
      const here = [
        await s.record(b, 'note'),
        await s.record(b, '#', { group: 'g' }),
        await s.record(b, 'note', { startFrom: 'earliest' }),
      ];
      await a.publish('note', 1, { target: b.instanceId });
      await s.exactly(3, ...here);
      await s.exactly(0, ...elsewhere);
      assert.ok(here.every(({ last }) => last.context.mode === 'unicast'));
    }),

    promise('a process can send to itself', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'note');
      await bus.publish('note', 1, { target: bus.instanceId });
      await s.exactly(1, recorder);
    }),

    promise('events of one sender keep their order', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const recorder = await s.record(b, 'note', { concurrency: 1 });
      await Promise.all(numbers(100).map((number) => a.publish('note', number, { target: b.instanceId })));
      await s.exactly(100, recorder);
      assert.deepEqual(recorder.payloads, numbers(100));
    }),

    promise('target and mode must fit together', async (s) => {
      const bus = await s.bus();
      const { instanceId: target } = bus;
      await s.refusal(bus.publish('note', 1, { mode: 'unicast' }), 'INVALID_OPTION');
      await s.refusal(bus.publish('note', 1, { mode: 'broadcast', target }), 'INVALID_OPTION');
      await s.refusal(bus.publish('note', 1, { mode: 'anycast', target }), 'INVALID_OPTION');
      await s.refusal(bus.publish('note', 1, { target: '' }), 'INVALID_OPTION');
    }),

    promise('context.reply goes to the process that published, as an effect of the event', async (s) => {
      const [asker, other, replier] = await s.buses(3);
      assert.ok(asker && other && replier);
      const replies = await s.record(asker, 'answer');
      const overheard = await s.record(other, 'answer');
      await s.record(replier, 'question', {
        then: (payload, context) => context.reply('answer', { to: payload as number }),
      });
      const question = await asker.publish('question', 7);
      await s.exactly(1, replies);
      await s.exactly(0, overheard);
      const { last } = replies;
      const { context } = last;
      assert.deepEqual(last.payload, { to: 7 });
      assert.equal(context.causationId, question.id);
      assert.equal(context.correlationId, question.id);
      assert.equal(context.sourceInstance, replier.instanceId);
    }),

    promise('context.reply to a process that has closed is refused', async (s) => {
      const [asker, replier] = await s.buses(2);
      assert.ok(asker && replier);
      const gate = s.gate();
      let reply: Promise<unknown> | undefined;
      await s.record(replier, 'question', {
        then: async (_, context) => {
          await gate.opened;
          reply = context.reply('answer');
          await reply.catch(() => undefined);
        },
      });
      await asker.publish('question');
      await s.value(asker.close());
      gate.open();
      await s.until('the reply', () => reply !== undefined);
      await s.refusal(reply ?? Promise.resolve(), 'NO_SUCH_INSTANCE');
    }),
  ],
};

import assert from 'node:assert/strict';
import { numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

/** So long that it is no test of time: what ends before was ended by something else. */
const timeout = '10m';

export const requests: ConformanceTopic = {
  name: 'requests',
  tests: [
    promise('a handler of the asking process answers, where there is one', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const local = await s.record(a, 'sum', { then: (n: number[]) => n.reduce((x, y) => x + y, 0) });
      const remote = await s.record(b, 'sum', { then: () => -1 });
      for (const number of numbers(5)) assert.equal(await s.value(a.publishAndWait('sum', [number, 1])), number + 1);
      await s.exactly(5, local);
      assert.equal(remote.events.length, 0);
      assert.equal(local.last.context.mode, 'request');
    }),

    promise('else one live process that answers, and only one', async (s) => {
      const [asker, ...others] = await s.buses(4);
      assert.ok(asker);
      const recorders = await Promise.all(others.map((bus) => s.record(bus, 'sum', { then: (n: number) => n + 1 })));
      const answers = await Promise.all(numbers(30).map((number) => s.value(asker.publishAndWait('sum', number))));
      assert.deepEqual(
        answers,
        numbers(30).map((number) => number + 1),
      );
      await s.exactly(30, ...recorders);
      assert.ok(
        recorders.every(({ events }) => events.length > 0),
        'they take turns',
      );
    }),

    promise('nobody but the answering handler sees a request', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const first = await s.record(b, 'sum', { then: () => 'first' });
      const others = [
        await s.record(b, 'sum', { then: () => 'second' }),
        await s.record(b, '#'),
        await s.record(a, '#', { group: 'g' }),
        await s.record(b, 'sum', { group: 'g' }),
      ];
      assert.equal(await s.value(a.publishAndWait('sum')), 'first');
      await s.exactly(1, first);
      await s.exactly(0, ...others);
    }),

    promise('wildcard handlers answer only when they say so, exact ones unless they say no', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(b, 'sum.*', { then: () => 'wildcard' });
      await s.record(b, 'sum.one', { reply: false, then: () => 'silent' });
      await s.refusal(a.publishAndWait('sum.one', 1, { timeout }), 'NO_HANDLER');
      await s.refusal(b.publishAndWait('sum.one', 1, { timeout }), 'NO_HANDLER');
      await s.record(b, 'sum.#', { reply: true, then: () => 'willing' });
      assert.equal(await s.value(a.publishAndWait('sum.one')), 'willing');
      assert.equal(await s.value(b.publishAndWait('sum.one')), 'willing');
    }),

    promise('the answer is what JSON gives, frozen, from here and from elsewhere', async (s) => {
      const [here, elsewhere] = await s.buses(2);
      assert.ok(here && elsewhere);
      const when = new Date(0);
      const value = { when, list: [1, undefined, NaN], nothing: undefined, deep: { map: new Map([[1, 2]]) } };
      const expected: unknown = JSON.parse(JSON.stringify(value));
      await s.record(here, 'value', { then: () => value });
      for (const asker of [here, elsewhere]) {
        const answer = await s.value(asker.publishAndWait<{ deep: object }>('value'));
        assert.deepEqual(answer, expected);
        assert.ok(Object.isFrozen(answer) && Object.isFrozen(answer.deep));
      }
      assert.equal(Object.isFrozen(value), false);
    }),

    promise('undefined, null, false, 0 and empty text come back as they are', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const values = [undefined, null, false, 0, ''];
      await s.record(b, 'value', { then: (index: number) => values[index] });
      for (const [index, value] of values.entries()) {
        assert.equal(await s.value(a.publishAndWait('value', index)), value);
        assert.equal(await s.value(b.publishAndWait('value', index)), value);
      }
    }),

    promise('a large question and a large answer', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(b, 'echo', { then: (text: string) => text + text });
      const text = 'ä'.repeat(100_000);
      assert.equal(await s.value(a.publishAndWait('echo', text)), text + text);
    }),

    promise('a request within a handler belongs to the chain of its event', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const answering = await s.record(b, 'sum', { then: () => 1 });
      await s.record(a, 'order.created', { then: () => a.publishAndWait('sum') });
      const { id } = await a.publish('order.created');
      await s.exactly(1, answering);
      assert.deepEqual([answering.last.context.causationId, answering.last.context.correlationId], [id, id]);
    }),

    promise('headers travel with a request', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(b, 'who', { then: (_, context) => context.headers['user'] });
      assert.equal(await s.value(a.publishAndWait('who', undefined, { headers: { user: 'ada' } })), 'ada');
    }),

    promise('two processes may ask each other at once', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(a, 'a', { then: (n: number) => b.publishAndWait('b', n) });
      await s.record(b, 'b', { then: (n: number) => n + 1 });
      const answers = await Promise.all(
        [b.publishAndWait('a', 1), a.publishAndWait('b', 5)].map((each) => s.value(each)),
      );
      assert.deepEqual(answers, [2, 6]);
    }),
  ],
};

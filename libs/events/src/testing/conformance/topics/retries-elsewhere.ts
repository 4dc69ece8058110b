import assert from 'node:assert/strict';
import type { EventHandler } from '../../../core/handler.js';
import { Reject, RetryLater } from '../../../core/handler-errors.js';
import type { HandlersFailedError } from '../../../core/publish-errors.js';
import { EventsRecorder } from '../../recorder.js';
import { attempts, failing, numbers, publishNumbers, soon, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const LATER = { attempts: 3, delay: '10m' };
const rejects: EventHandler = () => {
  throw new Reject('never');
};

/** Handlers without a group, and the other modes. */
export const retriesElsewhere: ConformanceTopic = {
  name: 'retries without a group',
  tests: [
    ...(['new', 'earliest'] as const).map((startFrom) =>
      promise(
        `an ungrouped handler ('${startFrom}') is tried again in its own process, and nobody else is`,
        async (s) => {
          const [a, b] = await s.buses(2);
          assert.ok(a && b);
          const bad = await s.record(a, 'order.created', { name: 'bad', startFrom, retry: soon(3), then: failing() });
          const others = [await s.record(a, 'order.*'), await s.record(b, 'order.created', { name: 'bad' })];
          const { id } = await b.publish('order.created', 1);
          const [letter] = await s.letters(b, 1);
          await s.exactly(5, bad, ...others);
          assert.deepEqual(attempts(bad), [1, 2, 3]);
          assert.deepEqual(
            bad.events.map(({ redelivered }) => redelivered),
            [false, true, true],
          );
          assert.deepEqual([letter?.reason, letter?.handler, letter?.group], ['handler-failed', 'bad', undefined]);
          assert.deepEqual([letter?.attempts, letter?.event?.id], [3, id]);
          assert.match(letter?.error ?? '', /attempt 3 fails/);
        },
      ),
    ),

    promise('an ungrouped handler that succeeds at a later attempt leaves no dead letter', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created', { concurrency: 2, retry: soon(3), then: failing(2) });
      await publishNumbers(bus, 'order.created', 20);
      await s.exactly(60, recorder);
      assert.deepEqual(new Set(sorted(recorder)), new Set(numbers(20)));
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    ...[undefined, 'billing'].map((group) =>
      promise(
        `a next attempt takes a place like any event (${group === undefined ? 'no group' : 'group'})`,
        async (s) => {
          const bus = await s.bus();
          let [running, most] = [0, 0];
          const then: EventHandler = async (payload, context) => {
            most = Math.max(most, ++running);
            await s.harness.deadLetters();
            running--;
            failing(2)(payload, context);
          };
          const inGroup = group === undefined ? {} : { group };
          const recorder = await s.record(bus, 'order.created', { ...inGroup, concurrency: 2, retry: soon(3), then });
          await publishNumbers(bus, 'order.created', 20);
          await s.exactly(60, recorder);
          assert.equal(most, 2);
        },
      ),
    ),

    promise('two ungrouped handlers that fail are a dead letter each', async (s) => {
      const bus = await s.bus();
      for (const name of ['one', 'two'])
        await s.record(bus, 'order.created', { name, retry: soon(2), then: failing() });
      await bus.publish('order.created', 1);
      const letters = await s.letters(bus, 2);
      assert.deepEqual(letters.map(({ handler }) => handler).sort(), ['one', 'two']);
    }),

    promise('what waits in a process for its next attempt when it closes becomes a dead letter', async (s) => {
      const [leaving, other] = await s.buses(2);
      assert.ok(leaving && other);
      const recorder = await s.record(leaving, 'order.created', { name: 'bad', retry: LATER, then: failing() });
      const { id } = await other.publish('order.created', 1);
      await s.exactly(1, recorder);
      await s.value(leaving.close());
      const [letter] = await s.letters(other, 1);
      assert.deepEqual([letter?.reason, letter?.handler, letter?.attempts], ['handler-failed', 'bad', 1]);
      assert.deepEqual([letter?.event?.id, recorder.events.length], [id, 1]);
    }),

    promise(
      'a second attempt that hangs at shutdown is given up after shutdownTimeout, and its signal aborts',
      async (s) => {
        const bus = await s.bus({ shutdownTimeout: 200 });
        const gate = s.gate();
        const then: EventHandler = (_, { attempt }) => {
          if (attempt === 1) throw new Error('boom');
          return gate.opened;
        };
        const recorder = await s.record(bus, 'order.created', { retry: soon(3), then });
        await bus.publish('order.created', 1);
        await s.atLeast(2, recorder);
        const { signal } = recorder.last.context;
        await s.value(bus.close());
        assert.equal(signal.aborted, true);
      },
    ),

    promise('what waits for its next attempt when its handler is closed is not lost: a dead letter', async (s) => {
      const bus = await s.bus();
      const recorder = new EventsRecorder(failing());
      const subscription = await bus.subscribe('order.created', recorder.handler, {
        name: 'bad',
        retry: { attempts: 3, delay: 200, backoff: 'fixed' },
      });
      const { id } = await bus.publish('order.created', 1);
      await s.atLeast(1, recorder);
      await subscription.close();
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.handler, letter?.event?.id], ['bad', id]);
      await s.exactly(1, recorder);
    }),

    promise(
      'once: a handler that fails is tried again with its event, with no other; then a dead letter',
      async (s) => {
        const bus = await s.bus();
        const recorder = new EventsRecorder(failing());
        await bus.once('order.created', recorder.handler, { name: 'once', retry: soon(3) });
        await publishNumbers(bus, 'order.created', 5);
        const [letter] = await s.letters(bus, 1);
        await s.exactly(3, recorder);
        assert.deepEqual(recorder.payloads, [0, 0, 0]);
        assert.deepEqual([letter?.handler, letter?.attempts], ['once', 3]);
      },
    ),

    promise('anycast: a failed event is tried again by any process, its attempts counted over all', async (s) => {
      const buses = await s.buses(2);
      const [bus] = buses;
      assert.ok(bus);
      const options = { name: 'worker', retry: soon(3), then: failing() };
      const workers = await Promise.all(buses.map((each) => s.record(each, 'job.run', options)));
      const { id } = await bus.publish('job.run', 1, { mode: 'anycast' });
      const [letter] = await s.letters(bus, 1);
      await s.exactly(3, ...workers);
      assert.deepEqual(workers.flatMap(attempts).sort(), [1, 2, 3]);
      assert.deepEqual([letter?.reason, letter?.handler, letter?.group], ['handler-failed', 'worker', undefined]);
      assert.deepEqual([letter?.attempts, letter?.event?.id, letter?.event?.mode], [3, id, 'anycast']);
    }),

    promise('anycast: a failed event outlives the process that failed', async (s) => {
      const [leaving, other] = await s.buses(2, { reclaimAfter: '10m' });
      assert.ok(leaving && other);
      const retry = { attempts: 3, delay: 300, backoff: 'fixed' } as const;
      const first = await s.record(leaving, 'job.run', { retry, then: failing() });
      await other.publish('job.run', 1, { mode: 'anycast' });
      await s.atLeast(1, first);
      await s.value(leaving.close());
      const next = await s.record(other, 'job.*', { retry });
      await s.exactly(1, next);
      assert.deepEqual([attempts(next), next.last.context.mode], [[2], 'anycast']);
    }),

    promise('unicast: a failed handler is tried again in the target, the others of the target are not', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const bad = await s.record(b, 'note', { name: 'bad', retry: soon(3), then: failing(2) });
      const good = await s.record(b, 'note', { name: 'good' });
      const elsewhere = await s.record(a, 'note', { name: 'bad' });
      await a.publish('note', 1, { target: b.instanceId });
      await s.exactly(4, bad, good);
      assert.deepEqual(attempts(bad), [1, 2, 3]);
      await s.exactly(0, elsewhere);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('unicast: attempts exhausted are a dead letter of that handler', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const bad = await s.record(b, 'note', { name: 'bad', retry: soon(2), then: failing() });
      await s.record(b, 'note', { name: 'worse', group: 'g', retry: soon(3), then: failing() });
      const good = await s.record(b, 'note', { name: 'good' });
      await a.publish('note', 1, { target: b.instanceId });
      const letters = await s.letters(a, 2);
      await s.exactly(3, bad, good);
      const tried = letters.map(({ handler, attempts: made }) => [handler, made]);
      assert.deepEqual(new Map(tried as [string, number][]), new Map([['bad', 2], ['worse', 3]])); // prettier-ignore
    }),

    promise('unicast: what waits for its next attempt when the target closes is a dead letter', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const bad = await s.record(b, 'note', { name: 'bad', retry: LATER, then: failing() });
      const { id } = await a.publish('note', 1, { target: b.instanceId });
      await s.exactly(1, bad);
      await s.value(b.close());
      const [letter] = await s.letters(a, 1);
      assert.equal(letter?.event?.id, id);
    }),

    promise('unicast: an event that waits for its next attempt does not hold up the next event', async (s) => {
      const [a, b] = await s.buses(2, { concurrency: 1, prefetch: 2 });
      assert.ok(a && b);
      const then: EventHandler = (n: number) => {
        if (n === 0) throw new RetryLater('10m');
      };
      const recorder = await s.record(b, 'note', { then });
      for (const n of numbers(5)) await a.publish('note', n, { target: b.instanceId });
      await s.exactly(5, recorder);
      assert.deepEqual(recorder.payloads, numbers(5));
    }),

    ...(['broadcast', 'anycast', 'unicast'] as const).map((mode) =>
      promise(`${mode}: Reject of an ungrouped handler goes to the dead letters at once`, async (s) => {
        const bus = await s.bus();
        const recorder = await s.record(bus, 'note', { name: 'bad', retry: soon(5), then: rejects });
        const target = mode === 'unicast' ? { target: bus.instanceId } : {};
        await bus.publish('note', 1, { mode, ...target });
        const [letter] = await s.letters(bus, 1);
        assert.deepEqual([letter?.reason, letter?.handler, letter?.attempts], ['rejected', 'bad', 1]);
        assert.deepEqual([letter?.error, letter?.group], ['never', undefined]);
        await s.exactly(1, recorder);
      }),
    ),

    promise('a request is never tried again, whatever the handler throws, and leaves no dead letter', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const thrown = [new Error('boom'), new RetryLater(1), new Reject('no')];
      const then: EventHandler = (n: number) => Promise.reject(thrown[n] ?? new Error('?'));
      for (const answering of [b, a]) {
        const recorder = await s.record(answering, 'sum', { retry: soon(5), then });
        for (const n of numbers(3)) await s.refusal(a.publishAndWait('sum', n), 'REMOTE_HANDLER');
        await s.exactly(3, recorder);
        assert.deepEqual(attempts(recorder), [1, 1, 1]);
      }
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('settle tells of the first attempt; the next one may succeed all the same', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created', { name: 'bad', retry: soon(3), then: failing(1) });
      const published = bus.publish('order.created', 1, { settle: true });
      const error = (await s.refusal(published, 'HANDLERS_FAILED')) as HandlersFailedError;
      assert.deepEqual(
        error.failures.map(({ handler }) => handler),
        ['bad'],
      );
      await s.exactly(2, recorder);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('settle does not wait for the next attempt', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created', { retry: LATER, then: failing() });
      await s.refusal(bus.publish('order.created', 1, { settle: true }), 'HANDLERS_FAILED');
      assert.equal(recorder.events.length, 1);
    }),
  ],
};

import assert from 'node:assert/strict';
import { Reject, RetryLater } from '../../../core/handler-errors.js';
import type { HandlingOptions } from '../../../bus/handling-options.js';
import { attempts, failing, numbers, publishNumbers, soon, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
/** Beyond every test: what comes all the same was not waiting for this. */
const LATER = '10m';

export const retries: ConformanceTopic = {
  name: 'retries',
  tests: [
    promise(
      'a handler of a group fails for good: attempts 1, 2, 3 of the same event, then one dead letter',
      async (s) => {
        const [bus, other] = await s.buses(2);
        assert.ok(bus && other);
        const recorder = await s.record(bus, 'order.*', { group, name: 'charge', retry: soon(3), then: failing() });
        const options = { correlationId: 'chain', headers: { tenant: 'x' } };
        const { id, time } = await other.publish('order.created', { n: 1 }, options);
        const [letter] = await s.letters(bus, 1);
        await s.exactly(3, recorder);
        assert.deepEqual(attempts(recorder), [1, 2, 3]);
        assert.deepEqual(
          recorder.events.map(({ redelivered }) => redelivered),
          [false, true, true],
        );
        for (const { payload, context } of recorder.events) {
          assert.deepEqual(payload, { n: 1 });
          assert.deepEqual([context.id, context.type, context.group], [id, 'order.created', group]);
          assert.deepEqual([context.correlationId, context.headers['tenant']], ['chain', 'x']);
          assert.equal(context.time.getTime(), time.getTime());
          assert.equal(context.sourceInstance, other.instanceId);
        }
        assert.deepEqual([letter?.reason, letter?.handler, letter?.group], ['handler-failed', 'charge', group]);
        assert.deepEqual([letter?.attempts, letter?.event?.id], [3, id]);
        assert.match(letter?.error ?? '', /attempt 3 fails/);
      },
    ),

    promise('attempts: 1 means none again', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created', { group, retry: { attempts: 1 }, then: failing() });
      await bus.publish('order.created');
      const [letter] = await s.letters(bus, 1);
      assert.equal(letter?.attempts, 1);
      await s.exactly(1, recorder);
    }),

    promise('only the handler that failed runs again: no other handler, group or process', async (s) => {
      const buses = await s.buses(2);
      const [bus] = buses;
      assert.ok(bus);
      const once = { retry: soon(3), then: failing(1) };
      const bad = await Promise.all(buses.map((each) => s.record(each, 'order.*', { group, name: 'bad', ...once })));
      const good = await Promise.all(buses.map((each) => s.record(each, 'order.created', { group, name: 'good' })));
      const elsewhere = await s.record(bus, 'order.created', { group: 'stock' });
      const processes = await Promise.all(buses.map((each) => s.record(each, 'order.#')));
      await publishNumbers(bus, 'order.created', 5);
      await s.atLeast(10, ...bad);
      await s.exactly(10, ...bad);
      await s.exactly(5, ...good);
      await s.exactly(5, elsewhere);
      await s.exactly(10, ...processes);
      assert.deepEqual(bad.flatMap(attempts).sort(), [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('each failing handler of a group has attempts of its own', async (s) => {
      const bus = await s.bus();
      const [two, four] = [
        await s.record(bus, 'order.created', { group, name: 'two', retry: soon(2), then: failing() }),
        await s.record(bus, 'order.created', { group, name: 'four', retry: soon(4), then: failing() }),
      ];
      await bus.publish('order.created');
      const letters = await s.letters(bus, 2);
      await s.exactly(6, two, four);
      assert.deepEqual(
        [attempts(two), attempts(four)],
        [
          [1, 2],
          [1, 2, 3, 4],
        ],
      );
      assert.deepEqual(new Map(letters.map((letter) => [letter.handler, letter.attempts])), new Map([['two', 2], ['four', 4]])); // prettier-ignore
    }),

    promise('a storm of failures over several members: each event has its attempts, none is lost', async (s) => {
      const buses = await s.buses(2, { prefetch: 8, concurrency: 4 });
      const [bus] = buses;
      assert.ok(bus);
      const options: HandlingOptions = { retry: soon(3) };
      const then = (n: number, context: { attempt: number }): void => {
        if (n % 2 === 0 || context.attempt < 3) throw new Error('boom');
      };
      const members = await Promise.all(buses.map((each) => s.record(each, 'order.*', { group, ...options, then })));
      await publishNumbers(bus, 'order.created', 40);
      const letters = await s.letters(bus, 20);
      await s.exactly(120, ...members);
      assert.deepEqual(
        letters.map(({ event }) => event?.payload as number).sort((a, b) => a - b),
        numbers(20).map((n) => n * 2),
      );
      for (const n of numbers(40)) {
        const runs = members.flatMap(({ events }) => events.filter(({ payload }) => payload === n));
        assert.deepEqual(runs.map(({ attempt }) => attempt).sort(), [1, 2, 3]);
      }
    }),

    promise('events of one publisher keep their order beside those that are tried again', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const then = (n: number, context: { attempt: number }): void => {
        if (n % 10 === 3) failing(1)(n, context as never);
      };
      const recorder = await s.record(b, 'order.created', { group, concurrency: 1, retry: soon(2), then });
      await publishNumbers(a, 'order.created', 50);
      await s.exactly(55, recorder);
      const first = recorder.events.filter(({ attempt }) => attempt === 1);
      assert.deepEqual(
        first.map(({ payload }) => payload as number),
        numbers(50),
      );
      assert.deepEqual(sorted(recorder).length - first.length, 5);
    }),

    ...[group, undefined].map((inGroup) =>
      promise(
        `a wait holds no place ${inGroup === undefined ? 'without' : 'in'} a group: concurrency and prefetch of 1 handle the next event`,
        async (s) => {
          const bus = await s.bus({ concurrency: 1, prefetch: 1 });
          const recorder = await s.record(bus, 'order.created', {
            ...(inGroup === undefined ? {} : { group: inGroup }),
            then: (n: number) => {
              if (n === 0) throw new RetryLater(LATER);
            },
          });
          await publishNumbers(bus, 'order.created', 5);
          await s.exactly(5, recorder);
          assert.deepEqual(recorder.payloads, numbers(5));
        },
      ),
    ),

    promise('RetryLater comes sooner than the backoff says', async (s) => {
      const bus = await s.bus();
      const retry = { attempts: 3, delay: LATER };
      const then = (_: unknown, { attempt }: { attempt: number }): void => {
        if (attempt === 1) throw new RetryLater(20);
      };
      const recorders = [
        await s.record(bus, 'order.created', { group, retry, then }),
        await s.record(bus, 'order.created', { retry, then }),
      ];
      await bus.publish('order.created');
      await s.exactly(4, ...recorders);
      for (const recorder of recorders) assert.deepEqual(attempts(recorder), [1, 2]);
    }),

    promise('RetryLater comes later than the backoff says', async (s) => {
      const bus = await s.bus();
      const then = (): never => {
        throw new RetryLater(LATER);
      };
      const recorder = await s.record(bus, 'order.created', { group, retry: soon(3), then });
      await bus.publish('order.created');
      await s.exactly(1, recorder);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('RetryLater counts as a failed attempt', async (s) => {
      const bus = await s.bus();
      const then = (): never => {
        throw new RetryLater(10);
      };
      const recorder = await s.record(bus, 'order.created', { group, retry: soon(2), then });
      await bus.publish('order.created');
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.reason, letter?.attempts], ['handler-failed', 2]);
      await s.exactly(2, recorder);
    }),

    promise('Reject goes to the dead letters at once, with its reason; other handlers are not touched', async (s) => {
      const bus = await s.bus();
      const then = (): never => {
        throw new Reject('no such order');
      };
      const bad = await s.record(bus, 'order.created', { group, name: 'bad', retry: soon(5), then });
      const good = await s.record(bus, 'order.created', { group, name: 'good' });
      await bus.publish('order.created');
      const [letter] = await s.letters(bus, 1);
      await s.exactly(2, bad, good);
      assert.deepEqual([letter?.reason, letter?.handler, letter?.attempts], ['rejected', 'bad', 1]);
      assert.equal(letter?.error, 'no such order');
    }),

    promise('Reject at a later attempt ends the attempts', async (s) => {
      const bus = await s.bus();
      const then = (_: unknown, { attempt }: { attempt: number }): never => {
        throw attempt === 2 ? new Reject('enough') : new Error('boom');
      };
      const recorder = await s.record(bus, 'order.created', { group, retry: soon(5), then });
      await bus.publish('order.created');
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.reason, letter?.attempts], ['rejected', 2]);
      await s.exactly(2, recorder);
    }),

    promise("an exponential backoff grows, a fixed one does not: the fixed one's 20 attempts come first", async (s) => {
      const bus = await s.bus();
      const retryOf = (backoff: 'fixed' | 'exponential') => ({ attempts: 1_000, delay: 20, backoff, maxDelay: '1h' });
      const growing = await s.record(bus, 'grow', { group, name: 'grow', retry: retryOf('exponential'), then: failing() }); // prettier-ignore
      const fixed = await s.record(bus, 'stay', { group, name: 'stay', retry: retryOf('fixed'), then: failing(19) });
      await bus.publishMany([{ type: 'grow' }, { type: 'stay' }]);
      await s.atLeast(20, fixed);
      assert.ok(growing.events.length > 1 && growing.events.length < 20, `${String(growing.events.length)} attempts`);
    }),

    promise('no wait is longer than maxDelay', async (s) => {
      const bus = await s.bus();
      const retry = { attempts: 20, delay: 1, backoff: 'exponential', maxDelay: 5 } as const;
      const recorder = await s.record(bus, 'order.created', { group, retry, then: failing(19) });
      await bus.publish('order.created');
      await s.exactly(20, recorder);
    }),

    promise("the bus's `handlers.retry` holds for handlers that say nothing else", async (s) => {
      const bus = await s.bus({ handlers: { retry: soon(2) } });
      const silent = await s.record(bus, 'order.created', { group, name: 'silent', then: failing() });
      const own = await s.record(bus, 'order.created', { group, name: 'own', retry: { attempts: 3 }, then: failing() });
      const process = await s.record(bus, 'order.created', { then: failing() });
      await bus.publish('order.created');
      await s.letters(bus, 3);
      await s.exactly(7, silent, own, process);
      assert.deepEqual([silent, own, process].map(attempts), [
        [1, 2],
        [1, 2, 3],
        [1, 2],
      ]);
    }),

    promise('malformed retry options are refused', async (s) => {
      const bus = await s.bus();
      const bad: unknown[] = [
        ...[0, -1, 1.5, NaN, 1_001, '3'].map((value) => ({ attempts: value })),
        ...[-1, NaN, 'soon', {}].map((delay) => ({ attempts: 2, delay })),
        { attempts: 2, delay: 1, backoff: 'random' },
        { attempts: 2, maxDelay: 'never' },
        { attempts: 2, jitter: 'yes' },
        { attempts: 2, retries: 3 },
        ...[3, 'twice', null, []],
      ];
      for (const retry of bad) {
        const options = { retry: retry as HandlingOptions['retry'] } as HandlingOptions;
        await s.refusal(
          bus.subscribe('order.created', () => undefined, options),
          'INVALID_OPTION',
        );
      }
    }),
  ],
};

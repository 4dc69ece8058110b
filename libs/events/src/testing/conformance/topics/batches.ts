import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import type { SubscribeOptions, Subscription } from '../../../bus/subscription.js';
import type { EventContext } from '../../../core/context.js';
import { BatchError, Reject } from '../../../core/handler-errors.js';
import type { EventHandler } from '../../../core/handler.js';
import { waitForAbort } from '../../wait-for.js';
import { numbers, publishNumbers, soon } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
const NEVER = '10m';

type Work = (payloads: readonly number[], contexts: readonly EventContext[]) => unknown;

/** A batch handler that records what it gets. */
class Batches {
  readonly calls: { readonly payloads: readonly number[]; readonly attempts: readonly number[]; readonly contexts: readonly EventContext[] }[] = []; // prettier-ignore
  private readonly handler: Work;

  constructor(work?: Work) {
    this.handler = (payloads, contexts) => {
      this.calls.push({ payloads, contexts, attempts: contexts.map(({ attempt }) => attempt) });
      return work?.(payloads, contexts);
    };
  }

  on(
    bus: EventBus,
    batch: { size: number; maxWait: number | string },
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    // prettier-ignore
    const name = { name: 'batches' };
    return bus.subscribe('order.created', this.handler as unknown as EventHandler, { ...name, ...options, batch });
  }

  get payloads(): number[] {
    return this.calls.flatMap((call) => [...call.payloads]);
  }

  get sizes(): number[] {
    return this.calls.map((call) => call.payloads.length);
  }
}

const failAt =
  (...indexes: number[]): Work =>
  (payloads, contexts) => {
    const failed = indexes.filter((index) => contexts[index]?.attempt === 1 && index < payloads.length);
    if (failed.length > 0) throw new BatchError(failed);
  };

export const batches: ConformanceTopic = {
  name: 'batch handlers',
  tests: [
    ...[group, undefined].map((inGroup) => {
      const options = inGroup === undefined ? {} : { group: inGroup };
      return promise(
        `BatchError: only its items are tried again (${inGroup === undefined ? 'no group' : 'group'})`,
        async (s) => {
          const bus = await s.bus();
          const got = new Batches(failAt(1, 3));
          await got.on(bus, { size: 5, maxWait: 100 }, { ...options, retry: soon(3) });
          await publishNumbers(bus, 'order.created', 5);
          await s.until('the second attempts', () => got.payloads.length >= 7);
          await s.quiet();
          const [first, ...rest] = got.calls;
          assert.deepEqual([first?.payloads, first?.attempts], [numbers(5), [1, 1, 1, 1, 1]]);
          assert.deepEqual(
            rest.flatMap(({ payloads }) => payloads),
            [1, 3],
          );
          assert.deepEqual(
            rest.flatMap(({ attempts }) => attempts),
            [2, 2],
          );
          assert.deepEqual(await s.harness.deadLetters(), []);
        },
      );
    }),

    promise(
      'BatchError again and again: a dead letter for each of its items, with the cause as the error',
      async (s) => {
        const bus = await s.bus();
        const got = new Batches((payloads) => {
          const odd = payloads.flatMap((n, index) => (n % 2 === 1 ? [index] : []));
          if (odd.length > 0) throw new BatchError(odd, { cause: new Error('odd') });
        });
        await got.on(bus, { size: 6, maxWait: 50 }, { group, retry: soon(2) });
        await publishNumbers(bus, 'order.created', 6);
        const letters = await s.letters(bus, 3);
        assert.deepEqual(letters.map(({ event }) => event?.payload).sort(), [1, 3, 5]);
        for (const { error, attempts, handler } of letters)
          assert.deepEqual([error, attempts, handler], ['odd', 2, 'batches']);
        await s.quiet();
        assert.deepEqual([...got.payloads].sort(), [0, 1, 1, 2, 3, 3, 4, 5, 5]);
      },
    ),

    promise('any other error fails the whole batch', async (s) => {
      const bus = await s.bus();
      const got = new Batches((_, contexts) => {
        if (contexts[0]?.attempt === 1) throw new Error('boom');
      });
      await got.on(bus, { size: 3, maxWait: 50 }, { group, retry: soon(2) });
      await publishNumbers(bus, 'order.created', 3);
      await s.until('the second attempts', () => got.payloads.length >= 6);
      await s.quiet();
      assert.deepEqual([...got.payloads].sort(), [0, 0, 1, 1, 2, 2]);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('Reject of a batch makes a dead letter of each item, at once', async (s) => {
      const bus = await s.bus();
      const got = new Batches(() => {
        throw new Reject('no');
      });
      await got.on(bus, { size: 3, maxWait: NEVER }, { group, retry: soon(5) });
      await publishNumbers(bus, 'order.created', 3);
      for (const { reason, attempts } of await s.letters(bus, 3)) assert.deepEqual([reason, attempts], ['rejected', 1]);
      assert.equal(got.calls.length, 1);
    }),

    promise('a BatchError with an index that no item has fails the whole batch: none is taken for done', async (s) => {
      const bus = await s.bus();
      const got = new Batches((payloads, contexts) => {
        if (contexts[0]?.attempt === 1) throw new BatchError([0, payloads.length]);
      });
      await got.on(bus, { size: 3, maxWait: 50 }, { group, retry: soon(2) });
      await publishNumbers(bus, 'order.created', 3);
      await s.until('the second attempts', () => got.payloads.length >= 6);
      await s.quiet();
      assert.deepEqual([...got.payloads].sort(), [0, 0, 1, 1, 2, 2]);
    }),

    promise('a full batch goes at once, and nothing more is in it', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const got = new Batches();
      await got.on(b, { size: 5, maxWait: NEVER }, { group });
      await publishNumbers(a, 'order.created', 20);
      await s.until('four batches', () => got.calls.length === 4);
      await s.quiet();
      assert.deepEqual(got.sizes, [5, 5, 5, 5]);
      assert.deepEqual(got.payloads, numbers(20));
    }),

    promise('a batch that does not get full goes after maxWait', async (s) => {
      const bus = await s.bus();
      const got = new Batches();
      await got.on(bus, { size: 100, maxWait: 100 }, { group });
      await publishNumbers(bus, 'order.created', 3);
      await s.until('a batch', () => got.payloads.length === 3);
      await s.quiet();
      assert.deepEqual(got.payloads, numbers(3));
    }),

    promise('size or maxWait, whichever comes first: full ones, then the rest', async (s) => {
      const bus = await s.bus();
      const got = new Batches();
      await got.on(bus, { size: 3, maxWait: 200 });
      await publishNumbers(bus, 'order.created', 7);
      await s.until('all', () => got.payloads.length === 7);
      await s.quiet();
      assert.deepEqual(got.payloads, numbers(7));
      assert.ok(got.sizes.every((size) => size <= 3) && got.calls.length <= 4, String(got.sizes));
    }),

    promise('payloads and contexts are in the same order, each context its own', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const got = new Batches();
      await got.on(b, { size: 4, maxWait: NEVER }, { group });
      const receipts = await Promise.all(
        numbers(4).map((n) => a.publish('order.created', n, { headers: { n: String(n) } })),
      );
      await s.until('a batch', () => got.calls.length === 1);
      const [call] = got.calls;
      assert.ok(call);
      assert.deepEqual(
        call.contexts.map(({ id, type, handler, headers, attempt }) => [id, type, handler, headers['n'], attempt]),
        receipts.map(({ id }, n) => [id, 'order.created', 'batches', String(n), 1]),
      );
      assert.deepEqual(call.payloads, numbers(4));
    }),

    promise('a batch may be larger than prefetch', async (s) => {
      const bus = await s.bus({ concurrency: 1, prefetch: 2 });
      const got = new Batches();
      await got.on(bus, { size: 10, maxWait: NEVER }, { group });
      await publishNumbers(bus, 'order.created', 20);
      await s.until('two batches', () => got.calls.length === 2);
      assert.deepEqual(got.sizes, [10, 10]);
    }),

    ...[1, 2].map((concurrency) =>
      promise(
        `concurrency ${String(concurrency)}: as many batches at once, no more${concurrency === 1 ? ' (the default)' : ''}`,
        async (s) => {
          const bus = await s.bus();
          let [running, most] = [0, 0];
          const gate = s.gate();
          const got = new Batches(async () => {
            most = Math.max(most, ++running);
            await gate.opened;
            running--;
          });
          await got.on(bus, { size: 2, maxWait: 20 }, { group, ...(concurrency === 1 ? {} : { concurrency }) });
          await publishNumbers(bus, 'order.created', 12);
          await s.until('the first batches', () => running === concurrency);
          await s.quiet();
          assert.equal(got.calls.length, concurrency);
          gate.open();
          await s.until('all', () => got.payloads.length === 12);
          assert.equal(most, concurrency);
          assert.deepEqual(got.payloads, numbers(12));
        },
      ),
    ),

    promise('over two members each event is in one batch', async (s) => {
      const buses = await s.buses(2);
      const got = await Promise.all(
        buses.map(async (bus) => {
          const each = new Batches(failAt(0));
          await each.on(bus, { size: 4, maxWait: 50 }, { group, retry: soon(3) });
          return each;
        }),
      );
      const [bus] = buses;
      assert.ok(bus);
      await publishNumbers(bus, 'order.created', 40);
      const done = (): number[] =>
        got.flatMap(({ calls }) =>
          calls.flatMap(({ payloads, attempts }) =>
            payloads.filter((_, index) => !(index === 0 && attempts[index] === 1)),
          ),
        );
      await s.until('all', () => done().length >= 40);
      await s.quiet();
      assert.deepEqual(
        done().sort((a, b) => a - b),
        numbers(40),
      );
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    ...[group, undefined].map((inGroup) =>
      promise(
        `a drain does not wait for a batch to get full: what is there is handled (${inGroup === undefined ? 'no group' : 'group'})`,
        async (s) => {
          const [leaving, other] = await s.buses(2, { reclaimAfter: 1_000 });
          assert.ok(leaving && other);
          const handled: number[] = [];
          const got = new Batches(async (payloads) => {
            await Promise.resolve();
            handled.push(...payloads);
          });
          const options = inGroup === undefined ? {} : { group: inGroup };
          await got.on(leaving, { size: 100, maxWait: NEVER }, options);
          const seen = await s.record(leaving, 'order.created');
          await publishNumbers(other, 'order.created', 3);
          await s.exactly(3, seen);
          assert.equal(got.calls.length, 0);
          await s.value(leaving.drain());
          const next = new Batches();
          if (inGroup !== undefined) await next.on(other, { size: 1, maxWait: 0 }, options);
          await s.harness.advance(1_500);
          assert.deepEqual([handled.sort(), next.payloads], [numbers(3), []]);
        },
      ),
    ),

    promise('what waits in a batch stays with its process, however long that is', async (s) => {
      const [a, b] = await s.buses(2, { reclaimAfter: 1_000 });
      assert.ok(a && b);
      const got = new Batches();
      await got.on(a, { size: 4, maxWait: NEVER }, { group });
      await publishNumbers(a, 'order.created', 3);
      await s.quiet();
      const other = new Batches();
      await other.on(b, { size: 1, maxWait: 0 }, { group });
      await s.harness.advance(2_500);
      assert.deepEqual([got.calls.length, other.calls.length], [0, 0]);
    }),

    promise('what the filter does not want is in no batch', async (s) => {
      const bus = await s.bus();
      const got = new Batches();
      await got.on(bus, { size: 5, maxWait: NEVER }, { group, filter: (n: number) => n % 2 === 0 });
      await publishNumbers(bus, 'order.created', 20);
      await s.until('two batches', () => got.calls.length === 2);
      assert.deepEqual(got.payloads, numbers(10).map((n) => n * 2)); // prettier-ignore
    }),

    promise('a batch that runs too long: the signals of all its events abort, and all are tried again', async (s) => {
      const bus = await s.bus({ handlers: { stuckAfter: NEVER } });
      const got = new Batches(async (_, contexts) => {
        const [first] = contexts;
        if (first === undefined || first.attempt > 1) return;
        await new Promise((_resolve, reject) => {
          first.signal.addEventListener('abort', () => {
            reject(new Error('stopped'));
          });
        });
      });
      await got.on(bus, { size: 3, maxWait: 50 }, { group, timeout: 50, retry: soon(2) });
      await publishNumbers(bus, 'order.created', 3);
      await s.until('the second attempts', () => got.payloads.length >= 6);
      await s.quiet();
      assert.deepEqual([...got.payloads].sort(), [0, 0, 1, 1, 2, 2]);
      for (const { signal } of got.calls[0]?.contexts ?? []) await waitForAbort(signal);
    }),

    promise('a batch handler answers no requests, and cannot be asked to', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const got = new Batches();
      await got.on(b, { size: 2, maxWait: 10 });
      await s.refusal(a.publishAndWait('order.created', 1), 'NO_HANDLER');
      await s.refusal(got.on(b, { size: 2, maxWait: 10 }, { reply: true }), 'INVALID_HANDLER');
      assert.equal(got.calls.length, 0);
    }),

    promise('malformed batch options are refused', async (s) => {
      const bus = await s.bus();
      const bad = [
        ...[0, -1, 1.5, NaN, '3', undefined].map((size) => ({ size, maxWait: 10 })),
        ...[-1, NaN, 'soon', undefined].map((maxWait) => ({ size: 3, maxWait })),
        { size: 3, maxWait: 10, minWait: 1 },
        ...[true, 3, []],
      ];
      for (const batch of bad) await s.refusal(new Batches().on(bus, batch as never), 'INVALID_OPTION');
    }),
  ],
};

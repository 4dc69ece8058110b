import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import type { Filter } from '../../../core/filter.js';
import { EventsRecorder } from '../../recorder.js';
import { attempts, numbers, publishNumbers, soon, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
/** So long that it is no test of time: what ends before was ended by something else. */
const timeout = '10m';
const even: Filter = (n: number) => n % 2 === 0;
const evens = numbers(20).filter((n) => n % 2 === 0);

export const filters: ConformanceTopic = {
  name: 'filters',
  tests: [
    ...[1, Infinity].map((failures) =>
      promise(
        `a filter that throws ${failures === 1 ? 'once: the event is tried again' : 'is a failure of its handler: attempts, then a dead letter'}`,
        async (s) => {
          const bus = await s.bus();
          let asked = 0;
          const filter: Filter = () => {
            if (++asked <= failures) throw new Error('no connection');
            return true;
          };
          const recorder = await s.record(bus, 'order.created', { group, name: 'picky', retry: soon(3), filter });
          const other = await s.record(bus, 'order.created', { group, name: 'other' });
          await bus.publish('order.created', 1);
          if (failures === 1) {
            await s.exactly(2, recorder, other);
            assert.deepEqual([attempts(recorder), asked], [[2], 2]);
            assert.deepEqual(await s.harness.deadLetters(), []);
          } else {
            const [letter] = await s.letters(bus, 1);
            await s.exactly(1, recorder, other);
            assert.deepEqual([letter?.reason, letter?.handler, letter?.attempts], ['handler-failed', 'picky', 3]);
            assert.deepEqual([letter?.error, asked], ['no connection', 3]);
          }
        },
      ),
    ),

    promise('a filter that rejects is a failure too, also of an ungrouped handler', async (s) => {
      const bus = await s.bus();
      const filter: Filter = () => Promise.reject(new Error('no connection'));
      const recorder = await s.record(bus, 'order.created', { name: 'picky', retry: soon(2), filter });
      await bus.publish('order.created', 1);
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.handler, letter?.attempts, letter?.error], ['picky', 2, 'no connection']);
      await s.exactly(0, recorder);
    }),

    promise(
      'what a filter of a group does not want is acknowledged: no other member gets it, no dead letter',
      async (s) => {
        const [a, b] = await s.buses(2, { reclaimAfter: 1_000 });
        assert.ok(a && b);
        const picky = await s.record(a, 'order.created', { group, filter: even });
        await publishNumbers(b, 'order.created', 20);
        await s.exactly(10, picky);
        const other = await s.record(b, 'order.created', { group });
        await s.value(a.close());
        await s.harness.advance(1_500);
        await s.exactly(0, other);
        assert.deepEqual(sorted(picky), evens);
        assert.deepEqual(await s.harness.deadLetters(), []);
      },
    ),

    promise('a filter concerns its own handler: the others get the event', async (s) => {
      const bus = await s.bus();
      const picky = [
        await s.record(bus, 'order.created', { filter: even }),
        await s.record(bus, 'order.created', { group, name: 'picky', filter: even }),
      ];
      const all = [await s.record(bus, 'order.*'), await s.record(bus, 'order.*', { group, name: 'all' })];
      await publishNumbers(bus, 'order.created', 20);
      await s.exactly(40, ...all);
      await s.exactly(20, ...picky);
      for (const recorder of picky) assert.deepEqual(sorted(recorder), evens);
    }),

    promise('of several filters all must say yes, and after a no the next are not asked', async (s) => {
      const bus = await s.bus();
      const asked: number[] = [];
      const filter: Filter[] = [
        even,
        (n: number) => Promise.resolve(n > 4),
        (n: number) => {
          asked.push(n);
          return n < 10;
        },
      ];
      const recorders = [
        await s.record(bus, 'order.created', { group, filter }),
        await s.record(bus, 'order.created', { filter }),
      ];
      await publishNumbers(bus, 'order.created', 20);
      await s.exactly(4, ...recorders);
      for (const recorder of recorders) assert.deepEqual(sorted(recorder), [6, 8]);
      assert.deepEqual(new Set(asked), new Set(evens.filter((n) => n > 4)));
    }),

    promise('an empty list of filters wants everything', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, 'order.created', { group, filter: [] });
      await publishNumbers(bus, 'order.created', 5);
      await s.exactly(5, recorder);
    }),

    promise('a filter sees the payload and the context that the handler would get', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const seen: unknown[] = [];
      const filter: Filter = (payload, { type, handler, attempt, group: inGroup, headers, sourceInstance }) => {
        seen.push([payload, type, handler, attempt, inGroup, headers['tenant'], sourceInstance]);
        return headers['tenant'] === 'x';
      };
      const recorder = await s.record(b, 'order.*', { group, name: 'picky', filter });
      await a.publish('order.created', { n: 1 }, { headers: { tenant: 'x' } });
      await a.publish('order.paid', { n: 2 }, { headers: { tenant: 'y' } });
      await s.until('both to be seen', () => seen.length === 2);
      await s.exactly(1, recorder);
      const row = [{ n: 1 }, 'order.created', 'picky', 1, group, 'x', a.instanceId];
      assert.deepEqual(new Set(seen), new Set([row, [{ n: 2 }, 'order.paid', 'picky', 1, group, 'y', a.instanceId]]));
    }),

    promise('a filter is asked again at the next attempt', async (s) => {
      const bus = await s.bus();
      const asked: number[] = [];
      const filter: Filter = (_, { attempt }) => {
        asked.push(attempt);
        return attempt < 2;
      };
      const then = (): never => {
        throw new Error('boom');
      };
      const recorder = await s.record(bus, 'order.created', { group, retry: soon(5), filter, then });
      await bus.publish('order.created', 1);
      await s.until('the second attempt', () => asked.length === 2);
      await s.exactly(1, recorder);
      assert.deepEqual([asked, await s.harness.deadLetters()], [[1, 2], []]);
    }),

    ...(['anycast', 'unicast'] as const).map((mode) =>
      promise(`${mode}: what the filter does not want is over`, async (s) => {
        const bus = await s.bus();
        const recorder = await s.record(bus, 'job.run', { filter: even });
        const target = mode === 'unicast' ? { target: bus.instanceId } : {};
        for (const n of numbers(20)) await bus.publish('job.run', n, { mode, ...target });
        await s.exactly(10, recorder);
        assert.deepEqual(sorted(recorder), evens);
        assert.deepEqual(await s.harness.deadLetters(), []);
      }),
    ),

    promise(
      'a request that a filter does not want goes to the next handler that answers, here, then elsewhere',
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        const below =
          (limit: number): Filter =>
          (n: number) =>
            Promise.resolve(n < limit);
        await s.record(a, 'sum', { filter: below(1), then: () => 'a1' });
        await s.record(a, 'sum', { filter: (n: number) => n < 2, then: () => 'a2' });
        await s.record(b, 'sum', { filter: below(3), then: () => 'b1' });
        await s.record(b, 'sum', { filter: (n: number) => n !== 4, then: () => 'b2' });
        const answers = (asker: EventBus): Promise<unknown[]> =>
          Promise.all(numbers(4).map((n) => s.value(asker.publishAndWait('sum', n, { timeout }))));
        assert.deepEqual(await answers(a), ['a1', 'a2', 'b1', 'b2']);
        assert.deepEqual(await answers(b), ['b1', 'b1', 'b1', 'b2']);
        for (const asker of [a, b]) await s.refusal(asker.publishAndWait('sum', 4, { timeout }), 'NO_HANDLER');
      },
    ),

    promise(
      'a request that no handler wants finds no handler, and each is asked once, also where others are full',
      async (s) => {
        const [asker, picky] = await s.buses(2);
        const full = await s.bus({ concurrency: 1, prefetch: 1 });
        assert.ok(asker && picky);
        const gate = s.gate();
        const asked: number[] = [];
        const filter: Filter = (n: number) => {
          asked.push(n);
          return false;
        };
        const unwanted = [
          await s.record(asker, 'sum', { filter }),
          await s.record(picky, 'sum', { filter, name: 'one' }),
          await s.record(picky, 'sum', { filter, name: 'two' }),
        ];
        await s.refusal(asker.publishAndWait('sum', 1, { timeout }), 'NO_HANDLER');
        assert.deepEqual(asked, [1, 1, 1]);
        const busy = await s.record(full, 'sum', { then: (n: number) => gate.opened.then(() => n) });
        const first = s.value(asker.publishAndWait('sum', 2, { timeout }));
        await s.atLeast(1, busy);
        const second = s.value(asker.publishAndWait('sum', 3, { timeout }));
        await s.until('all filters to be asked', () => asked.filter((n) => n === 3).length === 3);
        await s.quiet();
        gate.open();
        assert.deepEqual(await Promise.all([first, second]), [2, 3]);
        assert.equal(asked.filter((n) => n === 3).length, 3);
        await s.exactly(0, ...unwanted);
      },
    ),

    promise('a handler that has ended, or had its one, wants no request that waited for it', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      for (const asker of [a, b]) {
        await a.once('first', () => 1);
        const outcomes = await Promise.all([1, 2].map(() => s.outcome(asker.publishAndWait('first', 1, { timeout }))));
        const values = outcomes.map((each) => (each.status === 'fulfilled' ? each.value : 'none')).sort();
        assert.deepEqual(values, [1, 'none']);
      }
      const gate = s.gate();
      const asked = new EventsRecorder(() => gate.opened.then(() => 1));
      const subscription = await a.subscribe('slow', asked.handler, { concurrency: 1 });
      const begun = s.value(a.publishAndWait('slow', 1, { timeout }));
      await s.atLeast(1, asked);
      const waiting = [a, b].map((asker) => s.refusal(asker.publishAndWait('slow', 2, { timeout }), 'NO_HANDLER'));
      await s.quiet();
      await subscription.close();
      gate.open();
      assert.equal(await begun, 1);
      await Promise.all(waiting);
      await s.exactly(1, asked);
    }),

    promise('once: the first event that its filter wants', async (s) => {
      const bus = await s.bus();
      const recorder = new EventsRecorder();
      const filter: Filter = (n: number) => n >= 3;
      await bus.once('order.created', recorder.handler, { filter });
      for (const n of numbers(6)) await bus.publish('order.created', n);
      await s.exactly(1, recorder);
      assert.deepEqual(recorder.payloads, [3]);
    }),

    promise("the bus's `filters` hold for every handler of types of their pattern, beside its own", async (s) => {
      const bus = await s.bus({
        filters: { 'order.*': even, '#.created': (n: number) => n >= 10, 'job.#': () => false },
      });
      const process = await s.record(bus, '#');
      const inGroup = await s.record(bus, 'order.#', { group });
      const own = await s.record(bus, 'order.created', { group, name: 'own', filter: (n: number) => n > 12 });
      for (const type of ['order.created', 'order.paid', 'user.created', 'job.run', 'other'])
        await publishNumbers(bus, type, 20);
      await s.exactly(5 + 10 + 10 + 0 + 20 + 15 + 3, process, inGroup, own);
      const of = (recorder: EventsRecorder, type: string): number[] =>
        recorder.events
          .filter(({ context }) => context.type === type)
          .map(({ payload }) => payload as number)
          .sort((a, b) => a - b);
      assert.deepEqual(of(process, 'order.created'), [10, 12, 14, 16, 18]);
      assert.deepEqual(of(inGroup, 'order.created'), [10, 12, 14, 16, 18]);
      assert.deepEqual(of(own, 'order.created'), [14, 16, 18]);
      assert.deepEqual(of(process, 'order.paid'), evens);
      assert.deepEqual(of(process, 'user.created'), numbers(20).slice(10));
      assert.deepEqual(of(process, 'job.run'), []);
    }),

    promise('a filter of the bus that throws is the failure of each of its handlers', async (s) => {
      const bus = await s.bus({
        filters: {
          'order.*': () => {
            throw new Error('no rule');
          },
        },
      });
      const recorder = await s.record(bus, 'order.created', { group, retry: { attempts: 1 } });
      const free = await s.record(bus, 'other');
      await bus.publish('order.created', 1);
      await bus.publish('other', 1);
      const [letter] = await s.letters(bus, 1);
      await s.exactly(1, recorder, free);
      assert.deepEqual([letter?.handler, letter?.error], ['handler', 'no rule']);
    }),

    promise('what is no filter is refused', async (s) => {
      const bus = await s.bus();
      for (const filter of [true, 'even', {}, [even, undefined], null]) {
        await s.refusal(
          bus.subscribe('a', () => undefined, { filter: filter as Filter }),
          'INVALID_OPTION',
        );
      }
      await s.refusal(s.bus({ filters: { 'a.b': true as unknown as Filter } }), 'CONFIG');
      await s.refusal(s.bus({ filters: { 'a..b': even } }), 'CONFIG');
    }),
  ],
};

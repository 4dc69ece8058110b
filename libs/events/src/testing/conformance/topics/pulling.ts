import assert from 'node:assert/strict';
import type { PulledEvent, StreamOptions } from '../../../bus/stream.js';
import { inGroup, pulls } from '../pulling.js';
import { numbers, publishNumbers, soon, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
const alone: StreamOptions = { name: 'pull', startFrom: 'earliest' };

export const pulling: ConformanceTopic = {
  name: 'streams to pull from',
  tests: [
    pulls('nack: again at once, with the next attempt; attempts exhausted is a dead letter', async (s, pull) => {
      const bus = await s.bus();
      await bus.publish('order.created', 7);
      const stream = pull(bus, { ...inGroup, retry: { attempts: 3, delay: '10m' } });
      for (const attempt of [1, 2, 3]) {
        const event = await stream.next();
        assert.deepEqual([event.payload, event.context.attempt, event.context.handler], [7, attempt, 'pull']);
        event.nack();
      }
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.reason, letter?.handler, letter?.group], ['handler-failed', 'pull', group]);
      assert.equal(letter?.attempts, 3);
      await stream.nothing();
    }),

    pulls('nack with a delay: not before; others come meanwhile', async (s, pull) => {
      const bus = await s.bus();
      await publishNumbers(bus, 'order.created', 2);
      const stream = pull(bus, { ...inGroup, retry: soon(3) });
      const [first] = await stream.take(1);
      first?.nack('10m');
      (await stream.next()).ack();
      assert.deepEqual(stream.payloads, numbers(2));
      await stream.nothing();
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    pulls('nack of a stream without a group: again in this process, then a dead letter', async (s, pull) => {
      const bus = await s.bus();
      await bus.publish('order.created', 7);
      const stream = pull(bus, { ...alone, retry: soon(2) });
      (await stream.next()).nack(20);
      const second = await stream.next();
      assert.equal(second.context.attempt, 2);
      second.nack();
      const [letter] = await s.letters(bus, 1);
      assert.deepEqual([letter?.handler, letter?.group, letter?.attempts], ['pull', undefined, 2]);
    }),

    pulls('a malformed delay of nack is refused, and the event can still be settled', async (s, pull) => {
      const bus = await s.bus();
      await bus.publish('order.created', 7);
      const stream = pull(bus);
      const event = await stream.next();
      for (const delay of [-1, NaN, 'soon']) assert.throws(() => {
        event.nack(delay);
      }, { code: 'INVALID_OPTION' }); // prettier-ignore
      event.nack();
      assert.equal((await stream.next()).context.attempt, 2);
    }),

    pulls('the first of ack and nack counts; twice is once', async (s, pull) => {
      const bus = await s.bus();
      await publishNumbers(bus, 'order.created', 3);
      const stream = pull(bus, { ...inGroup, retry: soon(3) });
      const [one, two, three] = await stream.take(3);
      one?.ack();
      one?.ack();
      one?.nack();
      two?.nack('10m');
      two?.nack();
      two?.ack();
      three?.ack();
      await stream.nothing();
      assert.deepEqual(await s.harness.deadLetters(), []);
      const rest = await s.record(bus, 'order.*', { group });
      await s.exactly(0, rest);
    }),

    pulls(
      'leaving the loop gives back what is not settled: another member gets it, its attempts unchanged',
      async (s, pull) => {
        const [a, b] = await s.buses(2, { reclaimAfter: '10m' });
        assert.ok(a && b);
        await publishNumbers(b, 'order.created', 6);
        const stream = pull(a);
        const events = await stream.take(4);
        events[1]?.ack();
        events[3]?.ack();
        await stream.leave();
        const other = await s.record(b, 'order.*', { group, name: 'pull' });
        await s.exactly(4, other);
        assert.deepEqual(sorted(other), [0, 2, 4, 5]);
        for (const { attempt } of other.events) assert.equal(attempt, 1);
        events[0]?.ack();
        events[2]?.nack();
        await s.exactly(4, other);
        assert.deepEqual(await s.harness.deadLetters(), []);
      },
    ),

    promise('a loop that breaks, and one that throws, give back too', async (s) => {
      const [a, b] = await s.buses(2, { reclaimAfter: '10m' });
      assert.ok(a && b);
      await publishNumbers(b, 'order.created', 4);
      const seen: number[] = [];
      const loop = async (leave: () => void): Promise<void> => {
        for await (const { payload } of a.stream<number>('order.*', inGroup)) {
          seen.push(payload);
          leave();
          break;
        }
      };
      await s.value(loop(() => undefined));
      const thrown = loop(() => {
        throw new Error('enough');
      });
      const outcome = await s.outcome(thrown);
      assert.equal(outcome.status === 'rejected' && (outcome.reason as Error).message, 'enough');
      assert.equal(seen.length, 2);
      const other = await s.record(b, 'order.*', { group, name: 'pull' });
      await s.exactly(4, other);
      assert.deepEqual(sorted(other), numbers(4));
    }),

    pulls('a process dies with pulled events: what was not settled goes to another', async (s, pull) => {
      const [dying, other] = await s.buses(2, { reclaimAfter: 1_000 });
      assert.ok(dying && other);
      await publishNumbers(other, 'order.created', 3);
      const stream = pull(dying);
      const events = await stream.take(3);
      events[0]?.ack();
      await s.quiet();
      await s.harness.crash(dying);
      const survivor = await s.record(other, 'order.*', { group, name: 'pull' });
      await s.exactly(2, survivor);
      assert.deepEqual(sorted(survivor), [1, 2]);
    }),

    pulls('the signal ends the loop, also one that waits, and what is not settled goes back', async (s, pull) => {
      const [a, b] = await s.buses(2, { reclaimAfter: '10m' });
      assert.ok(a && b);
      await b.publish('order.created', 0);
      const controller = new AbortController();
      const stream = pull(a, { ...inGroup, signal: controller.signal });
      await stream.next();
      const waiting = s.outcome(stream.next());
      controller.abort();
      assert.equal((await waiting).status, 'rejected');
      const other = await s.record(b, 'order.*', { group, name: 'pull' });
      await s.exactly(1, other);
    }),

    promise('a signal that had aborted before: the loop ends at once', async (s) => {
      const bus = await s.bus();
      await publishNumbers(bus, 'order.created', 3);
      const loop = async (): Promise<number> => {
        let count = 0;
        for await (const event of bus.stream('order.*', { ...inGroup, signal: AbortSignal.abort() })) {
          count++;
          event.ack();
        }
        return count;
      };
      assert.equal(await s.value(loop()), 0);
    }),

    ...[inGroup, alone].map((options) =>
      promise(
        `closing the bus ends a loop that waits (${options.group === undefined ? 'no group' : 'group'})`,
        async (s) => {
          const bus = await s.bus();
          await publishNumbers(bus, 'order.created', 2);
          const got: number[] = [];
          const loop = async (): Promise<void> => {
            for await (const event of bus.stream<number>('order.*', options)) {
              got.push(event.payload);
              event.ack();
            }
          };
          const running = loop();
          await s.until('two events', () => got.length === 2);
          await s.value(Promise.all([bus.close(), running]));
          assert.deepEqual(got.sort(), numbers(2));
        },
      ),
    ),

    promise('a loop may settle what it has while the bus drains', async (s) => {
      const [bus, other] = await s.buses(2, { reclaimAfter: 1_000 });
      assert.ok(bus && other);
      await publishNumbers(other, 'order.created', 3);
      const gate = s.gate();
      const got: number[] = [];
      const loop = async (): Promise<void> => {
        for await (const event of bus.stream<number>('order.*', { ...inGroup, prefetch: 1 })) {
          got.push(event.payload);
          await gate.opened;
          event.ack();
        }
      };
      const running = loop();
      await s.until('an event', () => got.length === 1);
      const closed = bus.close();
      await s.quiet();
      gate.open();
      await s.value(Promise.all([closed, running]));
      const rest = await s.record(other, 'order.*', { group, name: 'pull' });
      await s.until('each event once', () => got.length + rest.events.length >= 3);
      await s.quiet();
      assert.deepEqual([...got, ...sorted(rest)].sort(), numbers(3));
    }),

    pulls('two streams of a group share its events', async (s, pull) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const streams = [pull(a, { ...inGroup, prefetch: 1 }), pull(b, { ...inGroup, prefetch: 1 })];
      await publishNumbers(a, 'order.created', 10);
      const got: number[] = [];
      const loops = streams.map(async (stream) => {
        for (;;) {
          const event = await stream.next();
          got.push(event.payload);
          event.ack();
        }
      });
      await s.until('all', () => got.length >= 10);
      await s.quiet();
      for (const stream of streams) await stream.end();
      await Promise.allSettled(loops);
      assert.deepEqual(
        got.sort((x, y) => x - y),
        numbers(10),
      );
    }),

    pulls('no more than `prefetch` are pulled and not settled', async (s, pull) => {
      const bus = await s.bus();
      await publishNumbers(bus, 'order.created', 5);
      const stream = pull(bus, { ...inGroup, prefetch: 2 });
      const [first] = await stream.take(2);
      let came = 0;
      const third = stream.next().then(() => came++);
      await s.quiet();
      assert.equal(came, 0);
      first?.ack();
      await s.value(third);
      assert.deepEqual(stream.payloads, [0, 1, 2]);
    }),

    pulls('a stream without a group gets what every process gets', async (s, pull) => {
      const buses = await s.buses(2);
      const [bus] = buses;
      assert.ok(bus);
      await publishNumbers(bus, 'order.created', 5);
      for (const each of buses) {
        const stream = pull(each, alone);
        for (const event of await stream.take(5)) event.ack();
        assert.deepEqual(stream.payloads, numbers(5));
      }
    }),

    pulls('it listens from the first step on, not before', async (s, pull) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const stream = pull(a, { name: 'pull' });
      await b.publish('order.created', -1);
      await s.quiet();
      let first: PulledEvent<number> | undefined;
      const waiting = stream.next().then((event) => (first = event));
      for (let n = 0; first === undefined && n < 200; n++) {
        await b.publish('order.created', n);
        await s.harness.advance(10);
      }
      await s.value(waiting);
      assert.ok((first?.payload ?? -1) >= 0);
    }),

    pulls('retry, filter and context are those of a handler', async (s, pull) => {
      const bus = await s.bus();
      await publishNumbers(bus, 'order.created', 10);
      const stream = pull(bus, { ...inGroup, filter: (n: number) => n % 2 === 1 });
      for (const event of await stream.take(5)) {
        assert.deepEqual([event.context.group, event.context.attempt], [group, 1]);
        event.ack();
      }
      assert.deepEqual(stream.payloads, [1, 3, 5, 7, 9]);
      await stream.nothing();
    }),

    pulls('events that wait to be pulled do not time out', async (s, pull) => {
      const bus = await s.bus({ handlers: { timeout: 50, stuckAfter: 50 } });
      await publishNumbers(bus, 'order.created', 2);
      const stream = pull(bus);
      const [first] = await stream.take(1);
      await s.quiet();
      first?.ack();
      (await stream.next()).ack();
      await stream.nothing();
      assert.deepEqual(stream.payloads, numbers(2));
    }),

    promise('what is wrong with a stream is told at its first step', async (s) => {
      const bus = await s.bus();
      const first = (pattern: string, options: StreamOptions = {}): Promise<unknown> =>
        bus.stream(pattern, options)[Symbol.asyncIterator]().next();
      await s.refusal(first('a..b'), 'INVALID_PATTERN');
      await s.refusal(first('order.*', { group: 'a b', name: 'pull' }), 'INVALID_OPTION');
      await s.refusal(first('order.*', { group }), 'INVALID_OPTION');
      for (const prefetch of [0, -1, 1.5, NaN]) await s.refusal(first('order.*', { prefetch }), 'INVALID_OPTION');
      await s.refusal(first('order.*', { retry: { attempts: 0 } }), 'INVALID_OPTION');
      await s.value(bus.close());
      await s.refusal(first('order.*'), 'BUS_CLOSED');
    }),

    promise('a stream answers no requests', async (s) => {
      const bus = await s.bus();
      const controller = new AbortController();
      const step = bus.stream('sum', { signal: controller.signal })[Symbol.asyncIterator]().next();
      await s.quiet();
      await s.refusal(bus.publishAndWait('sum', 1), 'NO_HANDLER');
      controller.abort();
      await s.value(step);
    }),
  ],
};

import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import { Reject } from '../../../core/handler-errors.js';
import { numbers, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
const TYPE = 'order.paid';
/** Longer than an event stays away that somebody else is handling, ms. */
const AWAY = 1_500;
/** So long that it is no test of time: what ends before was ended by something else. */
const timeout = '10m';

interface Order {
  readonly order: number;
  readonly by?: string;
}

const key = ({ order }: Order): string => `order ${String(order)}`;
const idempotent = { key };

function orders(bus: EventBus, count: number, of: number, options?: { target: string }): Promise<unknown> {
  return Promise.all(numbers(count).map((number) => bus.publish(TYPE, { order: number % of }, options)));
}

const sortedOrders = (payloads: readonly Order[]): number[] => payloads.map(({ order }) => order).sort((a, b) => a - b);

/** Two events of one key, the second while the first is handled: whose are handled, in which attempt. */
async function secondOfTwo(
  s: Stage,
  handled: number,
  end: () => void,
): Promise<(readonly [string | undefined, number])[]> {
  const [a, b] = await s.buses(2);
  assert.ok(a && b);
  const gate = s.gate();
  const then = ({ by }: Order): unknown => (by === 'first' ? gate.opened.then(end) : undefined);
  const recorders = [
    await s.record(a, TYPE, { group, idempotent, then }),
    await s.record(b, TYPE, { group, idempotent, then }),
  ];
  await a.publish(TYPE, { order: 1, by: 'first' });
  await s.atLeast(1, ...recorders);
  await a.publish(TYPE, { order: 1, by: 'second' });
  await s.harness.advance(AWAY);
  await s.exactly(1, ...recorders);
  gate.open();
  await s.atLeast(handled, ...recorders);
  await s.harness.advance(AWAY);
  const events = recorders.flatMap((recorder) => recorder.events);
  return events.map(({ payload, attempt }) => [(payload as Order).by, attempt] as const).sort();
}

export const idempotency: ConformanceTopic = {
  name: 'idempotent handlers',
  tests: [
    promise('a group handles one event of a key, whoever of its members gets how many at once', async (s) => {
      const buses = await s.buses(3);
      const recorders = await Promise.all(buses.map((bus) => s.record(bus, TYPE, { group, idempotent })));
      assert.ok(buses[0]);
      await orders(buses[0], 40, 4);
      await s.atLeast(4, ...recorders);
      await s.harness.advance(AWAY);
      await s.exactly(4, ...recorders);
      assert.deepEqual(sortedOrders(recorders.flatMap(({ payloads }) => payloads as Order[])), numbers(4));
    }),

    promise('without a key: every event once', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, TYPE, { group, idempotent: true });
      await orders(bus, 10, 1);
      await s.exactly(10, recorder);
    }),

    promise('each group, each handler, and each process without a group handles them for itself', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const recorders = await Promise.all([
        s.record(a, TYPE, { idempotent, name: 'one' }),
        s.record(a, TYPE, { idempotent, name: 'two' }),
        s.record(b, TYPE, { idempotent, name: 'one' }),
        s.record(a, TYPE, { idempotent, group }),
        s.record(b, TYPE, { idempotent, group: 'shipping' }),
      ]);
      await orders(a, 6, 2);
      for (const recorder of recorders) await s.atLeast(2, recorder);
      await s.harness.advance(AWAY);
      await s.exactly(10, ...recorders);
      for (const { payloads } of recorders) assert.deepEqual(sortedOrders(payloads as Order[]), [0, 1]);
    }),

    promise('of anycast events of one key one is handled, by one process', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const recorders = [
        await s.record(a, TYPE, { idempotent, name: 'h' }),
        await s.record(b, TYPE, { idempotent, name: 'h' }),
      ];
      for (let round = 0; round < 6; round++) await a.publish(TYPE, { order: round % 2 }, { mode: 'anycast' });
      await s.atLeast(2, ...recorders);
      await s.harness.advance(AWAY);
      await s.exactly(2, ...recorders);
    }),

    promise('of unicast events of one key each target handles one', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const recorders = [
        await s.record(a, TYPE, { idempotent, name: 'h' }),
        await s.record(b, TYPE, { idempotent, name: 'h' }),
      ];
      for (const { instanceId } of [a, b]) await orders(a, 3, 1, { target: instanceId });
      for (const recorder of recorders) await s.atLeast(1, recorder);
      await s.harness.advance(AWAY);
      for (const recorder of recorders) assert.equal(recorder.events.length, 1);
    }),

    promise(
      'a failed attempt leaves the key free: for the next attempt, and after the dead letter for the next event',
      async (s) => {
        const bus = await s.bus();
        let failing = true;
        const then = (): void => {
          if (failing) throw new Error('boom');
        };
        const retry = { attempts: 3, delay: 10 };
        const recorder = await s.record(bus, TYPE, { group, idempotent, retry, then });
        await orders(bus, 1, 1);
        await s.exactly(3, recorder);
        const [letter] = await s.deadLetters(1);
        assert.deepEqual([letter?.reason, letter?.attempts], ['handler-failed', 3]);
        failing = false;
        await orders(bus, 1, 1);
        await s.atLeast(4, recorder);
        await orders(bus, 1, 1);
        await s.exactly(4, recorder);
      },
    ),

    promise('what comes while another run is at it waits, and is not handled when that one succeeds', async (s) => {
      assert.deepEqual(await secondOfTwo(s, 1, () => undefined), [['first', 1]]);
    }),

    promise('and is handled when that one fails for good; to wait is no attempt', async (s) => {
      const fail = (): void => {
        throw new Reject('not this one');
      };
      assert.deepEqual(await secondOfTwo(s, 2, fail), [
        ['first', 1],
        ['second', 1],
      ]);
      await s.deadLetters(1);
    }),

    promise('after its time a key counts no more', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, TYPE, { group, idempotent: { key, ttl: 600 } });
      await orders(bus, 1, 1);
      await s.atLeast(1, recorder);
      await s.harness.advance(AWAY);
      await orders(bus, 1, 1);
      await s.atLeast(2, recorder);
    }),

    promise(
      'the process of a run dies: another handles its event, as the next attempt, and none after that',
      async (s) => {
        const [dying, other] = await s.buses(2, { reclaimAfter: 1_000 });
        assert.ok(dying && other);
        const held = await s.record(dying, TYPE, { group, idempotent, then: s.gate().handler });
        await orders(other, 1, 1);
        await s.atLeast(1, held);
        const survivor = await s.record(other, TYPE, { group, idempotent });
        await s.harness.crash(dying);
        await s.atLeast(1, survivor);
        assert.deepEqual([survivor.last.attempt, survivor.last.redelivered], [2, true]);
        await orders(other, 2, 1);
        await s.harness.advance(AWAY);
        await s.exactly(1, survivor);
      },
    ),

    promise('of a batch, each event counts by itself', async (s) => {
      const bus = await s.bus();
      const batches: Order[][] = [];
      const handler = (batch: readonly Order[]): void => void batches.push([...batch]);
      const batch = { size: 10, maxWait: 50 };
      await bus.subscribe(TYPE, handler, { group, name: 'batch', idempotent, batch });
      await orders(bus, 9, 3);
      await s.until('three orders', () => batches.flat().length >= 3);
      await s.harness.advance(AWAY);
      assert.deepEqual(sortedOrders(batches.flat()), numbers(3));
    }),

    promise('a key that is no text of 1 to 512 characters, or throws, is a failure of the handler', async (s) => {
      const bus = await s.bus();
      const keys: (() => unknown)[] = [
        () => '',
        () => 'x'.repeat(513),
        () => 5,
        () => {
          throw new Error('no key');
        },
      ];
      const recorders = await Promise.all(
        keys.map((wrong, index) =>
          s.record(bus, TYPE, {
            ...{ group, name: `h${String(index)}`, retry: { attempts: 1, delay: 0 } },
            idempotent: { key: wrong as () => string },
          }),
        ),
      );
      await orders(bus, 1, 1);
      const letters = await s.deadLetters(4);
      for (const { reason, error } of letters) {
        assert.equal(reason, 'handler-failed');
        assert.match(error, /idempotent\.key|no key/);
      }
      await s.exactly(0, ...recorders);
    }),

    promise('a repeated request gets the reply of the first, wherever it is answered', async (s) => {
      const [a, b, asker] = await s.buses(3);
      assert.ok(a && b && asker);
      let count = 0;
      const then = (): object => ({ count: ++count });
      const options = { idempotent, name: 'h', then };
      const first = await s.record(a, TYPE, options);
      assert.deepEqual(await s.value(asker.publishAndWait(TYPE, { order: 1 })), { count: 1 });
      const second = await s.record(b, TYPE, options);
      for (const bus of [a, b, asker, asker, asker])
        assert.deepEqual(await s.value(bus.publishAndWait(TYPE, { order: 1 })), { count: 1 });
      assert.deepEqual(await s.value(asker.publishAndWait(TYPE, { order: 2 })), { count: 2 });
      await s.exactly(2, first, second);
    }),

    promise('requests of one key at once: one is carried out, and all get its reply', async (s) => {
      const [a, b, asker] = await s.buses(3);
      assert.ok(a && b && asker);
      const gate = s.gate();
      const options = { idempotent, name: 'h', then: () => gate.opened.then(() => 'done') };
      const recorders = [await s.record(a, TYPE, options), await s.record(b, TYPE, options)];
      const replies = [a, b, asker, asker].map((bus) => s.value(bus.publishAndWait(TYPE, { order: 1 }, { timeout })));
      await s.atLeast(1, ...recorders);
      await s.harness.advance(700);
      gate.open();
      assert.deepEqual(await Promise.all(replies), ['done', 'done', 'done', 'done']);
      await s.exactly(1, ...recorders);
    }),

    promise('a request that failed may be repeated', async (s) => {
      const [a, asker] = await s.buses(2);
      assert.ok(a && asker);
      let failing = true;
      const then = (): string => {
        if (failing) throw new Error('boom');
        return 'done';
      };
      await s.record(a, TYPE, { idempotent, then });
      await s.refusal(asker.publishAndWait(TYPE, { order: 1 }, { timeout }), 'REMOTE_HANDLER');
      failing = false;
      assert.equal(await s.value(asker.publishAndWait(TYPE, { order: 1 })), 'done');
    }),

    promise(
      'a reply of more than 64 KiB is not kept: a repeated request is an error, and not a second run',
      async (s) => {
        const [a, asker] = await s.buses(2);
        assert.ok(a && asker);
        const recorder = await s.record(a, TYPE, { idempotent, then: () => 'x'.repeat(70_000) });
        const reply = await s.value(asker.publishAndWait<string>(TYPE, { order: 1 }));
        assert.equal(reply.length, 70_000);
        for (const bus of [a, asker]) {
          const error = await s.refusal(bus.publishAndWait(TYPE, { order: 1 }, { timeout }), 'REMOTE_HANDLER');
          assert.match(error.message, /reply was not kept/);
        }
        await s.exactly(1, recorder);
      },
    ),
  ],
};

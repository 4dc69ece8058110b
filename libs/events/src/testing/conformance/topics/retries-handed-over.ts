import assert from 'node:assert/strict';
import type { EventHandler } from '../../../core/handler.js';
import { attempts, failing, soon } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
/** Beyond every test: what still reaches another member was handed over, not reclaimed. */
const NEVER = { reclaimAfter: '10m', shutdownTimeout: 200 };
const SOON = { reclaimAfter: 1_000 };
/** Time enough to close a member in. */
const retry = { attempts: 4, delay: 300, backoff: 'fixed', jitter: false } as const;

export const retriesHandedOver: ConformanceTopic = {
  name: 'retries over several members',
  tests: [
    promise('a member closes while an attempt waits: the next member makes it, and counts on', async (s) => {
      const [leaving, publisher] = await s.buses(2, NEVER);
      assert.ok(leaving && publisher);
      const first = await s.record(leaving, 'order.created', { group, retry, then: failing() });
      const { id } = await publisher.publish('order.created', 1);
      await s.atLeast(1, first);
      await s.value(leaving.close());
      const next = await s.record(await s.bus(NEVER), 'order.created', { group, retry, then: failing(2) });
      await s.atLeast(2, next);
      await s.exactly(3, first, next);
      assert.deepEqual([attempts(first), attempts(next)], [[1], [2, 3]]);
      assert.deepEqual(new Set([...first.ids, ...next.ids]), new Set([id]));
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('a member unsubscribes while an attempt waits: another member makes it', async (s) => {
      const [leaving, staying] = await s.buses(2, NEVER);
      assert.ok(leaving && staying);
      let calls = 0;
      const fails: EventHandler = (_, context) => {
        calls++;
        return failing()(_, context);
      };
      const member = await leaving.subscribe('order.created', fails, { group, name: 'handler', retry });
      await staying.publish('order.created', 1);
      await s.until('the first attempt', () => calls === 1);
      await member.close();
      const other = await s.record(staying, 'order.created', { group, retry });
      await s.exactly(1, other);
      assert.deepEqual([calls, attempts(other)], [1, [2]]);
    }),

    promise('a member dies while an attempt waits: another member makes it', async (s) => {
      const [dying, other] = await s.buses(2, SOON);
      assert.ok(dying && other);
      const first = await s.record(dying, 'order.created', { group, retry, then: failing() });
      await other.publish('order.created', 1);
      await s.atLeast(1, first);
      await s.harness.crash(dying);
      const survivor = await s.record(other, 'order.created', { group, retry });
      await s.exactly(1, survivor);
      assert.deepEqual(attempts(survivor), [2]);
    }),

    promise(
      'a second attempt in hand at shutdown goes on as a second attempt, of the same handler alone',
      async (s) => {
        const [leaving, staying] = await s.buses(2, NEVER);
        assert.ok(leaving && staying);
        const gate = s.gate();
        const then: EventHandler = (_, { attempt }) => {
          if (attempt === 1) throw new Error('boom');
          return gate.opened;
        };
        const first = await s.record(leaving, 'order.created', { group, name: 'bad', retry: soon(2), then });
        const good = await s.record(leaving, 'order.created', { group, name: 'good' });
        await staying.publish('order.created', 1);
        await s.atLeast(2, first);
        await s.exactly(1, good);
        const next = await s.record(staying, 'order.created', { group, name: 'bad', retry: soon(2) });
        const otherGood = await s.record(staying, 'order.created', { group, name: 'good' });
        await s.value(leaving.close());
        await s.exactly(1, next);
        assert.deepEqual([attempts(next), next.last.redelivered], [[2], true]);
        await s.exactly(0, otherGood);
        assert.deepEqual(await s.harness.deadLetters(), []);
      },
    ),

    promise('a member dies with a second attempt in hand: it counts, and only that handler runs again', async (s) => {
      const [dying, other] = await s.buses(2, SOON);
      assert.ok(dying && other);
      const gate = s.gate();
      const then: EventHandler = (_, { attempt }) => {
        if (attempt === 1) throw new Error('boom');
        return gate.opened;
      };
      const first = await s.record(dying, 'order.created', { group, name: 'bad', retry: soon(5), then });
      await s.record(dying, 'order.created', { group, name: 'good' });
      await other.publish('order.created', 1);
      await s.atLeast(2, first);
      await s.harness.crash(dying);
      const survivor = await s.record(other, 'order.created', { group, name: 'bad', retry: soon(5) });
      const good = await s.record(other, 'order.created', { group, name: 'good' });
      await s.exactly(1, survivor);
      assert.deepEqual(attempts(survivor), [3]);
      await s.exactly(0, good);
    }),

    promise('a member without the handler leaves the attempt to one that has it', async (s) => {
      const [leaving, lacking] = await s.buses(2, NEVER);
      assert.ok(leaving && lacking);
      const first = await s.record(leaving, 'order.created', { group, name: 'one', retry, then: failing() });
      await lacking.publish('order.created', 1);
      await s.atLeast(1, first);
      await s.value(leaving.close());
      const made = first.events.length;
      const other = await s.record(lacking, 'order.created', { group, name: 'two' });
      await s.quiet();
      const next = await s.record(await s.bus(NEVER), 'order.created', { group, name: 'one', retry: soon(9) });
      // Which member is offered it is chance; each that lacks the handler puts it off by a second.
      await s.until('the next attempt', () => next.events.length > 0, '20s');
      await s.exactly(1, next);
      assert.deepEqual(attempts(next), [made + 1]);
      await s.exactly(0, other);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('an attempt whose handler no live member has had for the retention is a dead letter', async (s) => {
      const [leaving, lacking] = await s.buses(2, { ...NEVER, retention: 1_000 });
      assert.ok(leaving && lacking);
      const first = await s.record(leaving, 'order.created', { group, name: 'one', retry, then: failing() });
      const { id } = await lacking.publish('order.created', 1);
      await s.atLeast(1, first);
      await s.value(leaving.close());
      const other = await s.record(lacking, 'order.created', { group, name: 'two' });
      const [letter] = await s.letters(lacking, 1);
      assert.deepEqual([letter?.reason, letter?.handler, letter?.group], ['unhandled', 'one', group]);
      assert.equal(letter?.event?.id, id);
      await s.exactly(0, other);
    }),

    promise('waiting attempts do not fill the stream: others can be published', async (s) => {
      const bus = await s.bus({ maxLength: 10 });
      const recorder = await s.record(bus, 'order.created', { group, retry: { attempts: 2, delay: '10m' }, then: failing() }); // prettier-ignore
      for (let n = 0; n < 30; n++) {
        await s.value(bus.publish('order.created', n));
        await s.atLeast(n + 1, recorder);
      }
      await s.exactly(30, recorder);
    }),
  ],
};

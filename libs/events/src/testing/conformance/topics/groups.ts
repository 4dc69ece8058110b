import assert from 'node:assert/strict';
import { numbers, publishNumbers, sorted } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
/** No attempt but the first. */
const once = { retry: { attempts: 1 } };

export const groups: ConformanceTopic = {
  name: 'groups',
  tests: [
    promise(
      'of several handlers of a group one fails: a dead letter for that one, and the others are not run again',
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        const good = await s.record(a, 'order.created', { group, name: 'good' });
        await s.record(a, 'order.created', {
          group,
          name: 'bad',
          ...once,
          then: () => Promise.reject(new Error('boom')),
        });
        const late = await s.record(a, 'order.#', { group, name: 'late' });
        const { id } = await b.publish('order.created', 1);
        await s.exactly(2, good, late);
        const [letter] = await s.deadLetters(1);
        assert.deepEqual([letter?.id, letter?.handler, letter?.group], [id, 'bad', group]);
      },
    ),

    promise('all handlers of a group fail: one dead letter each', async (s) => {
      const bus = await s.bus();
      for (const name of ['one', 'two']) {
        await s.record(bus, 'order.created', { group, name, ...once, then: () => Promise.reject(new Error(name)) });
      }
      await bus.publish('order.created', 1);
      const letters = await s.deadLetters(2);
      assert.deepEqual(letters.map((letter) => letter.handler).sort(), ['one', 'two']);
    }),

    promise('a member without a free place leaves the events to the others', async (s) => {
      const [busy, free] = await s.buses(2, { concurrency: 1, prefetch: 1 });
      assert.ok(busy && free);
      const gate = s.gate();
      const stuck = await s.record(busy, 'order.created', { group, then: gate.handler });
      await busy.publish('order.created', 0);
      await s.atLeast(1, stuck);
      const other = await s.record(free, 'order.created', { group });
      await publishNumbers(busy, 'order.created', 20, 1);
      await s.atLeast(20, other);
      gate.open();
      await s.exactly(21, stuck, other);
      assert.deepEqual(sorted(stuck, other), numbers(21));
    }),

    promise('a member does not swallow events that only other members handle', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const onA = await s.record(a, 'a.*', { group, name: 'of-a' });
      const onB = await s.record(b, 'b.*', { group, name: 'of-b' });
      await publishNumbers(a, 'b.x', 10);
      await publishNumbers(b, 'a.x', 10);
      await s.exactly(20, onA, onB);
      assert.deepEqual([new Set(onA.types), new Set(onB.types)], [new Set(['a.x']), new Set(['b.x'])]);
    }),

    promise('what only an absent member handles waits for it', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.record(a, 'a.*', { group, name: 'of-a' });
      const here = await s.record(b, 'b.*', { group, name: 'of-b' });
      await a.close();
      await publishNumbers(b, 'a.x', 5);
      await publishNumbers(b, 'b.x', 5);
      await s.exactly(5, here);
      const back = await s.record(await s.bus(), 'a.*', { group, name: 'of-a' });
      await s.exactly(5, back);
      assert.deepEqual(
        back.events.map(({ attempt }) => attempt),
        [1, 1, 1, 1, 1],
      );
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('a group without a live member keeps its events for the next one', async (s) => {
      const [member, publisher] = await s.buses(2);
      assert.ok(member && publisher);
      const before = await s.record(member, 'order.*', { group });
      await publishNumbers(publisher, 'order.created', 1);
      await s.atLeast(1, before);
      await member.close();
      await publishNumbers(publisher, 'order.created', 10, 1);
      const after = await s.record(await s.bus(), 'order.*', { group });
      await s.exactly(10, after);
      assert.deepEqual(sorted(after), numbers(11).slice(1));
    }),

    promise('a group whose last member unsubscribed keeps its events too', async (s) => {
      const bus = await s.bus();
      const subscription = await bus.subscribe('order.*', () => undefined, { group, name: 'handler' });
      await subscription.close();
      await publishNumbers(bus, 'order.created', 5);
      const after = await s.record(bus, 'order.*', { group });
      await s.exactly(5, after);
    }),

    promise('a group gets each event once, whichever member takes it', async (s) => {
      const buses = await s.buses(3);
      const members = await Promise.all(buses.map((bus) => s.record(bus, 'order.*', { group })));
      await Promise.all(buses.map((bus, index) => publishNumbers(bus, 'order.created', 20, index * 20)));
      await s.exactly(60, ...members);
      assert.deepEqual(sorted(...members), numbers(60));
      for (const { attempt, redelivered } of members.flatMap(({ events }) => events)) {
        assert.deepEqual([attempt, redelivered], [1, false]);
      }
    }),

    promise('each group gets the event, and so does every process', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const mail = [await s.record(a, 'order.*', { group: 'mail' }), await s.record(b, 'order.*', { group: 'mail' })];
      const stock = [
        await s.record(a, 'order.*', { group: 'stock' }),
        await s.record(b, 'order.*', { group: 'stock' }),
      ];
      const processes = [await s.record(a, 'order.*'), await s.record(b, 'order.*')];
      await publishNumbers(a, 'order.created', 10);
      await s.exactly(40, ...mail, ...stock, ...processes);
      assert.deepEqual(sorted(...mail), numbers(10));
      assert.deepEqual(sorted(...stock), numbers(10));
    }),

    promise('the member that takes an event runs every matching handler of the group in its process', async (s) => {
      const buses = await s.buses(2);
      const pairs = await Promise.all(
        buses.map(async (bus) => ({
          one: await s.record(bus, 'order.created', { group, name: 'one' }),
          two: await s.record(bus, 'order.*', { group, name: 'two' }),
        })),
      );
      const [bus] = buses;
      assert.ok(bus);
      await publishNumbers(bus, 'order.created', 20);
      await s.exactly(40, ...pairs.flatMap(({ one, two }) => [one, two]));
      for (const { one, two } of pairs) assert.deepEqual(sorted(one), sorted(two));
    }),

    promise("group: true is the group of the service's name", async (s) => {
      const shops = await s.buses(2, { service: 'shop' });
      const other = await s.bus({ service: 'billing' });
      const inShops = await Promise.all(shops.map((bus) => s.record(bus, 'order.*', { group: true })));
      const inOther = await s.record(other, 'order.*', { group: true });
      await publishNumbers(other, 'order.created', 10);
      await s.exactly(20, ...inShops, inOther);
      assert.deepEqual(sorted(inOther), numbers(10));
      assert.equal(inOther.last.context.group, 'billing');
      assert.deepEqual(sorted(...inShops), numbers(10));
    }),

    promise('the first event of a new type reaches a wildcard group', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const all = await s.record(a, 'new.#', { group });
      await b.publish('new.born', 1);
      await s.exactly(1, all);
    }),

    promise('two handlers of one name in a group of a process are refused, until the first is gone', async (s) => {
      const bus = await s.bus();
      const first = await bus.subscribe('a', () => undefined, { group, name: 'same' });
      await s.refusal(
        bus.subscribe('b', () => undefined, { group, name: 'same' }),
        'INVALID_HANDLER',
      );
      await bus.subscribe('b', () => undefined, { group: 'other', name: 'same' });
      await first.close();
      await bus.subscribe('b', () => undefined, { group, name: 'same' });
    }),
  ],
};

import assert from 'node:assert/strict';
import type { PublishReceipt } from '../../../core/context.js';
import { EventType } from '../../../core/event-class.js';
import type { PublishManyError } from '../../../core/publish-errors.js';
import type { StandardSchema } from '../../../core/standard-schema.js';
import { allCards, fill, listening, rested } from '../card-kit.js';
import { TOPIC } from '../card-sink.js';
import { numbers, type Gate } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

/** Its check waits at a door. */
const slowSchema: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'nestjs-cardinal',
    validate: async (value) => {
      await Slow.checks?.opened;
      const { n } = value as { n: unknown };
      return typeof n === 'number' ? { value: { n } } : { issues: [{ message: 'must be a number', path: ['n'] }] };
    },
  },
};

@EventType('comment.slow', { schema: slowSchema })
class Slow {
  static checks: Gate | undefined;
  readonly n!: number;
}

const BAD_BOTH: readonly unknown[] = [
  ...['', '{', 'a}', 'a\n', '\u0000', '\u007f', '\u0085', '\u200b', '\ud800'],
  ...['x'.repeat(513), 'ä'.repeat(257), '😀'.repeat(129)],
  ...[undefined, null, 7, {}, ['a'], Symbol('s'), 1n],
];

export const cardPublishing: ConformanceTopic = {
  name: 'publishing to cards',
  tests: [
    promise('names that no topic or card can have are refused by every call, and nothing is stored', async (s) => {
      const [sink, bus] = await listening(s);
      const { cards } = bus;
      const pairs: (readonly [string, string])[] = [
        ...BAD_BOTH.map((bad) => [TOPIC, bad as string] as const),
        ...[...BAD_BOTH, 'a:b', ':'].map((bad) => [bad as string, 'a'] as const),
      ];
      for (const [topic, card] of pairs) {
        await s.refusal(cards.publish(topic, card, 1), 'INVALID_CARD');
        await s.refusal(cards.register(topic, card), 'INVALID_CARD');
        await s.refusal(cards.unregister(topic, card), 'INVALID_CARD');
        await s.refusal(cards.inspect(topic, card), 'INVALID_CARD');
        await s.refusal(cards.resume(topic, card), 'INVALID_CARD');
        await s.refusal(cards.skip(topic, card), 'INVALID_CARD');
        const many = await s.refusal(cards.publishMany([{ topic, cardId: card, payload: 1 }]), 'PUBLISH_MANY');
        assert.equal((many.cause as { code?: string }).code, 'INVALID_CARD');
        if (card !== 'a') continue;
        await s.refusal(cards.list(topic), 'INVALID_CARD');
      }
      await s.exactly(0, sink);
      assert.equal((await allCards(bus)).size, 0);
    }),

    promise('topics and cards with names of any other text work, however strange', async (s) => {
      const names = ['a', ' ', 'ä ö', '😀'.repeat(128), 'x'.repeat(512), '*', '?[a]\\', "'\"`$", '%s', '__proto__', '0', '-', '/../', '#', '|', ',']; // prettier-ignore
      const ids = [...names, 'a:b', ':', '::', 'constructor'];
      const [sink, bus] = await listening(s);
      for (const name of names) await sink.on(bus, {}, name);
      for (const [n, id] of ids.entries()) await bus.cards.publish(TOPIC, id, n);
      for (const name of names) for (const n of numbers(2)) await bus.cards.publish(name, name, n);
      await s.exactly(ids.length + names.length * 2, sink);
      const told = sink.events.filter(({ topic }) => topic === TOPIC).map(({ card }) => card);
      assert.deepEqual(told.sort(), [...ids].sort());
      assert.deepEqual([...(await allCards(bus)).keys()].sort(), [...ids].sort());
      for (const name of names) {
        assert.deepEqual([...(await allCards(bus, name)).keys()], [name]);
        assert.equal((await bus.cards.inspect(name, name))?.cardId, name);
        await rested(s, bus, name);
      }
      sink.check();
    }),

    promise('malformed options are refused, and so are those that a card has no use for', async (s) => {
      const [sink, bus] = await listening(s);
      const bad: unknown[] = [
        ...['', 'a b', 'x'.repeat(129), 7].map((id) => ({ id })),
        ...[{ source: '' }, { correlationId: 'ä' }, { headers: { 'a b': 'x' } }, { headers: { a: 1 } }],
        ...['', 'a..b', 'a b', 'a.*'].map((type) => ({ type })),
        ...[{ mode: 'broadcast' }, { mode: 'anycast' }, { target: 'x' }, { settle: true }, { mandatory: true }],
      ];
      for (const options of bad) {
        const published = bus.cards.publish(TOPIC, 'a', 1, options as { id: string });
        await s.refusal(published, 'INVALID_OPTION', 'INVALID_EVENT_TYPE');
      }
      await s.exactly(0, sink);
      assert.equal(await bus.cards.inspect(TOPIC, 'a'), undefined);
    }),

    promise('a payload that JSON cannot write, or that is too large, is refused and not stored', async (s) => {
      const [sink, bus] = await listening(s, { bus: { maxPayload: 1_000 } });
      const cycle: Record<string, unknown> = {};
      cycle['self'] = cycle;
      for (const payload of [1n, cycle, () => 1, Symbol('s')])
        await s.refusal(bus.cards.publish(TOPIC, 'a', payload), 'SERIALIZATION');
      await s.refusal(bus.cards.publish(TOPIC, 'a', 'ü'.repeat(500)), 'PAYLOAD_TOO_LARGE');
      await bus.cards.publish(TOPIC, 'a', 'ü'.repeat(499));
      await s.exactly(1, sink);
    }),

    promise('an id of your own is stored once for its card; other cards and topics do not mind', async (s) => {
      const [sink, bus] = await listening(s);
      const other = await s.bus();
      await sink.on(bus, {}, 'order');
      const id = 'mine';
      const first = await bus.cards.publish(TOPIC, 'a', 0, { id });
      const again = await other.cards.publish(TOPIC, 'a', 1, { id });
      await s.exactly(1, sink);
      // Handled and gone: it is remembered all the same.
      const later = await bus.cards.publish(TOPIC, 'a', 2, { id });
      for (const receipt of [again, later]) assert.deepEqual(receipt, first);
      await bus.cards.publish(TOPIC, 'b', 3, { id });
      await bus.cards.publish('order', 'a', 4, { id });
      await bus.cards.publish(TOPIC, 'a', 5, { id: 'other' });
      await s.exactly(4, sink);
      assert.deepEqual(sink.payloads().sort(), [0, 3, 4, 5]);
      sink.check();
    }),

    promise('the same id many times at once, from two processes: stored once', async (s) => {
      const buses = await s.buses(2);
      const [sink] = await listening(s);
      await Promise.all(
        buses.flatMap(({ cards }) => numbers(20).map((n) => cards.publish(TOPIC, 'a', n, { id: 'mine' }))),
      );
      await s.exactly(1, sink);
    }),

    promise(
      'a card that holds `maxLength` events is full: the next is refused, and the others keep order',
      async (s) => {
        const bus = await s.bus({ maxLength: 5 });
        await fill(bus, 'a', 5);
        await s.refusal(bus.cards.publish(TOPIC, 'a', 5), 'STREAM_FULL');
        await fill(bus, 'b', 5);
        const refused = (await s.refusal(
          bus.cards.publishMany([
            { topic: TOPIC, cardId: 'c', payload: 0 },
            { topic: TOPIC, cardId: 'a', payload: 6 },
          ]),
          'PUBLISH_MANY',
        )) as PublishManyError<PublishReceipt>;
        assert.deepEqual(refused.results.map((result) => 'receipt' in result), [true, false]); // prettier-ignore
        assert.equal((await bus.cards.inspect(TOPIC, 'a'))?.length, 5);
        const [sink] = await listening(s);
        await s.exactly(11, sink);
        assert.deepEqual(sink.payloads('a'), numbers(5));
        await fill(bus, 'a', 1, 5);
        await s.exactly(12, sink);
      },
    ),

    promise('a receipt tells id, type and time; the type is the option, else the topic', async (s) => {
      const [sink, bus] = await listening(s);
      await sink.on(bus, {}, 'Ein Topic!');
      const plain = await bus.cards.publish('Ein Topic!', 'a', 1);
      const typed = await bus.cards.publish(TOPIC, 'a', 1, { type: 'comment.added', id: 'mine' });
      assert.deepEqual([plain.type, typed.type, typed.id], ['Ein Topic!', 'comment.added', 'mine']);
      await s.exactly(2, sink);
      for (const receipt of [plain, typed]) {
        const run = sink.events.find(({ context }) => context.id === receipt.id);
        assert.deepEqual([run?.context.type, run?.context.time.getTime()], [receipt.type, receipt.time.getTime()]);
      }
    }),

    promise('publishMany: receipts in order; bad rows are refused, each for itself; of nothing, none', async (s) => {
      const [sink, bus] = await listening(s);
      const { cards } = bus;
      const good = await cards.publishMany(
        numbers(4).map((n) => ({ topic: TOPIC, cardId: String(n % 2), payload: n })),
      );
      assert.equal(good.length, 4);
      const refused = (await s.refusal(
        cards.publishMany([
          { topic: TOPIC, cardId: 'a', payload: 0 },
          { topic: 'a:b', cardId: 'a', payload: 1 },
          { topic: TOPIC, cardId: 'a', payload: 1n },
          { topic: TOPIC, cardId: 'a', payload: 3 },
          undefined as never,
        ]),
        'PUBLISH_MANY',
      )) as PublishManyError<PublishReceipt>;
      assert.deepEqual(refused.results.map((result) => 'receipt' in result), [true, false, false, true, false]); // prettier-ignore
      await s.exactly(6, sink);
      assert.deepEqual(sink.payloads('a'), [0, 3]);
      const ids = (card: string): string[] => sink.events.filter((run) => run.card === card).map(({ context }) => context.id); // prettier-ignore
      assert.deepEqual([...ids('0'), ...ids('1')], [0, 2, 1, 3].map((index) => good[index]?.id)); // prettier-ignore
      assert.deepEqual(await cards.publishMany([]), []);
    }),

    promise('an event whose check takes a while keeps its place in its card, and holds up no other card', async (s) => {
      const [sink, bus] = await listening(s);
      const { cards } = bus;
      const checks = (Slow.checks = s.gate());
      const published = [
        cards.publish(TOPIC, 'a', 0),
        cards.publish(TOPIC, 'a', Object.assign(new Slow(), { n: 1 })),
        cards.publish(TOPIC, 'a', 2),
        cards.publishMany([3, 4].map((payload) => ({ topic: TOPIC, cardId: 'a', payload }))),
        cards.publish(TOPIC, 'a', 5, { retry: { attempts: 2, delay: 10 } }),
        cards.publish(TOPIC, 'a', 6),
      ];
      const refused = s.refusal(cards.publish(TOPIC, 'a', Object.assign(new Slow(), { n: 'x' })), 'VALIDATION');
      await fill(bus, 'b', 1);
      await s.exactly(2, sink);
      assert.deepEqual([sink.payloads('a'), sink.payloads('b')], [[0], [0]]);
      checks.open();
      await s.value(Promise.all(published));
      await refused;
      await s.exactly(8, sink);
      assert.deepEqual(sink.payloads('a'), [0, { n: 1 }, 2, 3, 4, 5, 6]);
      sink.check();
    }),

    promise("under the encoding 'fields' a payload without fields is refused and not stored", async (s) => {
      const [sink, bus] = await listening(s, { bus: { cards: { encoding: 'fields' } } });
      for (const payload of [7, 'text', null, undefined, [], [1], {}])
        await s.refusal(bus.cards.publish(TOPIC, 'a', payload), 'INVALID_OPTION');
      await s.exactly(0, sink);
      assert.equal(await bus.cards.inspect(TOPIC, 'a'), undefined);
    }),

    promise('no handler begins inside the call of publish', async (s) => {
      const [sink, bus] = await listening(s);
      const published = bus.cards.publish(TOPIC, 'a', 1);
      assert.equal(sink.events.length, 0);
      await published;
      await s.exactly(1, sink);
    }),

    promise('what is published to cards is no event of the bus, and the other way round', async (s) => {
      const [sink, bus] = await listening(s);
      const recorders = [await s.record(bus, '#'), await s.record(bus, TOPIC, { group: 'g' })];
      await bus.cards.publish(TOPIC, 'a', 1);
      await s.exactly(1, sink);
      assert.deepEqual(recorders.flatMap(({ types }) => types.filter((type) => !type.startsWith('system.'))), []); // prettier-ignore
      await bus.publish(TOPIC, 2);
      await s.exactly(2, ...recorders);
      await s.exactly(1, sink);
    }),
  ],
};

import assert from 'node:assert/strict';
import type { DeadLetterFilter } from '../../../bus/dead-letters.js';
import type { EventBus } from '../../../bus/event-bus.js';
import { Reject } from '../../../core/handler-errors.js';
import { failing, numbers, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
const never = { retry: { attempts: 1 }, then: failing() };

/** Letters 0, 1 of a.x in the group, 2 of a.y in the group, 3 of b.x without a group, filed in this order. */
async function four(s: Stage): Promise<EventBus> {
  const [bus, other] = await s.buses(2);
  assert.ok(bus && other);
  await s.record(bus, 'a.*', { group, name: 'of-a', ...never });
  const then = (): never => {
    throw new Reject('no');
  };
  await s.record(bus, 'b.*', { name: 'of-b', then });
  for (const [n, type] of ['a.x', 'a.x', 'a.y', 'b.x'].entries()) {
    await other.publish(type, n);
    await s.letters(other, n + 1);
    // So that no two are filed in one millisecond.
    await s.harness.advance(2);
  }
  return other;
}

async function payloads(bus: EventBus, filter: DeadLetterFilter): Promise<unknown[]> {
  const { items, total } = await bus.deadLetters.list(filter);
  assert.equal(total, items.length);
  return items.map(({ event }) => event?.payload);
}

export const deadLetters: ConformanceTopic = {
  name: 'dead letters',
  tests: [
    promise('a letter keeps the event as it was sent, who failed, with what and when', async (s) => {
      const [bus, sender] = await s.buses(2, { service: 'shop' });
      assert.ok(bus && sender);
      await s.record(bus, 'order.*', { group, name: 'charge', ...never });
      const cause = await s.record(sender, 'cause', {
        then: () => sender.publish('order.created', { deep: [1, 'ä'] }, { headers: { tenant: 'x' } }),
      });
      await sender.publish('cause');
      const [letter] = await s.letters(bus, 1);
      assert.ok(letter);
      const { event, time, stack, id, ...rest } = letter;
      assert.deepEqual(rest, {
        type: 'order.created',
        topic: undefined,
        cardId: undefined,
        reason: 'handler-failed',
        handler: 'charge',
        group,
        attempts: 1,
        error: 'attempt 1 fails',
        replay: undefined,
      });
      assert.match(stack ?? '', /attempt 1 fails[^]*stage/);
      assert.ok(id.length > 0 && time instanceof Date && event?.time instanceof Date);
      assert.ok(time.getTime() >= event.time.getTime());
      assert.deepEqual(event.payload, { deep: [1, 'ä'] });
      assert.deepEqual([event.source, event.sourceInstance], ['shop', sender.instanceId]);
      assert.deepEqual([event.version, event.mode, { ...event.headers }], [1, 'broadcast', { tenant: 'x' }]);
      assert.deepEqual([event.correlationId, event.causationId], [cause.last.context.id, cause.last.context.id]);
      assert.deepEqual(await sender.deadLetters.get(id), letter);
    }),

    promise('error and stack are bounded', async (s) => {
      const bus = await s.bus();
      const huge = 'x'.repeat(1_000_000);
      const error = Object.assign(new Error(huge), { stack: `Error: ${huge}\n${huge}` });
      const options = { retry: { attempts: 1 }, then: () => Promise.reject(error) };
      await s.record(bus, 'order.created', { group, ...options });
      await s.record(bus, 'order.created', options);
      await bus.publish('order.created', 1);
      for (const letter of await s.letters(bus, 2)) {
        assert.ok(letter.error.startsWith('xxxx') && letter.error.length < 20_000);
        assert.ok((letter.stack?.length ?? 0) > 0 && (letter.stack?.length ?? 0) < 50_000);
      }
    }),

    promise('they are listed newest first, over all types', async (s) => {
      const bus = await four(s);
      assert.deepEqual(await payloads(bus, {}), [3, 2, 1, 0]);
    }),

    promise('they are listed by type, pattern, group, handler and reason, and by several at once', async (s) => {
      const bus = await four(s);
      assert.deepEqual(await payloads(bus, { type: 'a.x' }), [1, 0]);
      assert.deepEqual(await payloads(bus, { type: 'a.*' }), [2, 1, 0]);
      assert.deepEqual(await payloads(bus, { type: '#.x' }), [3, 1, 0]);
      assert.deepEqual(await payloads(bus, { group }), [2, 1, 0]);
      assert.deepEqual(await payloads(bus, { group: '' }), [3]);
      assert.deepEqual(await payloads(bus, { handler: 'of-b' }), [3]);
      assert.deepEqual(await payloads(bus, { reason: 'rejected' }), [3]);
      assert.deepEqual(await payloads(bus, { reason: 'handler-failed', type: '*.x' }), [1, 0]);
      assert.deepEqual(await payloads(bus, { reason: 'rejected', group }), []);
      assert.deepEqual(await payloads(bus, { type: 'nobody.knows' }), []);
    }),

    promise('pages: each letter on one of them, the total on all', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'a.#', { group, concurrency: 1, ...never });
      for (const n of numbers(25)) await bus.publish(`a.${String(n % 3)}`, n);
      await s.letters(bus, 25);
      const { deadLetters: letters } = bus;
      const pages = await Promise.all([1, 2, 3, 4].map((page) => letters.list({ page, pageSize: 10 })));
      assert.deepEqual(
        pages.map(({ items, total, page, pageSize }) => [items.length, total, page, pageSize]),
        [
          [10, 25, 1, 10],
          [10, 25, 2, 10],
          [5, 25, 3, 10],
          [0, 25, 4, 10],
        ],
      );
      assert.equal(new Set(pages.flatMap(({ items }) => items.map(({ id }) => id))).size, 25);
      const times = pages.flatMap(({ items }) => items.map(({ time }) => time.getTime()));
      assert.deepEqual(
        times,
        [...times].sort((a, b) => b - a),
      );
      const unsaid = await letters.list({ type: 'a.1' });
      assert.deepEqual([unsaid.page, unsaid.pageSize, unsaid.items.length, unsaid.total], [1, 20, 8, 8]);
      assert.equal((await letters.list()).items.length, 20);
    }),

    promise('a process without handlers sees the letters of all; one that starts later too', async (s) => {
      const bus = await four(s);
      const ids = (await bus.deadLetters.list()).items.map(({ id }) => id);
      const later = await s.bus();
      assert.deepEqual(
        (await later.deadLetters.list()).items.map(({ id }) => id),
        ids,
      );
    }),

    promise('an empty bus has an empty list', async (s) => {
      const bus = await s.bus();
      assert.deepEqual(await bus.deadLetters.list(), { items: [], total: 0, page: 1, pageSize: 20 });
      assert.equal(await bus.deadLetters.discard({}), 0);
      assert.equal((await bus.deadLetters.replay({})).replayed, 0);
    }),

    promise('what is no id of a letter is found by nobody', async (s) => {
      const bus = await four(s);
      const { deadLetters: letters } = bus;
      const [known] = (await letters.list()).items;
      assert.ok(known);
      const strange = [
        '',
        'x',
        '1-0',
        'a.x@',
        '@1',
        'a.x@99999999999999-0',
        `${known.id}9`,
        `${known.id}\n`,
        '../../a',
      ];
      for (const id of strange) {
        assert.equal(await letters.get(id), undefined, id);
        assert.equal(await letters.discard(id), 0, id);
        assert.equal((await letters.replay(id)).replayed, 0, id);
      }
      assert.equal((await letters.list()).total, 4);
    }),

    promise('discard drops one by id, once', async (s) => {
      const bus = await four(s);
      const { deadLetters: letters } = bus;
      const [newest] = (await letters.list()).items;
      assert.ok(newest);
      assert.deepEqual([await letters.discard(newest.id), await letters.discard(newest.id)], [1, 0]);
      assert.equal(await letters.get(newest.id), undefined);
      assert.deepEqual(await payloads(bus, {}), [2, 1, 0]);
    }),

    promise('discard drops all that fit, and no other', async (s) => {
      const bus = await four(s);
      const { deadLetters: letters } = bus;
      assert.equal(await letters.discard({ type: 'a.x', group }), 2);
      assert.deepEqual(await payloads(bus, {}), [3, 2]);
      assert.equal(await letters.discard({ reason: 'crashed' }), 0);
      assert.equal(await letters.discard({}), 2);
      assert.deepEqual(await payloads(bus, {}), []);
    }),

    promise('discard drops hundreds', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'a.#', { group, ...never });
      await bus.publishMany(numbers(450).map((n) => ({ type: `a.${String(n % 2)}`, payload: n })));
      await s.until('450 letters', async () => (await bus.deadLetters.list()).total === 450);
      assert.equal(await bus.deadLetters.discard({ type: 'a.0' }), 225);
      assert.equal((await bus.deadLetters.list()).total, 225);
    }),

    promise('add files an event by hand, with a reason in words', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, '#');
      const id = await bus.deadLetters.add({ type: 'order.created', payload: { n: 1 } }, 'seen in the old system');
      const [letter] = await s.letters(bus, 1, { reason: 'added' });
      assert.deepEqual([letter?.id, letter?.type, letter?.error], [id, 'order.created', 'seen in the old system']);
      assert.deepEqual([letter?.attempts, letter?.handler, letter?.group], [0, undefined, undefined]);
      assert.deepEqual(letter?.event?.payload, { n: 1 });
      await s.quiet();
      assert.deepEqual(
        recorder.types.filter((type) => !type.startsWith('system.')),
        [],
      );
    }),

    promise('add refuses what publish refuses, and files nothing', async (s) => {
      const bus = await s.bus({ maxPayload: 100 });
      const { deadLetters: letters } = bus;
      await s.refusal(letters.add({ type: 'a..b' }, 'why'), 'INVALID_EVENT_TYPE');
      await s.refusal(letters.add({ type: 'a', payload: 1n }, 'why'), 'SERIALIZATION');
      await s.refusal(letters.add({ type: 'a', payload: 'x'.repeat(200) }, 'why'), 'PAYLOAD_TOO_LARGE');
      assert.equal((await letters.list()).total, 0);
    }),

    promise('malformed pages, patterns and limits are refused', async (s) => {
      const bus = await four(s);
      const { deadLetters: letters } = bus;
      for (const page of [0, -1, 1.5, NaN]) await s.refusal(letters.list({ page }), 'INVALID_OPTION');
      for (const pageSize of [0, 1_001, NaN]) await s.refusal(letters.list({ pageSize }), 'INVALID_OPTION');
      for (const type of ['', 'a..b', 'a b']) {
        await s.refusal(letters.list({ type }), 'INVALID_PATTERN');
        await s.refusal(letters.discard({ type }), 'INVALID_PATTERN');
        await s.refusal(letters.replay({ type }), 'INVALID_PATTERN');
      }
      for (const bad of [0, -1, 1.5, NaN]) {
        await s.refusal(letters.replay({}, { limit: bad }), 'INVALID_OPTION');
        await s.refusal(letters.replay({}, { maxFailures: bad }), 'INVALID_OPTION');
      }
      assert.equal((await letters.list()).total, 4);
    }),

    promise('`redact` hides payload keys in listings, at any depth, and nothing in what is kept', async (s) => {
      const bus = await s.bus({ redact: ['password'] });
      const open = await s.bus();
      let broken = true;
      const then = (): void => {
        if (broken) throw new Error('boom');
      };
      const recorder = await s.record(bus, 'user.created', { group, retry: { attempts: 1 }, then });
      const payload = { name: 'ada', Password: 'secret-1', list: [{ password: { deep: 'secret-2' } }] };
      await bus.publish('user.created', payload);
      const [letter] = await s.letters(bus, 1);
      const text = JSON.stringify([letter, await bus.deadLetters.get(letter?.id ?? '')]);
      assert.ok(!text.includes('secret-') && text.includes('ada'), text);
      assert.deepEqual((await open.deadLetters.get(letter?.id ?? ''))?.event?.payload, payload);
      broken = false;
      await bus.deadLetters.replay({});
      await s.exactly(2, recorder);
      assert.deepEqual(recorder.last.payload, payload);
    }),

    promise(
      'an entry that cannot be read is listed without an event, and can be discarded',
      async (s) => {
        const bus = await s.bus();
        await s.record(bus, 'order.created', { group });
        await s.harness.rawEntry?.('order.created', { ce: '["half', data: '{"half":' });
        const [letter] = await s.letters(bus, 1);
        assert.deepEqual([letter?.reason, letter?.group, letter?.type], ['undecodable', group, 'order.created']);
        assert.equal(letter?.event?.payload, undefined);
        assert.equal(await bus.deadLetters.discard({ reason: 'undecodable' }), 1);
      },
      'raw-entries',
    ),

    promise('what has become a dead letter does not come again when its process dies', async (s) => {
      const [dying, other] = await s.buses(2, { reclaimAfter: 1_000 });
      assert.ok(dying && other);
      await s.record(dying, 'order.created', { group, ...never });
      await other.publish('order.created', 1);
      await s.letters(other, 1);
      await s.harness.crash(dying);
      const survivor = await s.record(other, 'order.created', { group, ...never });
      await s.harness.advance(2_000);
      await s.exactly(0, survivor);
      await s.letters(other, 1);
    }),

    promise('a closed bus refuses to list, replay, discard and add with BusClosedError', async (s) => {
      const bus = await four(s);
      const [letter] = (await bus.deadLetters.list()).items;
      const id = letter?.id ?? '';
      await s.value(bus.close());
      const { deadLetters: letters } = bus;
      for (const call of [
        () => letters.list(),
        () => letters.get(id),
        () => letters.replay(id),
        () => letters.replay({}),
        () => letters.discard(id),
        () => letters.discard({}),
        () => letters.add({ type: 'a' }, 'why'),
      ])
        await s.refusal(call(), 'BUS_CLOSED');
    }),
  ],
};

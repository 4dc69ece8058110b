import assert from 'node:assert/strict';
import { allCards, fill, FOR_EVER, inState, listening, rested, sinkOf } from '../card-kit.js';
import { TOPIC } from '../card-sink.js';
import { failing, numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

export const cardRegistry: ConformanceTopic = {
  name: 'registered cards',
  tests: [
    promise('a card that was never registered is registered by its first event', async (s) => {
      const [sink, bus] = await listening(s);
      await fill(bus, 'a', 2);
      await s.exactly(2, sink);
      assert.deepEqual([...(await allCards(bus)).keys()], ['a']);
    }),

    promise('registered twice, or by several at once, is once; it wakes nobody', async (s) => {
      const buses = await s.buses(3);
      const sink = sinkOf(s);
      for (const bus of buses) await sink.on(bus);
      await Promise.all(buses.flatMap(({ cards }) => numbers(20).map(() => cards.register(TOPIC, 'a'))));
      const [bus] = buses;
      assert.ok(bus);
      assert.deepEqual([...(await allCards(bus)).keys()], ['a']);
      assert.equal((await bus.cards.inspect(TOPIC, 'a'))?.state, 'idle');
      await fill(bus, 'a', 5);
      await bus.cards.register(TOPIC, 'a');
      await s.exactly(5, sink);
      assert.deepEqual(sink.payloads('a'), numbers(5));
      sink.check();
    }),

    promise('drain, while one runs and others wait: all are handled, then the card is gone', async (s) => {
      const gate = s.gate();
      const [sink, bus] = await listening(s, {}, () => gate.opened);
      await fill(bus, 'a', 3);
      await s.atLeast(1, sink);
      assert.equal(await bus.cards.unregister(TOPIC, 'a'), 0);
      assert.equal((await bus.cards.inspect(TOPIC, 'a'))?.state, 'owned');
      gate.open();
      await s.exactly(3, sink);
      assert.deepEqual(sink.payloads('a'), numbers(3));
      await s.until('the card to be gone', async () => (await bus.cards.inspect(TOPIC, 'a')) === undefined);
      assert.equal((await allCards(bus)).size, 0);
      sink.check();
    }),

    promise('drain of a card that nobody handles: its events stay until they are handled', async (s) => {
      const [early, late] = await s.buses(2);
      assert.ok(early && late);
      await fill(early, 'a', 3);
      await early.cards.unregister(TOPIC, 'a', { pending: 'drain' });
      const sink = sinkOf(s);
      await sink.on(late);
      await s.exactly(3, sink);
      await s.until('the card to be gone', async () => (await early.cards.inspect(TOPIC, 'a')) === undefined);
    }),

    promise('drain of a card whose head fails for good: handled by policy, then gone', async (s) => {
      const [sink, bus] = await listening(s, { retry: { attempts: 1 }, ends: () => true }, failing());
      await fill(bus, 'a', 3);
      await bus.cards.unregister(TOPIC, 'a');
      await s.letters(bus, 3);
      await s.until('the card to be gone', async () => (await bus.cards.inspect(TOPIC, 'a')) === undefined);
      await s.exactly(3, sink);
    }),

    promise('an event, or a register, after the drain has begun: the card stays', async (s) => {
      const gate = s.gate();
      const [sink, bus] = await listening(s, {}, () => gate.opened);
      for (const card of ['a', 'b']) {
        await fill(bus, card, 2);
        await bus.cards.unregister(TOPIC, card);
      }
      await fill(bus, 'a', 1, 2);
      await bus.cards.register(TOPIC, 'b');
      gate.open();
      await s.exactly(5, sink);
      await rested(s, bus);
      assert.deepEqual([...(await allCards(bus)).keys()].sort(), ['a', 'b']);
      sink.check();
    }),

    promise(
      'drop: what waits is gone, what runs cannot go on with the card, and says how many there were',
      async (s) => {
        const gate = s.gate();
        const [sink, bus] = await listening(s, {}, () => gate.opened);
        await fill(bus, 'a', 5);
        await s.atLeast(1, sink);
        assert.equal(await bus.cards.unregister(TOPIC, 'a', { pending: 'drop' }), 5);
        assert.equal(await bus.cards.inspect(TOPIC, 'a'), undefined);
        gate.open();
        await s.exactly(1, sink);
        assert.equal((await allCards(bus)).size, 0);
        await s.letters(bus, 0);
      },
    ),

    promise('drop, and new events at once: they are handled, the old ones are not, one at a time', async (s) => {
      const gate = s.gate();
      const [sink, bus] = await listening(s, { ends: () => true }, (n) => (n < 3 ? gate.opened : undefined));
      await fill(bus, 'a', 3);
      await s.atLeast(1, sink);
      await bus.cards.unregister(TOPIC, 'a', { pending: 'drop' });
      await fill(bus, 'a', 3, 10);
      await s.quiet();
      gate.open();
      await s.exactly(4, sink);
      assert.deepEqual(sink.payloads('a'), [0, 10, 11, 12]);
      assert.deepEqual(sink.problems.filter((problem) => problem.includes('began while')), []); // prettier-ignore
      await rested(s, bus);
    }),

    promise('drop of a card that waits, parked or in backoff, forgets the failure', async (s) => {
      let broken = true;
      const [sink, bus] = await listening(
        s,
        { retry: { attempts: 1 }, onExhausted: 'park', ends: () => true },
        (n, context) => (broken ? failing()(n, context) : undefined),
      );
      await fill(bus, 'a', 2);
      await inState(s, bus, 'a', 'parked');
      assert.equal(await bus.cards.unregister(TOPIC, 'a', { pending: 'drop' }), 2);
      broken = false;
      await fill(bus, 'a', 1, 5);
      await s.exactly(2, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 5], [1, 1]]); // prettier-ignore
      await rested(s, bus);
    }),

    promise('a card that nobody knows: unregister, inspect, list make nothing of it', async (s) => {
      const bus = await s.bus();
      assert.equal(await bus.cards.unregister(TOPIC, 'a'), 0);
      assert.equal(await bus.cards.unregister(TOPIC, 'a', { pending: 'drop' }), 0);
      assert.equal(await bus.cards.inspect(TOPIC, 'a'), undefined);
      assert.equal((await allCards(bus)).size, 0);
    }),

    promise('registers and unregisters in a storm, with events between: nothing is lost on drain', async (s) => {
      const buses = await s.buses(2);
      const { seed, next } = s.random();
      const sink = sinkOf(s);
      for (const bus of buses) await sink.on(bus);
      const [publisher] = buses;
      assert.ok(publisher);
      for (const n of numbers(60)) {
        const cards = buses[Math.floor(next() * 2)]?.cards;
        const published = publisher.cards.publish(TOPIC, 'a', n);
        const other = next() < 0.5 ? cards?.register(TOPIC, 'a') : cards?.unregister(TOPIC, 'a');
        await Promise.all([published, other]);
      }
      await s.exactly(60, sink);
      assert.deepEqual(sink.payloads('a'), numbers(60), `seed ${String(seed)}`);
      sink.check(`seed ${String(seed)}`);
      await rested(s, publisher);
    }),

    promise('list: every card on a page, whatever the size of the pages; topics apart', async (s) => {
      const bus = await s.bus();
      const cards = numbers(57).map((n) => `card:${String(n)}`);
      await Promise.all(cards.map((card) => bus.cards.register(TOPIC, card)));
      await bus.cards.register('other', 'x');
      for (const limit of [1, 10, 57, 1_000])
        assert.deepEqual([...(await allCards(bus, TOPIC, limit)).keys()].sort(), [...cards].sort(), String(limit));
      assert.deepEqual([...(await allCards(bus, 'other')).keys()], ['x']);
      assert.equal((await allCards(bus, 'nobody')).size, 0);
    }),

    promise('list: pages have at most `limit` cards; malformed limits and cursors are refused', async (s) => {
      const bus = await s.bus();
      for (const n of numbers(30)) await bus.cards.register(TOPIC, String(n));
      const page = await bus.cards.list(TOPIC, { limit: 10 });
      assert.ok(page.cards.length <= 10 && page.cursor !== undefined);
      for (const limit of [0, -1, 1.5, NaN, '3'])
        await s.refusal(bus.cards.list(TOPIC, { limit: limit as number }), 'INVALID_OPTION');
      for (const cursor of ['x', '-1', '9 9 9', 7, '\n'])
        await s.refusal(bus.cards.list(TOPIC, { cursor: cursor as string }), 'INVALID_OPTION');
    }),

    promise('inspect and list tell idle, ready, owned, backoff and parked, with length and owner', async (s) => {
      const [bus, watcher] = await s.buses(2, FOR_EVER);
      assert.ok(bus && watcher);
      await bus.cards.register(TOPIC, 'idle');
      await fill(bus, 'unheard', 2, 0, 'unheard');
      const gate = s.gate();
      const sink = sinkOf(s, (n, context) => {
        if (context.cardId === 'owned') return gate.opened;
        return failing()(n, context);
      });
      await sink.on(bus, { retry: { attempts: 2, delay: '10m', jitter: false }, onExhausted: 'park' });
      for (const card of ['owned', 'backoff']) await fill(bus, card, 3);
      await inState(s, watcher, 'backoff', 'backoff');
      await s.atLeast(2, sink);
      const ready = await watcher.cards.inspect('unheard', 'unheard');
      assert.deepEqual([ready?.state, ready?.length, ready?.pending, ready?.owner, ready?.attempts], ['ready', 2, 0, undefined, 0]); // prettier-ignore
      const found = await allCards(watcher);
      assert.deepEqual([...found.keys()].sort(), ['backoff', 'idle', 'owned']);
      for (const [card, record] of found) {
        assert.deepEqual([record.topic, record.cardId, record.state], [TOPIC, card, card]);
        assert.deepEqual(await watcher.cards.inspect(TOPIC, card), record);
        assert.ok(record.activeAt.getTime() > 0);
      }
      const owned = found.get('owned');
      const run = sink.events.find(({ card }) => card === 'owned');
      assert.deepEqual([owned?.owner, owned?.fencingToken, owned?.length], [bus.instanceId, run?.token, 3]);
      assert.ok((owned?.pending ?? 0) >= 1);
      const waits = found.get('backoff');
      assert.deepEqual([waits?.owner, waits?.fencingToken, waits?.attempts, waits?.lastError], [undefined, undefined, 1, 'attempt 1 fails']); // prettier-ignore
      assert.ok(waits?.retryAt instanceof Date);
      await bus.cards.resume(TOPIC, 'backoff');
      gate.open();
    }),

    promise('what inspect says of an error is bounded', async (s) => {
      const [, bus] = await listening(s, { retry: { attempts: 2, delay: '10m' } }, () =>
        Promise.reject(new Error('x'.repeat(1_000_000))),
      );
      await fill(bus, 'a', 1);
      const { lastError } = await inState(s, bus, 'a', 'backoff');
      assert.ok((lastError ?? '').startsWith('xxxx') && (lastError ?? '').length < 20_000);
    }),

    promise('a card without events is forgotten after its time, and comes back with its next event', async (s) => {
      const [sink, bus] = await listening(s, { bus: { cards: { idleAfter: 1_000, sweep: 100 } } });
      await fill(bus, 'a', 2);
      await s.exactly(2, sink);
      await s.harness.advance(1_500);
      await fill(bus, 'a', 2, 2);
      await s.exactly(4, sink);
      assert.deepEqual(sink.payloads('a'), numbers(4));
      sink.check();
      await rested(s, bus);
    }),
  ],
};

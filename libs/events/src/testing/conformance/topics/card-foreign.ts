import assert from 'node:assert/strict';
import { fill, listening, rested, sinkOf } from '../card-kit.js';
import { TOPIC } from '../card-sink.js';
import { numbers, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

/** Sweeps so often that a test can wait for them. */
const OFTEN = { cards: { sweep: 100, scan: 200 } };

async function write(s: Stage, card: string, fields: Readonly<Record<string, string>>, notify = true): Promise<void> {
  await s.harness.rawCardEntry?.(TOPIC, card, fields, { notify });
}

export const cardForeign: ConformanceTopic = {
  name: 'cards that other programs write',
  tests: [
    promise(
      'entries with fields of their own, written and announced: handled in order, the first not lost',
      async (s) => {
        const buses = await s.buses(2);
        const sink = sinkOf(s);
        for (const bus of buses) await sink.on(bus);
        for (const n of numbers(10)) await write(s, 'a:1', { action: 'update', n: String(n) });
        await s.exactly(10, sink);
        assert.deepEqual(sink.payloads('a:1'), numbers(10).map((n) => ({ action: 'update', n: String(n) }))); // prettier-ignore
        const [bus] = buses;
        assert.ok(bus);
        const { context } = sink.last;
        assert.deepEqual([context.type, context.attempt, sink.last.card], [TOPIC, 1, 'a:1']);
        assert.ok(context.id.length > 0 && context.time.getTime() > 0);
        assert.equal(new Set(sink.events.map((run) => run.context.id)).size, 10);
        sink.check();
        await rested(s, bus);
      },
      'foreign-entries',
    ),

    promise(
      'entries that are never announced, of cards that nobody knows: found by the scan',
      async (s) => {
        const buses = await s.buses(2, OFTEN);
        const sink = sinkOf(s);
        for (const bus of buses) await sink.on(bus);
        for (const card of ['x', 'y', 'z']) for (const n of numbers(3)) await write(s, card, { n: String(n) }, false);
        await s.until('all', () => sink.events.length >= 9, '15s');
        await s.exactly(9, sink);
        for (const card of ['x', 'y', 'z']) assert.deepEqual(sink.payloads(card), numbers(3).map((n) => ({ n: String(n) }))); // prettier-ignore
        sink.check();
      },
      'foreign-entries',
    ),

    promise(
      'an entry of a registered card that is not announced: found by the sweep',
      async (s) => {
        const [sink, bus] = await listening(s, { bus: { cards: { sweep: 200, scan: '1h' } } });
        await bus.cards.register(TOPIC, 'a');
        await write(s, 'a', { n: '0' }, false);
        await s.exactly(1, sink);
        await rested(s, bus);
      },
      'foreign-entries',
    ),

    promise(
      'written before anybody handles the topic: taken by the first who does',
      async (s) => {
        await s.bus();
        for (const n of numbers(3)) await write(s, 'a', { n: String(n) });
        const [sink] = await listening(s, { bus: OFTEN });
        await s.exactly(3, sink);
        assert.deepEqual(sink.payloads('a'), numbers(3).map((n) => ({ n: String(n) }))); // prettier-ignore
        sink.check();
      },
      'foreign-entries',
    ),

    promise(
      'between events of ours they keep the order of the card',
      async (s) => {
        const [sink, bus] = await listening(s);
        for (const n of numbers(10)) {
          await write(s, 'a', { n: String(n) });
          await fill(bus, 'a', 1, n);
        }
        await s.exactly(20, sink);
        assert.deepEqual(sink.payloads('a'), numbers(10).flatMap((n) => [{ n: String(n) }, n])); // prettier-ignore
        sink.check();
      },
      'foreign-entries',
    ),

    promise(
      'one that fails becomes a dead letter with its fields, and comes back with them',
      async (s) => {
        let broken = true;
        const [sink, bus] = await listening(s, { retry: { attempts: 1 }, ends: () => true }, () => {
          if (broken) throw new Error('boom');
        });
        await write(s, 'a', { text: 'ä', '': 'empty', __proto__x: '1' });
        const [letter] = await s.letters(bus, 1, { topic: TOPIC });
        assert.deepEqual(letter?.event?.payload, { text: 'ä', '': 'empty', __proto__x: '1' });
        broken = false;
        await s.value(bus.deadLetters.replay({ topic: TOPIC }));
        await s.exactly(2, sink);
        assert.deepEqual(sink.events[1]?.payload, sink.events[0]?.payload);
        await rested(s, bus);
      },
      'foreign-entries',
    ),

    promise(
      'fields named like prototypes, random bytes, hundreds of fields: handled or a dead letter, and it goes on',
      async (s) => {
        const { seed, next } = s.random();
        const [sink, bus] = await listening(s, { ends: () => true });
        const noise = (): string => String.fromCharCode(...numbers(40).map(() => Math.floor(next() * 0x10000)));
        const rows = [
          Object.fromEntries([['__proto__', 'x'], ['constructor', 'y']]), // prettier-ignore
          Object.fromEntries(numbers(500).map((n) => [`f${String(n)}`, String(n)])),
          ...numbers(20).map(() => ({ [noise()]: noise(), ce: noise(), data: noise() })),
          ...numbers(20).map(() => ({ [noise()]: noise() })),
        ];
        for (const row of rows) await write(s, 'a', row);
        await fill(bus, 'a', 1, 7);
        await s.until('the last', () => sink.payloads('a').includes(7), '15s');
        const { total } = await bus.deadLetters.list({ topic: TOPIC });
        assert.equal(total + sink.events.length, rows.length + 1, `seed ${String(seed)}`);
        assert.equal(({} as Record<string, unknown>)['x'], undefined);
        sink.check(`seed ${String(seed)}`);
        await rested(s, bus);
      },
      'foreign-entries',
    ),
  ],
};

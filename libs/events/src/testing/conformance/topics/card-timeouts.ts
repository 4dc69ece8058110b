import assert from 'node:assert/strict';
import type { SystemWarning } from '../../../bus/system-events.js';
import { isEventsError } from '../../../core/errors.js';
import { waitForAbort } from '../../wait-for.js';
import { fill, LEASE, listening, rested, sinkOf } from '../card-kit.js';
import type { CardWork } from '../card-sink.js';
import { numbers, soon, type Gate } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const timeout = 50;
const STUCK_SOON = { cards: { stuckAfter: 50 } };
const STUCK_NEVER = { cards: { ...LEASE.cards, stuckAfter: '10m' } };

/** Ends with an error when its signal aborts, as a well-written handler does. */
const heeds: CardWork = (_, { signal }) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('stopped', { cause: signal.reason }));
    });
  });

/** Waits at the door with event 0, at its first attempt only. */
function hangsOnce(gate: Gate): CardWork {
  return (n, { attempt }) => (n === 0 && attempt === 1 ? gate.opened : undefined);
}

export const cardTimeouts: ConformanceTopic = {
  name: 'timeouts of card handlers',
  tests: [
    promise('a run that takes too long: its signal aborts, what it throws is a failed attempt', async (s) => {
      const [sink, bus] = await listening(
        s,
        { bus: STUCK_NEVER, timeout, retry: soon(2), ends: ({ attempt }) => attempt === 2 },
        (n, ...rest) => (n === 0 ? heeds(n, ...rest) : undefined),
      );
      await fill(bus, 'a', 3);
      const [letter] = await s.letters(bus, 1);
      await s.exactly(4, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 0, 1, 2], [1, 2, 1, 1]]); // prettier-ignore
      for (const { context } of sink.events.slice(0, 2))
        assert.ok(isEventsError(await waitForAbort(context.signal), 'HANDLER_TIMEOUT'));
      assert.deepEqual([letter?.reason, letter?.attempts], ['handler-failed', 2]);
      assert.match(letter?.error ?? '', /did not end within 50 ms/);
      sink.check();
    }),

    promise('a late success counts; until then nothing of the card begins anywhere, lease or not', async (s) => {
      const [slow, idle] = await s.buses(2, STUCK_NEVER);
      assert.ok(slow && idle);
      const gate = s.gate();
      const sink = sinkOf(s, hangsOnce(gate));
      await sink.on(slow, { timeout, retry: soon(3) });
      await fill(idle, 'a', 3);
      await s.atLeast(1, sink);
      await sink.on(idle, { timeout, retry: soon(3) });
      const [{ context }] = sink.events as [(typeof sink.events)[number]];
      await s.until('the signal to abort', () => context.signal.aborted);
      // The lease is kept as long as it runs, however long that is.
      await s.harness.advance(2_500);
      await s.exactly(1, sink);
      gate.open();
      await s.exactly(3, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [numbers(3), [1, 1, 1]]);
      sink.check();
      await s.letters(idle, 0);
    }),

    promise('a long run without a timeout keeps its card over many leases', async (s) => {
      const [slow, idle] = await s.buses(2, LEASE);
      assert.ok(slow && idle);
      const gate = s.gate();
      const sink = sinkOf(s, hangsOnce(gate));
      await sink.on(slow, { timeout: 0 });
      await fill(idle, 'a', 2);
      await s.atLeast(1, sink);
      await sink.on(idle, { timeout: 0 });
      await s.harness.advance(3_500);
      await s.exactly(1, sink);
      assert.equal(sink.last.context.signal.aborted, false);
      gate.open();
      await s.exactly(2, sink);
      assert.deepEqual(sink.attempts('a'), [1, 1]);
      sink.check();
    }),

    promise('a run that ignores its signal is reported as stuck and given up: the next attempt runs', async (s) => {
      const gate = s.gate();
      const [sink, bus] = await listening(
        s,
        { bus: STUCK_SOON, name: 'stuck-one', timeout, retry: soon(3) },
        hangsOnce(gate),
      );
      const warnings = await s.record(bus, 'system.warning');
      await fill(bus, 'a', 3);
      await s.exactly(4, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 0, 1, 2], [1, 2, 1, 1]]); // prettier-ignore
      const stuck = (): SystemWarning[] =>
        (warnings.payloads as SystemWarning[]).filter(({ cause }) => cause === 'stuck');
      await s.until('a warning', () => stuck().length > 0);
      for (const part of ['stuck-one', sink.events[0]?.context.id ?? '?'])
        assert.ok(stuck()[0]?.message.includes(part), stuck()[0]?.message);
      gate.open();
      await s.exactly(4, sink);
      await s.letters(bus, 0);
      await rested(s, bus);
    }),

    promise('until it is given up nothing of its card begins; other cards go on', async (s) => {
      const [a, b] = await s.buses(2, { cards: { lease: 1_000, stuckAfter: 2_500 } });
      assert.ok(a && b);
      const gate = s.gate();
      const sink = sinkOf(s, (n, context, process) =>
        context.cardId === 'a' ? hangsOnce(gate)(n, context, process) : undefined,
      );
      for (const bus of [a, b]) await sink.on(bus, { timeout, retry: soon(3) });
      await fill(a, 'a', 2);
      await s.atLeast(1, sink);
      await fill(a, 'b', 5);
      await s.harness.advance(1_500);
      assert.deepEqual([sink.payloads('a'), sink.payloads('b')], [[0], numbers(5)]);
      await s.exactly(8, sink);
      assert.deepEqual([sink.payloads('a'), sink.attempts('a')], [[0, 0, 1], [1, 2, 1]]); // prettier-ignore
      gate.open();
    }),

    promise('one that is stuck at every attempt ends in the dead letters, and those behind it follow', async (s) => {
      const gate = s.gate();
      const [sink, bus] = await listening(s, { bus: STUCK_SOON, timeout, retry: soon(2), ends: () => true }, (n) =>
        n === 0 ? gate.opened : undefined,
      );
      await fill(bus, 'a', 3);
      const [letter] = await s.letters(bus, 1);
      assert.equal(letter?.attempts, 2);
      await s.exactly(4, sink);
      assert.deepEqual(sink.payloads('a'), [0, 0, 1, 2]);
      gate.open();
      await s.exactly(4, sink);
      await s.letters(bus, 1);
    }),

    promise('what a run still does after it was given up has no effect', async (s) => {
      const gates = [s.gate(), s.gate()];
      const work: CardWork = (n, { attempt }) =>
        n === 0
          ? gates[attempt - 1]?.opened.then(() => (attempt === 1 ? Promise.reject(new Error('late')) : undefined))
          : undefined;
      const [sink, bus] = await listening(s, { bus: STUCK_SOON, timeout, retry: soon(2), ends: () => true }, work);
      await fill(bus, 'a', 3);
      await s.until('the second attempt', () => sink.events.length >= 2);
      for (const gate of [...gates].reverse()) gate.open();
      await s.exactly(4, sink);
      assert.deepEqual(sink.payloads('a'), [0, 0, 1, 2]);
      await rested(s, bus);
    }),

    promise('the signal of a run that ends in time never aborts', async (s) => {
      const [sink, bus] = await listening(s, { bus: STUCK_SOON, timeout }, () => Promise.resolve());
      await fill(bus, 'a', 20);
      await s.exactly(20, sink);
      for (const { context } of sink.events) assert.equal(context.signal.aborted, false);
      sink.check();
    }),
  ],
};

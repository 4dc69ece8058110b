import assert from 'node:assert/strict';
import type { SystemWarning } from '../../../bus/system-events.js';
import type { EventContext } from '../../../core/context.js';
import { isEventsError, type RemoteHandlerError } from '../../../core/errors.js';
import type { EventHandler } from '../../../core/handler.js';
import type { EventsRecorder } from '../../recorder.js';
import { waitForAbort } from '../../wait-for.js';
import { attempts, numbers, publishNumbers, soon, sorted, type Gate } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
const timeout = 50;
/** A run that goes on is given up soon, or never within a test. */
const STUCK_SOON = { handlers: { stuckAfter: 50 } };
const STUCK_NEVER = { handlers: { stuckAfter: '10m' } };

/** Ends with an error when its signal aborts, as a well-written handler does. */
const heeds: EventHandler = (_, { signal }: EventContext) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('stopped', { cause: signal.reason }));
    });
  });

/** Waits at the door at its first attempt only. */
function hangsOnce(gate: Gate): EventHandler {
  return (_, { attempt }) => (attempt === 1 ? gate.opened : undefined);
}

function stuck(warnings: EventsRecorder): SystemWarning[] {
  return (warnings.payloads as SystemWarning[]).filter(({ cause }) => cause === 'stuck');
}

export const timeouts: ConformanceTopic = {
  name: 'timeouts',
  tests: [
    ...[group, undefined].map((inGroup) =>
      promise(
        `a handler ${inGroup === undefined ? 'without' : 'in'} a group that runs too long: its signal aborts, what it throws is a failed attempt`,
        async (s) => {
          const bus = await s.bus(STUCK_NEVER);
          const recorder = await s.record(bus, 'order.created', {
            ...(inGroup === undefined ? {} : { group: inGroup }),
            ...{ name: 'slow', timeout, retry: soon(2), then: heeds },
          });
          await bus.publish('order.created', 1);
          const [letter] = await s.letters(bus, 1);
          await s.exactly(2, recorder);
          assert.deepEqual(attempts(recorder), [1, 2]);
          for (const { context } of recorder.events)
            assert.ok(isEventsError(await waitForAbort(context.signal), 'HANDLER_TIMEOUT'));
          assert.deepEqual([letter?.reason, letter?.handler, letter?.attempts], ['handler-failed', 'slow', 2]);
          assert.match(letter?.error ?? '', /did not end within 50 ms/);
        },
      ),
    ),

    promise('a late success counts: no retry, no dead letter, no second member', async (s) => {
      const [slow, idle] = await s.buses(2, { ...STUCK_NEVER, reclaimAfter: 1_000 });
      assert.ok(slow && idle);
      const gate = s.gate();
      const options = { group, timeout, retry: soon(3) };
      const late = await s.record(slow, 'order.created', { ...options, then: gate.handler });
      await idle.publish('order.created', 1);
      await s.atLeast(1, late);
      const other = await s.record(idle, 'order.created', options);
      await waitForAbortOf(s, late);
      // Its claim is kept as long as it runs, however long that is.
      await s.harness.advance(2_500);
      assert.equal(other.events.length, 0);
      gate.open();
      await s.harness.advance(1_500);
      await s.exactly(1, late, other);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('a late failure is a failed attempt, with its timeout as the error', async (s) => {
      const bus = await s.bus(STUCK_NEVER);
      const gate = s.gate();
      const then: EventHandler = () => gate.opened.then(() => Promise.reject(new Error('connection lost')));
      const recorder = await s.record(bus, 'order.created', { group, timeout, retry: { attempts: 1 }, then });
      await bus.publish('order.created', 1);
      await s.atLeast(1, recorder);
      await waitForAbortOf(s, recorder);
      assert.deepEqual(await s.harness.deadLetters(), []);
      gate.open();
      const [letter] = await s.letters(bus, 1);
      assert.match(letter?.error ?? '', /did not end within/);
      await s.exactly(1, recorder);
    }),

    ...(['broadcast', 'anycast', 'unicast', 'group'] as const).map((how) =>
      promise(
        `${how}: a handler that ignores its signal is reported as stuck and given up: the next attempt runs`,
        async (s) => {
          const bus = await s.bus(STUCK_SOON);
          const warnings = await s.record(bus, 'system.warning');
          const gate = s.gate();
          const recorder = await s.record(bus, 'order.created', {
            ...(how === 'group' ? { group } : {}),
            ...{ name: 'stuck-one', timeout, retry: soon(3), then: hangsOnce(gate) },
          });
          const mode = how === 'group' ? 'broadcast' : how;
          const { id } = await bus.publish('order.created', 1, { mode, ...(mode === 'unicast' ? { target: bus.instanceId } : {}) }); // prettier-ignore
          await s.exactly(2, recorder);
          assert.deepEqual(attempts(recorder), [1, 2]);
          await s.until('a warning', () => stuck(warnings).length > 0);
          const [warning] = stuck(warnings);
          for (const part of ['stuck-one', 'order.created', id]) assert.ok(warning?.message.includes(part));
          assert.equal(warning?.bus, bus.name);
          gate.open();
          await s.exactly(2, recorder);
          assert.deepEqual(await s.harness.deadLetters(), []);
        },
      ),
    ),

    promise('a handler that is stuck at every attempt ends in the dead letters', async (s) => {
      const bus = await s.bus(STUCK_SOON);
      const gate = s.gate();
      const recorder = await s.record(bus, 'order.created', { group, timeout, retry: soon(2), then: gate.handler });
      await bus.publish('order.created', 1);
      const [letter] = await s.letters(bus, 1);
      assert.equal(letter?.attempts, 2);
      assert.match(letter.error, /did not end within/);
      gate.open();
      await s.exactly(2, recorder);
      await s.letters(bus, 1);
    }),

    promise(
      'until it is given up, a stuck handler keeps its place and its event: no second run beside it',
      async (s) => {
        const [a, b] = await s.buses(2, { handlers: { stuckAfter: 2_500 }, reclaimAfter: 1_000 });
        assert.ok(a && b);
        const gate = s.gate();
        let running = 0;
        let most = 0;
        const then: EventHandler = async (_, { attempt }) => {
          most = Math.max(most, ++running);
          if (attempt === 1) await gate.opened;
          running--;
        };
        const options = { group, timeout, concurrency: 1, retry: soon(3), then };
        const recorders = [await s.record(a, 'order.created', options)];
        await b.publish('order.created', 1);
        await s.atLeast(1, ...recorders);
        recorders.push(await s.record(b, 'order.created', options));
        await s.harness.advance(1_500);
        assert.deepEqual([recorders.flatMap(attempts), most], [[1], 1]);
        await s.atLeast(2, ...recorders);
        await s.exactly(2, ...recorders);
        assert.deepEqual(recorders.flatMap(attempts).sort(), [1, 2]);
        gate.open();
      },
    ),

    promise('what is given up frees its place: the events behind it are handled', async (s) => {
      const bus = await s.bus({ ...STUCK_SOON, concurrency: 1, prefetch: 1 });
      const gate = s.gate();
      const then: EventHandler = (n: number) => (n === 0 ? gate.opened : undefined);
      const recorder = await s.record(bus, 'order.created', { group, timeout, retry: { attempts: 1 }, then });
      await publishNumbers(bus, 'order.created', 5);
      await s.exactly(5, recorder);
      assert.deepEqual(sorted(recorder), numbers(5));
      await s.letters(bus, 1);
    }),

    promise('what a handler still does after it was given up has no effect', async (s) => {
      const bus = await s.bus(STUCK_SOON);
      const gates = [s.gate(), s.gate()];
      const then: EventHandler = (_, { attempt }) =>
        gates[attempt - 1]?.opened.then(() => (attempt === 1 ? Promise.reject(new Error('late')) : undefined));
      const recorder = await s.record(bus, 'order.created', { group, timeout, retry: soon(2), then });
      await bus.publish('order.created', 1);
      await s.atLeast(2, recorder);
      for (const gate of gates.reverse()) gate.open();
      await s.exactly(2, recorder);
      assert.deepEqual(await s.harness.deadLetters(), []);
    }),

    promise('timeout 0 is for ever', async (s) => {
      const bus = await s.bus({ handlers: { timeout: 20, stuckAfter: 20 } });
      const gate = s.gate();
      const recorder = await s.record(bus, 'order.created', { group, timeout: 0, then: gate.handler });
      const warnings = await s.record(bus, 'system.warning');
      await bus.publish('order.created', 1);
      await s.atLeast(1, recorder);
      await s.quiet();
      assert.equal(recorder.last.context.signal.aborted, false);
      gate.open();
      await s.exactly(1, recorder);
      assert.deepEqual(stuck(warnings), []);
    }),

    promise("the bus's `handlers.timeout` holds for handlers that say nothing else", async (s) => {
      const bus = await s.bus({ handlers: { timeout: 50, stuckAfter: '10m' } });
      const options = { group, retry: { attempts: 1 }, then: heeds };
      const recorder = await s.record(bus, 'order.created', options);
      await bus.publish('order.created', 1);
      await s.letters(bus, 1);
      await s.exactly(1, recorder);
    }),

    promise('a handler that ends in time is not disturbed: its signal never aborts', async (s) => {
      const bus = await s.bus(STUCK_SOON);
      const recorder = await s.record(bus, 'order.created', { group, timeout, then: () => Promise.resolve() });
      await publishNumbers(bus, 'order.created', 20);
      await s.exactly(20, recorder);
      for (const { context } of recorder.events) assert.equal(context.signal.aborted, false);
    }),

    promise('a request whose handler runs too long gets that as its error, from here and from elsewhere', async (s) => {
      const [a, b] = await s.buses(2, STUCK_NEVER);
      assert.ok(a && b);
      const asked = await s.record(b, 'slow', { timeout, then: heeds });
      for (const asker of [a, b]) {
        const error = await s.refusal(asker.publishAndWait('slow', 1, { timeout: '10m' }), 'REMOTE_HANDLER');
        assert.match(error.message, /did not end within/);
        assert.equal((error as RemoteHandlerError).remote.code, 'HANDLER_TIMEOUT');
      }
      await s.exactly(2, asked);
    }),

    promise('malformed timeouts are refused', async (s) => {
      const bus = await s.bus();
      for (const bad of [-1, NaN, Infinity, 'soon', '', {}, null]) {
        await s.refusal(
          bus.subscribe('order.created', () => undefined, { timeout: bad as number }),
          'INVALID_OPTION',
        );
        if (bad !== null) await s.refusal(s.bus({ handlers: { stuckAfter: bad as number } }), 'CONFIG');
      }
    }),
  ],
};

async function waitForAbortOf(
  s: { until(what: string, predicate: () => unknown): Promise<unknown> },
  recorder: EventsRecorder,
): Promise<void> {
  // prettier-ignore
  const { signal } = recorder.last.context;
  await s.until('the signal to abort', () => signal.aborted);
}

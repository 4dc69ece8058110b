import assert from 'node:assert/strict';
import type { RemoteHandlerError } from '../../../core/errors.js';
import { promise, type ConformanceTopic } from '../suite.js';

/** So long that it is no test of time: what ends before was ended by something else. */
const timeout = '10m';

export const requestFailures: ConformanceTopic = {
  name: 'requests that fail',
  tests: [
    promise('nobody answers the type: an error at once, not at the timeout', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      await s.refusal(a.publishAndWait('sum', 1, { timeout }), 'NO_HANDLER');
      const subscription = await b.subscribe('sum', () => 1);
      assert.equal(await s.value(a.publishAndWait('sum', 1, { timeout })), 1);
      await subscription.close();
      await s.refusal(a.publishAndWait('sum', 1, { timeout }), 'NO_HANDLER');
    }),

    promise('no answer in time: RequestTimeoutError, here and elsewhere, and a late answer does no harm', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const gate = s.gate();
      const asked = await s.record(b, 'slow', { then: () => gate.opened.then(() => 'late') });
      await s.refusal(a.publishAndWait('slow', 1, { timeout: 200 }), 'REQUEST_TIMEOUT');
      await s.refusal(b.publishAndWait('slow', 1, { timeout: 200 }), 'REQUEST_TIMEOUT');
      gate.open();
      await s.exactly(2, asked);
      assert.equal(await s.value(a.publishAndWait('slow')), 'late');
    }),

    promise('the signal of a handler aborts when its caller, in this process, waits no more', async (s) => {
      const bus = await s.bus();
      const asked = await s.record(bus, 'slow', { then: s.gate().handler });
      const refused = s.refusal(bus.publishAndWait('slow', 1, { timeout: 200 }), 'REQUEST_TIMEOUT');
      await s.atLeast(1, asked);
      const { signal } = asked.last.context;
      await refused;
      assert.equal(signal.aborted, true);
    }),

    promise('an aborted signal: nothing is asked', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const asked = await s.record(b, 'sum', { then: () => 1 });
      const reason = new Error('not any more');
      for (const asker of [a, b]) {
        const error = await s.refusal(asker.publishAndWait('sum', 1, { signal: AbortSignal.abort(reason) }), 'ABORTED');
        assert.equal(error.cause, reason);
      }
      await s.exactly(0, asked);
    }),

    promise('a signal that aborts ends the wait, here and elsewhere', async (s) => {
      const [a, b] = await s.buses(2);
      assert.ok(a && b);
      const asked = await s.record(b, 'slow', { then: s.gate().handler });
      for (const [index, asker] of [a, b].entries()) {
        const controller = new AbortController();
        const refused = s.refusal(asker.publishAndWait('slow', 1, { timeout, signal: controller.signal }), 'ABORTED');
        await s.atLeast(index + 1, asked);
        controller.abort(new Error('enough'));
        assert.equal(((await refused).cause as Error).message, 'enough');
      }
    }),

    promise(
      'the handler throws: RemoteHandlerError with name, message and code; in this process also the cause',
      async (s) => {
        const [a, b] = await s.buses(2);
        assert.ok(a && b);
        const thrown = Object.assign(new RangeError('out of range'), { code: 'E_RANGE' });
        const asked = await s.record(b, 'fails', { then: () => Promise.reject(thrown) });
        const remote = (await s.refusal(a.publishAndWait('fails'), 'REMOTE_HANDLER')) as RemoteHandlerError;
        const local = (await s.refusal(b.publishAndWait('fails'), 'REMOTE_HANDLER')) as RemoteHandlerError;
        for (const error of [remote, local]) {
          assert.deepEqual({ ...error.remote }, { name: 'RangeError', message: 'out of range', code: 'E_RANGE' });
        }
        assert.equal(local.cause, thrown);
        await s.exactly(2, asked);
        assert.deepEqual(await s.harness.deadLetters(), [], 'no retries, no dead letters');
      },
    ),

    ...[undefined, null, 'text', 7, Symbol('s'), { code: 5 }, Object.create(null)].map((thrown: unknown) =>
      promise(
        `the handler throws ${typeof thrown === 'symbol' ? 'a symbol' : describe(thrown)}: RemoteHandlerError all the same`,
        async (s) => {
          const [a, b] = await s.buses(2);
          assert.ok(a && b);
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- handlers are other people's code
          await s.record(b, 'fails', { then: () => Promise.reject(thrown) });
          for (const asker of [a, b]) {
            const error = (await s.refusal(asker.publishAndWait('fails'), 'REMOTE_HANDLER')) as RemoteHandlerError;
            assert.equal(typeof error.remote.message, 'string');
          }
        },
      ),
    ),

    promise('an answer that JSON cannot write, or that is over maxPayload, is an error of the handler', async (s) => {
      const [a, b] = await s.buses(2, { maxPayload: 1_000 });
      assert.ok(a && b);
      await s.record(b, 'fails', { then: (what: string) => (what === 'bigint' ? 1n : 'x'.repeat(2_000)) });
      for (const asker of [a, b]) {
        const bigint = (await s.refusal(
          asker.publishAndWait('fails', 'bigint'),
          'REMOTE_HANDLER',
        )) as RemoteHandlerError;
        assert.equal(bigint.remote.code, 'SERIALIZATION');
        const large = (await s.refusal(asker.publishAndWait('fails', 'large'), 'REMOTE_HANDLER')) as RemoteHandlerError;
        assert.equal(large.remote.code, 'PAYLOAD_TOO_LARGE');
      }
    }),

    promise('the answering process dies: the caller gets an error, at the latest at its timeout', async (s) => {
      const [a, b] = await s.buses(2, { reclaimAfter: 1_000 });
      assert.ok(a && b);
      const asked = await s.record(b, 'slow', { then: s.gate().handler });
      const refused = s.refusal(a.publishAndWait('slow', 1, { timeout: 5_000 }), 'RESPONDER_LOST', 'REQUEST_TIMEOUT');
      await s.atLeast(1, asked);
      await s.harness.crash(b);
      await refused;
    }),

    promise(
      'a handler hangs while its process shuts down: an error for the caller, and nobody else runs the request',
      async (s) => {
        const [asker, hanging, other] = await s.buses(3, { shutdownTimeout: 200 });
        assert.ok(asker && hanging && other);
        const asked = await s.record(hanging, 'slow', { then: s.gate().handler });
        const refused = s.refusal(
          asker.publishAndWait('slow', 1, { timeout: 5_000 }),
          'RESPONDER_LOST',
          'REQUEST_TIMEOUT',
        );
        await s.atLeast(1, asked);
        const elsewhere = await s.record(other, 'slow', { then: () => 'again' });
        await s.value(hanging.close());
        await refused;
        assert.equal(elsewhere.events.length, 0, 'a request that was begun is not begun again');
      },
    ),

    promise('all that answer are full: the request waits for a place', async (s) => {
      const asker = await s.bus();
      const full = await s.bus({ concurrency: 1, prefetch: 1 });
      const gate = s.gate();
      const asked = await s.record(full, 'slow', { then: (n: number) => gate.opened.then(() => n) });
      const first = s.value(asker.publishAndWait('slow', 1, { timeout }));
      await s.atLeast(1, asked);
      const second = s.value(asker.publishAndWait('slow', 2, { timeout }));
      await s.quiet();
      gate.open();
      assert.deepEqual(await Promise.all([first, second]), [1, 2]);
      await s.exactly(2, asked);
    }),

    promise('one that answers is full: another one answers', async (s) => {
      const asker = await s.bus();
      const [full, free] = await s.buses(2, { concurrency: 1, prefetch: 1 });
      assert.ok(full && free);
      const asked = await s.record(full, 'slow', { then: s.gate().handler });
      const pending = asker.publishAndWait('slow', 0, { timeout: 20_000 }).catch(() => undefined);
      await s.atLeast(1, asked);
      await s.record(free, 'slow', { then: (n: number) => n });
      for (const number of [1, 2, 3]) assert.equal(await s.value(asker.publishAndWait('slow', number)), number);
      s.openGates();
      await s.value(pending);
    }),

    promise('a process that shuts down passes requests on, and finishes those that it has begun', async (s) => {
      const [asker, leaving, staying] = await s.buses(3);
      assert.ok(asker && leaving && staying);
      const gate = s.gate();
      const begun = await s.record(leaving, 'slow', { then: () => gate.opened.then(() => 'finished') });
      const first = s.value(asker.publishAndWait('slow', 1, { timeout }));
      await s.atLeast(1, begun);
      await s.record(staying, 'slow', { then: () => 'taken over' });
      const drained = leaving.drain();
      assert.equal(await s.value(asker.publishAndWait('slow', 2)), 'taken over');
      assert.equal(await s.value(asker.publishAndWait('slow', 3)), 'taken over');
      gate.open();
      assert.equal(await first, 'finished');
      await s.value(drained);
      assert.equal(begun.events.length, 1);
    }),

    promise('when the only one that answers has shut down: NoHandlerError', async (s) => {
      const [asker, leaving] = await s.buses(2);
      assert.ok(asker && leaving);
      await s.record(leaving, 'sum', { then: () => 1 });
      assert.equal(await s.value(asker.publishAndWait('sum')), 1);
      await s.value(leaving.drain());
      await s.refusal(asker.publishAndWait('sum', 1, { timeout }), 'NO_HANDLER');
    }),

    promise('a timeout that is none is refused', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'sum', { then: () => 1 });
      for (const bad of [0, -1, NaN, 'soon', Infinity]) {
        await s.refusal(bus.publishAndWait('sum', 1, { timeout: bad }), 'INVALID_OPTION');
      }
    }),
  ],
};

function describe(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown);
  return Object.getPrototypeOf(thrown) === null ? 'an object without a prototype' : 'a plain object';
}

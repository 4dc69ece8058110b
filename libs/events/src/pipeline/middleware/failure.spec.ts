import { describe, expect, it } from '@jest/globals';
import { ACK, RELEASE, type Settlement } from '../../core/delivery.js';
import { EventsError } from '../../core/errors.js';
import { BatchError, HandlerTimeoutError, Reject, RetryLater } from '../../core/handler-errors.js';
import type { RetryPolicy } from '../../core/retry-policy.js';
import { compose, isPromise, settlementOf, type Step } from '../compose.js';
import { jobOf, RETRY, type TestJob } from '../handler.spec-kit.js';
import { invokeStep } from '../invoke.js';
import type { HandlerJob } from '../job.js';
import { Refusal, RELEASED } from '../refusal.js';
import { failedBy, failure } from './failure.js';

const boom = new Error('boom');

function fail(what: unknown): never {
  throw what;
}

/** The two places of it: around the middleware, and within the step of the handler. */
const ways: [string, (handler: () => unknown, policy: RetryPolicy) => Step][] = [
  ['as middleware', (handler, policy) => compose([failure(failedBy(policy))], thrower(handler))],
  ['within the handler’s step', (handler, policy) => invokeStep(handler, undefined, failedBy(policy))],
];

/** A step that lets through what a handler throws. */
function thrower(handler: () => unknown): Step {
  const kept = (job: HandlerJob, value: unknown): Settlement => {
    job.result = value;
    return ACK;
  };
  return (job) => {
    const result = handler();
    return isPromise(result) ? result.then((value) => kept(job, value)) : kept(job, result);
  };
}

describe.each(ways)('failure, %s', (_, stepOf) => {
  const run = (handler: () => unknown, job: TestJob, policy = RETRY): Settlement | Promise<Settlement> =>
    settlementOf(stepOf(handler, policy)(job));
  const after = (failures: number): TestJob => jobOf({ failures, delivery: { attempt: failures + 1 } });

  it('lets success through, without a promise where there is none', () => {
    const job = jobOf();
    expect(stepOf(() => 1, RETRY)(job)).toBe(ACK);
    expect([job.error, job.lines]).toEqual([undefined, []]);
  });

  it('lets the success of a promise through', async () => {
    const job = jobOf();
    expect(await run(() => Promise.resolve(1), job)).toBe(ACK);
    expect([job.result, job.error]).toEqual([1, undefined]);
  });

  it('asks for another attempt while there are some, after the wait of the policy', async () => {
    expect(await run(() => fail(boom), after(0))).toEqual({ kind: 'retry', delay: 1_000, counted: true, error: boom });
    expect(await run(() => Promise.reject(boom), after(1))).toEqual({
      kind: 'retry',
      delay: 2_000,
      counted: true,
      error: boom,
    });
  });

  it('makes a dead letter of the last one', async () => {
    for (const handler of [() => fail(boom), () => Promise.reject(boom)])
      expect(await run(handler, after(2))).toEqual({ kind: 'dead-letter', reason: 'handler-failed', error: boom });
  });

  it('makes a dead letter of the first one where the policy has one attempt', async () => {
    expect(await run(() => fail(boom), after(0), { ...RETRY, attempts: 1 })).toMatchObject({ kind: 'dead-letter' });
  });

  it('counts failures, not crashes', async () => {
    const job = jobOf({ failures: 1, delivery: { attempt: 7, failures: 1, crashes: 5 } });
    expect(await run(() => fail(boom), job)).toMatchObject({ kind: 'retry', delay: 2_000 });
  });

  it('says in one line whose and of what, and what becomes of it', async () => {
    const event = { type: 'order.created', id: 'id-1' };
    for (const handler of [() => fail(boom), () => Promise.reject(boom)]) {
      const job = jobOf({ event, delivery: { attempt: 2 }, failures: 1 });
      await run(handler, job);
      expect(job.error).toBe(boom);
      expect(job.lines).toHaveLength(1);
      for (const part of ['Orders.on', 'order.created', 'id-1', 'attempt 2', 'boom', '2000 ms', 'failure 2 of 3'])
        expect(job.lines[0]).toContain(part);
      const last = jobOf({ event, failures: 2 });
      await run(handler, last);
      expect(last.lines).toEqual([expect.stringContaining('it goes to the dead letters (handler-failed)')]);
    }
  });

  it('waits as long as the handler asks, whatever the policy says, and counts it', async () => {
    const later = new RetryLater('1h', { cause: boom });
    expect(await run(() => fail(later), after(1))).toEqual({
      kind: 'retry',
      delay: 3_600_000,
      counted: true,
      error: later,
    });
    expect(await run(() => fail(new RetryLater(0)), after(0))).toMatchObject({ kind: 'retry', delay: 0 });
    expect(await run(() => fail(later), after(2))).toMatchObject({ kind: 'dead-letter', reason: 'handler-failed' });
  });

  it('makes a dead letter at once of what the handler rejects', async () => {
    const reject = new Reject('no such customer', { cause: boom });
    for (const handler of [() => fail(reject), () => Promise.reject(reject)]) {
      const job = after(0);
      expect(await run(handler, job)).toEqual({ kind: 'dead-letter', reason: 'rejected', error: reject });
      expect(job.lines).toEqual([expect.stringContaining('no such customer')]);
    }
  });

  it('knows what is asked for by an error of another copy of the package', async () => {
    class OtherLater extends EventsError {
      readonly delay = 7;
      constructor() {
        super('RETRY_LATER', 'later');
      }
    }
    class Other extends EventsError {
      constructor() {
        super('REJECT', 'no');
      }
    }
    expect(await run(() => fail(new OtherLater()), after(0))).toMatchObject({ kind: 'retry', delay: 7 });
    expect(await run(() => fail(new Other()), after(0))).toMatchObject({ reason: 'rejected' });
  });

  it('does not take for that what only looks like it', async () => {
    const alike = { code: 'REJECT', name: 'Reject', delay: 7 };
    expect(await run(() => fail(alike), after(0))).toMatchObject({ kind: 'retry', delay: 1_000 });
    expect(await run(() => fail(new EventsError('RETRY_LATER', 'later')), after(0))).toMatchObject({ delay: 1_000 });
  });

  it('treats the other errors of the library like any other', async () => {
    for (const error of [new BatchError([1]), new HandlerTimeoutError('h', 5)])
      expect(await run(() => fail(error), after(0))).toMatchObject({ kind: 'retry', error });
  });

  it('makes a dead letter at once, with its reason, of what a middleware refuses', async () => {
    for (const reason of ['invalid', 'unsupported-version'] as const) {
      const job = after(0);
      const refusal = new Refusal(reason, boom);
      expect(await run(() => fail(refusal), job)).toEqual({ kind: 'dead-letter', reason, error: boom });
      expect(job.error).toBe(boom);
      expect(job.lines).toEqual([expect.stringContaining(`(${reason})`)]);
    }
  });

  it('gives back, without a word, what the handler will not handle after all', async () => {
    for (const handler of [() => fail(RELEASED), async () => fail(RELEASED)]) {
      const job = after(2);
      expect(await run(handler, job)).toBe(RELEASE);
      expect([job.error, job.lines]).toEqual([undefined, []]);
    }
  });

  it('never asks for another attempt at a request: its caller gets the error', async () => {
    for (const thrown of [boom, new RetryLater('1s'), new Reject('no')]) {
      const job = jobOf({ event: { mode: 'request' } });
      expect(await run(() => fail(thrown), job)).toMatchObject({ kind: 'dead-letter' });
      expect(job.error).toBe(thrown);
      expect(job.lines[0]).not.toMatch(/dead letters|; again/);
    }
  });

  it('does not promise a dead letter where nobody keeps the event', () => {
    const job = jobOf({ ephemeral: true, failures: 2 });
    void run(() => fail(boom), job);
    expect(job.lines).toEqual([expect.stringContaining('boom')]);
    expect(job.lines[0]).not.toContain('dead letters');
  });

  const unreadable = Object.defineProperty(new Error('x'), 'message', { get: () => fail(new Error('no')) });
  const odd: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['false', false],
    ['text', 'text'],
    ['a symbol', Symbol('s')],
    ['a bigint', 1n],
    ['an object without a prototype', Object.create(null)],
    ['a frozen object', Object.freeze({})],
    ['an error whose message is an object', Object.assign(new Error('x'), { message: {} })],
    ['an error whose message cannot be read', unreadable],
    ['an error without a stack', Object.assign(new Error('x'), { stack: undefined })],
  ];
  it.each(odd)('never fails itself: %s', async (_name, thrown) => {
    const job = jobOf({ failures: 2 });
    expect(await run(() => fail(thrown), job)).toMatchObject({ kind: 'dead-letter' });
    expect(await run(() => Promise.reject(thrown as Error), job)).toMatchObject({ kind: 'dead-letter' });
    expect(await run(() => fail(thrown), jobOf())).toMatchObject({ kind: 'retry' });
    expect(job.error).toBeDefined();
    expect(job.lines).toHaveLength(2);
  });
});

describe('failure as middleware', () => {
  it('takes what the middleware within throws too', async () => {
    const around = (what: Step): Step => compose([failure(failedBy(RETRY)), what], () => ACK);
    expect(await around(() => fail(boom))(jobOf())).toMatchObject({ kind: 'retry', error: boom });
    expect(await around(() => Promise.reject(boom))(jobOf())).toMatchObject({ kind: 'retry', error: boom });
  });

  it('leaves alone what the middleware within decides', () => {
    const settlement: Settlement = { kind: 'retry', delay: 5, counted: false, error: undefined };
    const job = jobOf();
    expect(compose([failure(failedBy(RETRY)), () => settlement], () => ACK)(job)).toBe(settlement);
    expect(job.lines).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { ACK, RELEASE, type Settlement } from '../core/delivery.js';
import { isEventsError } from '../core/errors.js';
import { Reject } from '../core/handler-errors.js';
import { TestClock, turns } from '../testing/clock.js';
import { settlementOf, type Handling, type Outcome } from './compose.js';
import { jobOf, type TestJob } from './handler.spec-kit.js';
import { invokeStep } from './invoke.js';
import type { Failed } from './middleware/failure.js';
import { Watchdog } from './watchdog.js';

const boom = new Error('boom');

const asIs: Failed = (_, error) => ({ kind: 'dead-letter', reason: 'handler-failed', error });

function fail(error: unknown): never {
  throw error;
}

/** What a handler may return that ends later. */
const LATER: [string, (value: unknown, error?: Error) => PromiseLike<unknown>][] = [
  ['a promise', (value, error) => (error === undefined ? Promise.resolve(value) : Promise.reject(error))],
  [
    'somebody else’s thenable',
    (value, error) =>
      ({
        then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
          if (error === undefined) resolve(value);
          else reject(error);
        },
      }) as PromiseLike<unknown>,
  ],
];

function watchdogOf(clock: TestClock, stuck: TestJob[] = []): Watchdog {
  return new Watchdog({ clock, timeout: 100, stuckAfter: 1_000, stuck: (job) => stuck.push(job as TestJob) });
}

describe('invokeStep', () => {
  it('stays synchronous where the handler is, keeps what it returns, and watches nothing', () => {
    const clock = new TestClock();
    for (const watchdog of [undefined, watchdogOf(clock)]) {
      const job = jobOf();
      expect(invokeStep(() => 7, watchdog, asIs)(job)).toBe(ACK);
      expect(job.result).toBe(7);
    }
    expect(clock.pending()).toBe(0);
  });

  it.each(LATER)('waits for %s, and keeps its value', async (_, later) => {
    for (const watchdog of [undefined, watchdogOf(new TestClock())]) {
      const job = jobOf();
      const outcome = invokeStep(() => later(7), watchdog, asIs)(job);
      expect(outcome).toMatchObject({ kind: 'handling' });
      expect(await settlementOf(outcome)).toBe(ACK);
      expect(job.result).toBe(7);
    }
  });

  it.each(LATER)('has failures taken, thrown and of %s', async (_, later) => {
    for (const watchdog of [undefined, watchdogOf(new TestClock())]) {
      for (const handler of [() => fail(boom), () => later(undefined, boom)]) {
        const taken: unknown[] = [];
        const failed: Failed = (...given) => (taken.push(...given), RELEASE);
        const job = jobOf();
        expect(await settlementOf(invokeStep(handler, watchdog, failed)(job))).toBe(RELEASE);
        expect(taken).toEqual([job, boom]);
      }
    }
  });

  it('gives payload and context', () => {
    const job = jobOf({ event: { text: '{"n":1}' } });
    let given: unknown[] = [];
    void invokeStep((...all) => (given = all), undefined, asIs)(job);
    expect(given).toEqual([{ n: 1 }, job.context]);
  });

  it('gives what a middleware made of the payload', () => {
    const job = jobOf({ event: { text: '{"n":1}' } });
    const better = new Date(0);
    job.payload = better;
    let given: unknown;
    void invokeStep((payload) => (given = payload), undefined, asIs)(job);
    expect(given).toBe(better);
  });
});

interface Running {
  readonly clock: TestClock;
  readonly job: TestJob;
  readonly stuck: TestJob[];
  /** As its job was told, in order; with `scoped`, what ran as part of the handler's run. */
  readonly told: ('scoped' | Settlement)[];
  readonly end: (value: unknown) => void;
  readonly fail: (error: unknown) => void;
}

/** A handler that goes on, with a timeout of 100 ms, and given up 1,000 ms later. */
function running(): Running {
  const clock = new TestClock();
  const stuck: TestJob[] = [];
  const told: Running['told'] = [];
  const job = jobOf();
  let [end, reject]: ((value: unknown) => void)[] = [];
  const promise = new Promise((...both) => ([end, reject] = both));
  const outcome = invokeStep(() => promise, watchdogOf(clock, stuck), asIs)(job) as Outcome as Handling;
  outcome.await({
    settled: (settlement) => told.push(settlement),
    scoped: (run) => (told.push('scoped'), run()),
  });
  return { clock, job, stuck, told, end: end!, fail: reject! };
}

/** The code of the error that a run failed with, and what is underneath. */
function failureOf(told: Running['told']): unknown {
  const last = told.at(-1);
  if (typeof last !== 'object' || last.kind !== 'dead-letter') return last;
  return isEventsError(last.error) ? [last.error.code, last.error.cause] : last.error;
}

describe('a handler that goes on', () => {
  it('tells its success, which runs nothing more of it', async () => {
    const { told, end, job, clock } = running();
    end(7);
    await turns();
    expect([told, job.result]).toEqual([[ACK], 7]);
    await clock.advance(10_000);
    expect([told, job.aborted]).toEqual([[ACK], []]);
  });

  it('tells its failure, which is taken as part of its run', async () => {
    const { told, fail: end } = running();
    end(boom);
    await turns();
    expect(told).toEqual(['scoped', expect.objectContaining({ error: boom })]);
  });

  it('is waited for after its timeout: a late success counts', async () => {
    const { clock, job, told, end, stuck } = running();
    await clock.advance(1_099);
    expect([job.aborted.length, told]).toEqual([1, []]);
    end(7);
    await clock.advance(5_000);
    expect([told, job.result, stuck]).toEqual([[ACK], 7, []]);
  });

  it('that fails after its timeout has timed out, unless it says what it wants', async () => {
    const late = running();
    const refusing = running();
    const no = new Reject('no');
    for (const { clock } of [late, refusing]) await clock.advance(100);
    late.fail(boom);
    refusing.fail(no);
    await turns();
    expect(failureOf(late.told)).toEqual(['HANDLER_TIMEOUT', boom]);
    expect(failureOf(refusing.told)).toEqual(['REJECT', undefined]);
    expect([late.stuck, refusing.stuck]).toEqual([[], []]);
  });

  it.each(['end', 'fail'] as const)('is given up once, and reported; that it does %s later is ignored', async (how) => {
    const { clock, job, told, stuck, ...run } = running();
    await clock.advance(1_099);
    expect([told, stuck]).toEqual([[], []]);
    await clock.advance(1);
    expect([failureOf(told), told.length, stuck]).toEqual([['HANDLER_TIMEOUT', undefined], 2, [job]]);
    run[how](boom);
    await clock.advance(10_000);
    expect([told.length, stuck.length, job.result, job.aborted.length]).toEqual([2, 1, undefined, 1]);
    expect(clock.pending()).toBe(0);
  });
});

import { describe, expect, it } from '@jest/globals';
import { isEventsError } from '../core/errors.js';
import { TestClock, turns } from '../testing/clock.js';
import type { Outcome } from '../testing/wait-for.js';
import { jobOf, type TestJob } from './handler.spec-kit.js';
import type { HandlerJob } from './job.js';
import { Watchdog } from './watchdog.js';

interface Watched {
  readonly clock: TestClock;
  readonly stuck: HandlerJob[];
  /** A run that begins now. */
  run(...jobs: TestJob[]): Run;
}

interface Run {
  /** Absent while it goes on. */
  outcome: Outcome<unknown> | undefined;
  readonly end: (value: unknown) => void;
  readonly fail: (error: unknown) => void;
}

function watchdogOf(timeout: number, stuckAfter: number): Watched {
  const clock = new TestClock();
  const stuck: HandlerJob[] = [];
  const watchdog = new Watchdog({ clock, timeout, stuckAfter, stuck: (job) => stuck.push(job) });
  return {
    clock,
    stuck,
    run(...jobs) {
      let [end, fail]: ((value: unknown) => void)[] = [];
      const promise = new Promise((resolve, reject) => ([end, fail] = [resolve, reject]));
      const run: Run = { outcome: undefined, end: end!, fail: fail! };
      watchdog.watch(jobs, promise).then(
        (value) => (run.outcome = { status: 'fulfilled', value }),
        (reason: unknown) => (run.outcome = { status: 'rejected', reason }),
      );
      return run;
    },
  };
}

/** The code of the error that a run ended with, and what is underneath. */
function failureOf({ outcome }: Run): unknown {
  if (outcome?.status !== 'rejected') return outcome?.status;
  return isEventsError(outcome.reason) ? [outcome.reason.code, outcome.reason.cause] : outcome.reason;
}

describe('Watchdog', () => {
  it('lets through what ends in time', async () => {
    const { clock, run } = watchdogOf(100, 100);
    const boom = new Error('boom');
    const [job, other] = [jobOf(), jobOf()];
    const [good, bad] = [run(job), run(other)];
    await clock.advance(99);
    good.end(7);
    bad.fail(boom);
    await turns();
    expect(good.outcome).toEqual({ status: 'fulfilled', value: 7 });
    expect(bad.outcome).toEqual({ status: 'rejected', reason: boom });
    await clock.advance(1_000);
    expect([job.aborted, other.aborted]).toEqual([[], []]);
  });

  it('aborts the signal of the run that takes too long, once and of no other', async () => {
    const { clock, run } = watchdogOf(100, 1_000);
    const [long, young] = [jobOf(), jobOf()];
    run(long);
    await clock.advance(50);
    run(young);
    await clock.advance(49);
    expect(long.aborted).toEqual([]);
    await clock.advance(1);
    expect([long.aborted, young.aborted.length]).toEqual([
      [expect.objectContaining({ code: 'HANDLER_TIMEOUT', message: expect.stringContaining('Orders.on') })],
      0,
    ]);
    expect(long.aborted[0]?.message).toContain('100 ms');
    expect(long.controller.signal.reason).toBe(long.aborted[0]);
    await clock.advance(50);
    expect([long.aborted.length, young.aborted.length]).toEqual([1, 1]);
  });

  it('waits on for a run after its timeout: a late success counts', async () => {
    const { clock, run, stuck } = watchdogOf(100, 1_000);
    const late = run(jobOf());
    await clock.advance(1_099);
    expect(late.outcome).toBeUndefined();
    late.end(7);
    await turns();
    expect(late.outcome).toEqual({ status: 'fulfilled', value: 7 });
    await clock.advance(1_000);
    expect(stuck).toEqual([]);
  });

  it('makes a timeout of a late failure, with the failure underneath', async () => {
    const { clock, run, stuck } = watchdogOf(100, 1_000);
    const boom = new Error('boom');
    const late = run(jobOf());
    await clock.advance(500);
    late.fail(boom);
    await turns();
    expect(failureOf(late)).toEqual(['HANDLER_TIMEOUT', boom]);
    await clock.advance(1_000);
    expect(stuck).toEqual([]);
  });

  it('gives up what goes on, reports it once, and does not care how it ends', async () => {
    const { clock, run, stuck } = watchdogOf(100, 1_000);
    const job = jobOf();
    const hung = run(job);
    await clock.advance(1_099);
    expect([hung.outcome, stuck]).toEqual([undefined, []]);
    await clock.advance(1);
    await turns();
    expect([failureOf(hung), stuck]).toEqual([['HANDLER_TIMEOUT', undefined], [job]]);
    hung.fail(new Error('at last'));
    await clock.advance(10_000);
    expect([stuck, job.aborted.length]).toEqual([[job], 1]);
  });

  it('does not wait at all after the timeout with stuckAfter 0', async () => {
    const { clock, run, stuck } = watchdogOf(100, 0);
    const job = jobOf();
    const hung = run(job);
    await clock.advance(100);
    await turns();
    expect([failureOf(hung), job.aborted.length, stuck]).toEqual([['HANDLER_TIMEOUT', undefined], 1, [job]]);
    expect(clock.pending()).toBe(0);
  });

  it('treats the events of a batch as one run', async () => {
    const { clock, run, stuck } = watchdogOf(100, 100);
    const jobs = [jobOf(), jobOf(), jobOf()];
    const batch = run(...jobs);
    await clock.advance(200);
    await turns();
    expect(failureOf(batch)).toEqual(['HANDLER_TIMEOUT', undefined]);
    expect([stuck, jobs.map(({ aborted }) => aborted.length)]).toEqual([jobs, [1, 1, 1]]);
    expect(new Set(jobs.map(({ aborted }) => aborted[0])).size).toBe(1);
  });

  it('gives each run its own time, also while another is waited for beyond its own', async () => {
    const { clock, run } = watchdogOf(100, 10_000);
    const [slow, next] = [jobOf(), jobOf()];
    run(slow);
    await clock.advance(150);
    run(next);
    await clock.advance(99);
    expect([slow.aborted.length, next.aborted.length]).toEqual([1, 0]);
    await clock.advance(1);
    expect([slow.aborted.length, next.aborted.length]).toEqual([1, 1]);
  });

  it('has one timer for many runs, none when it has seen that nothing runs', async () => {
    const { clock, run } = watchdogOf(100, 100);
    expect(clock.pending()).toBe(0);
    const runs = Array.from({ length: 50 }, () => run(jobOf()));
    expect(clock.pending()).toBe(1);
    await clock.advance(50);
    runs.push(run(jobOf()));
    expect(clock.pending()).toBe(1);
    for (const each of runs) each.end(0);
    await clock.advance(100);
    expect(clock.pending()).toBe(0);
    const again = jobOf();
    run(again);
    await clock.advance(100);
    expect(again.aborted).toHaveLength(1);
  });

  it('watches the youngest when the oldest have ended', async () => {
    const { clock, run } = watchdogOf(100, 100);
    const old = run(jobOf());
    await clock.advance(80);
    const young = jobOf();
    run(young);
    old.end(0);
    await clock.advance(99);
    expect(young.aborted).toEqual([]);
    await clock.advance(1);
    expect(young.aborted).toHaveLength(1);
  });
});

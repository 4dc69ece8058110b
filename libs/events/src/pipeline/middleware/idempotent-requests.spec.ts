import { describe, expect, it } from '@jest/globals';
import { ACK } from '../../core/delivery.js';
import { isEventsError } from '../../core/errors.js';
import { IdempotencyTable } from '../../drivers/memory/idempotency-table.js';
import { TestClock, turns } from '../../testing/clock.js';
import { Backend, gate, jobOf, twoOn, type Process, type ProcessOptions } from './idempotency.spec-kit.js';

function stage(options?: ProcessOptions): { backend: Backend; a: Process; b: Process } {
  const backend = new Backend(new TestClock(), new IdempotencyTable());
  return { backend, ...twoOn(backend, options) };
}

describe('a repeated request', () => {
  const mode = 'request';
  const key = (): string => 'k';

  it('gets the same reply, from any process', async () => {
    const replies = [undefined, null, 0, '', 'text', { deep: [1, { two: 2 }] }];
    for (const reply of replies) {
      const { a, b } = stage({ key });
      a.handler = () => reply;
      const jobs = [jobOf({ mode }), jobOf({ mode }), jobOf({ mode })] as const;
      await a.run(jobs[0]);
      expect(await a.run(jobs[1])).toBe(ACK);
      expect(await b.run(jobs[2])).toBe(ACK);
      expect(jobs.map(({ result }) => result)).toEqual([reply, reply, reply]);
      expect(a.runs + b.runs).toBe(1);
    }
  });

  it('is an error, and not a second run, where the reply was not kept', async () => {
    const unkept: ((processes: { a: Process; b: Process }) => Promise<unknown>)[] = [
      ({ a }) => ((a.handler = () => 'x'.repeat(65_536)), a.run(jobOf({ mode }))),
      ({ a }) => ((a.handler = () => 5n), a.run(jobOf({ mode }))),
      ({ a }) => a.run(jobOf({ mode: 'anycast' })),
    ];
    for (const first of unkept) {
      const { a, b } = stage({ key });
      expect(await first({ a, b })).toBe(ACK);
      const failed = await b.run(jobOf({ mode })).catch((error: unknown) => error);
      expect(isEventsError(failed, 'UNSUPPORTED')).toBe(true);
      expect((failed as Error).message).toContain('reply was not kept');
      expect(b.runs).toBe(0);
    }
  });

  it('keeps a reply of up to 64 KiB', async () => {
    const { a, b } = stage({ key });
    a.handler = () => 'x'.repeat(65_534);
    await a.run(jobOf({ mode }));
    const again = jobOf({ mode });
    await b.run(again);
    expect(again.result).toHaveLength(65_534);
  });

  it('waits for the run that is under way, and then has its reply', async () => {
    for (const here of [true, false]) {
      const { backend, a, b } = stage({ key });
      const door = gate();
      a.handler = () => door.opened.then(() => 'reply');
      const first = a.run(jobOf({ mode }));
      await turns();
      const job = jobOf({ mode, remaining: 60_000 });
      const second = (here ? a : b).run(job);
      await backend.clock.advance(5_000);
      const looks = backend.calls.filter((call) => call === 'claim').length;
      // Elsewhere it asks the store: after 50, 100, 200, 400 ms, then every 500. Here it knows without.
      expect(looks).toBe(here ? 1 : 14);
      door.open();
      await first;
      await backend.clock.advance(500);
      expect(await second).toBe(ACK);
      expect([job.result, a.runs + b.runs]).toEqual(['reply', 1]);
      expect(await backend.beating()).toBe(false);
    }
  });

  it('runs itself when the run that it waited for has failed', async () => {
    const { backend, a, b } = stage({ key });
    const door = gate();
    a.handler = () => door.opened.then(() => Promise.reject(new Error('boom')));
    b.handler = () => 'mine';
    const first = a.run(jobOf({ mode })).catch(() => 'failed');
    await turns();
    const job = jobOf({ mode });
    const second = b.run(job);
    door.open();
    expect(await first).toBe('failed');
    await backend.clock.advance(500);
    expect(await second).toBe(ACK);
    expect(job.result).toBe('mine');
  });

  it('waits for as long as its caller does', async () => {
    const { backend, a, b } = stage({ key });
    const door = gate();
    a.handler = () => door.opened;
    const first = a.run(jobOf({ mode }));
    await turns();
    const late = b.run(jobOf({ mode, remaining: 700 })).catch((error: unknown) => error);
    const job = jobOf({ mode });
    const aborted = b.run(job).catch((error: unknown) => error);
    await backend.clock.advance(700);
    expect(isEventsError(await late, 'REQUEST_TIMEOUT')).toBe(true);
    job.abort(new Error('gone'));
    const error = (await aborted) as Error;
    expect(isEventsError(error, 'ABORTED')).toBe(true);
    expect(error.cause).toEqual(new Error('gone'));
    door.open();
    await first;
    expect([b.runs, await backend.beating()]).toEqual([0, false]);
  });
});

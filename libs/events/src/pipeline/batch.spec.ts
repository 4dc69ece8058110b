import { describe, expect, it } from '@jest/globals';
import type { EventContext } from '../core/context.js';
import { ACK, type Settlement } from '../core/delivery.js';
import { isEventsError } from '../core/errors.js';
import { BatchError } from '../core/handler-errors.js';
import { createScopeStorage, type Scope } from '../core/scope.js';
import { TestClock, turns } from '../testing/clock.js';
import type { Outcome } from '../testing/wait-for.js';
import { Batcher, type BatchOptions } from './batch.js';
import { jobOf, type TestJob } from './handler.spec-kit.js';
import { Watchdog } from './watchdog.js';

/** A call of the handler that goes on until the test ends it. */
interface Call {
  readonly payloads: readonly unknown[];
  readonly contexts: readonly EventContext[];
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

class Fixture {
  readonly clock = new TestClock();
  readonly calls: Call[] = [];
  /** What became of each event, by number. */
  readonly outcomes = new Map<number, Outcome<Settlement>>();
  readonly batcher: Batcher;

  constructor(options: Partial<BatchOptions> = {}) {
    const { clock } = this;
    const invoke = (payloads: readonly unknown[], contexts: readonly EventContext[]): Promise<void> =>
      new Promise((resolve, reject) => {
        this.calls.push({
          payloads,
          contexts,
          end: () => {
            resolve();
          },
          fail: reject,
        });
      });
    this.batcher = new Batcher({
      clock,
      size: 3,
      maxWait: 100,
      concurrency: 1,
      watchdog: undefined,
      invoke,
      ...options,
    });
  }

  /** Payloads by call. */
  get batches(): (readonly unknown[])[] {
    return this.calls.map(({ payloads }) => payloads);
  }

  enter(...numbers: number[]): TestJob[] {
    return numbers.map((number) => {
      const job = jobOf({ event: { id: String(number), text: String(number) } });
      this.batcher.step(job).then(
        (value) => this.outcomes.set(number, { status: 'fulfilled', value }),
        (reason: unknown) => this.outcomes.set(number, { status: 'rejected', reason }),
      );
      return job;
    });
  }

  /** `ack`, the error, or nothing while it goes on. */
  outcome(number: number): unknown {
    const outcome = this.outcomes.get(number);
    if (outcome?.status !== 'fulfilled') return outcome?.reason;
    return outcome.value === ACK ? 'ack' : outcome.value;
  }
}

describe('a batch', () => {
  it('begins when there are enough, whatever time it is', () => {
    const all = new Fixture();
    all.enter(1, 2);
    expect(all.batches).toEqual([]);
    all.enter(3);
    expect([all.batches, all.clock.pending()]).toEqual([[[1, 2, 3]], 0]);
  });

  it('begins with less when the first has waited long enough', async () => {
    const all = new Fixture();
    all.enter(1);
    await all.clock.advance(60);
    all.enter(2);
    await all.clock.advance(39);
    expect(all.batches).toEqual([]);
    await all.clock.advance(1);
    expect([all.batches, all.clock.pending()]).toEqual([[[1, 2]], 0]);
  });

  it('does not wait with maxWait 0 for more than what comes in the same turn', async () => {
    const all = new Fixture({ maxWait: 0 });
    all.enter(1, 2);
    await all.clock.advance(0);
    expect(all.batches).toEqual([[1, 2]]);
  });

  it('of one is the event alone, at once', () => {
    const all = new Fixture({ size: 1, concurrency: 2 });
    all.enter(1, 2);
    expect(all.batches).toEqual([[1], [2]]);
  });

  it('waits for the first of what is left, from when that came', async () => {
    const all = new Fixture();
    all.enter(1, 2, 3);
    await all.clock.advance(10);
    all.enter(4);
    all.calls[0]?.end();
    await all.clock.advance(99);
    expect(all.batches).toHaveLength(1);
    await all.clock.advance(1);
    expect(all.batches.at(-1)).toEqual([4]);
  });

  it('lets nothing wait longer because others have gone before it', async () => {
    const all = new Fixture({ size: 2 });
    all.enter(1, 2);
    await all.clock.advance(10);
    all.enter(3, 4, 5);
    await all.clock.advance(40);
    all.calls[0]?.end();
    await turns();
    expect(all.batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    await all.clock.advance(70);
    // At 120: the fifth came at 10.
    all.calls[1]?.end();
    await turns();
    expect(all.batches.at(-1)).toEqual([5]);
  });

  it('has at most as many beside it as may be, and takes what came meanwhile', async () => {
    const all = new Fixture({ size: 2, concurrency: 2 });
    all.enter(1, 2, 3, 4, 5, 6, 7);
    expect(all.batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    all.calls[1]?.end();
    await turns();
    expect(all.batches.slice(2)).toEqual([[5, 6]]);
    all.calls[0]?.end();
    await turns();
    expect(all.batches).toHaveLength(3);
    await all.clock.advance(100);
    expect(all.batches.slice(3)).toEqual([[7]]);
  });

  it('begins at once, when its time has passed and a place gets free', async () => {
    const all = new Fixture({ size: 2 });
    all.enter(1, 2);
    all.enter(3);
    await all.clock.advance(500);
    expect(all.batches).toHaveLength(1);
    all.calls[0]?.end();
    await turns();
    expect([all.batches.slice(1), all.clock.pending()]).toEqual([[[3]], 0]);
  });

  it('gives payloads as the middleware made them, and contexts, in order', () => {
    const all = new Fixture({ size: 2 });
    const jobs = [jobOf({ event: { id: '1' } }), jobOf({ event: { id: '2' } })];
    for (const job of jobs) {
      job.payload = `better ${job.event.id}`;
      void all.batcher.step(job);
    }
    expect(all.calls[0]?.payloads).toEqual(['better 1', 'better 2']);
    expect(all.calls[0]?.contexts).toEqual(jobs.map(({ context }) => context));
  });

  it('is done for each of its events when the handler is', async () => {
    const all = new Fixture();
    all.enter(1, 2, 3);
    await turns();
    expect(all.outcomes.size).toBe(0);
    all.calls[0]?.end();
    await turns();
    expect([1, 2, 3].map((number) => all.outcome(number))).toEqual(['ack', 'ack', 'ack']);
  });

  it('takes handlers that are not asynchronous', async () => {
    const boom = new Error('boom');
    const all = new Fixture({
      invoke: (payloads) => {
        if (payloads.includes(2)) throw boom;
        return undefined;
      },
      size: 1,
    });
    all.enter(1, 2, 3);
    await turns();
    expect([1, 2, 3].map((number) => all.outcome(number))).toEqual(['ack', boom, 'ack']);
  });

  it('runs in the scope of its first event', async () => {
    const storage = createScopeStorage();
    const seen: (Scope | undefined)[] = [];
    const invoke = async (): Promise<void> => {
      seen.push(storage.getStore());
      await turns();
      seen.push(storage.getStore());
    };
    const all = new Fixture({ invoke, size: 2 });
    const scopes = [1, 2].map((number) => ({ event: { id: String(number) } }) as Scope);
    for (const scope of scopes) storage.run(scope, () => all.enter(Number(scope.event.id)));
    await turns(10);
    expect(seen).toEqual([scopes[0], scopes[0]]);
  });

  it('runs in the scope of its first event also when a timer or another batch begins it', async () => {
    const storage = createScopeStorage();
    const seen: unknown[] = [];
    const all = new Fixture({ invoke: () => seen.push(storage.getStore()?.event.id), size: 2 });
    const enter = (id: string): void => {
      storage.run({ event: { id } } as Scope, () => all.enter(Number(id)));
    };
    for (const id of ['1', '2', '3', '4', '5']) enter(id);
    await all.clock.advance(100);
    expect(seen).toEqual(['1', '3', '5']);
  });
});

describe('a batch that fails', () => {
  const boom = new Error('boom');
  /** What becomes of three events when the handler fails with this. */
  async function outcomesOf(error: unknown): Promise<unknown[]> {
    const all = new Fixture();
    all.enter(1, 2, 3);
    all.calls[0]?.fail(error);
    await turns();
    return [1, 2, 3].map((number) => all.outcome(number));
  }

  it('fails for all its events', async () => {
    expect(await outcomesOf(boom)).toEqual([boom, boom, boom]);
  });

  it('fails for those alone that a BatchError names', async () => {
    const error = new BatchError([0, 2]);
    expect(await outcomesOf(error)).toEqual([error, 'ack', error]);
    expect(await outcomesOf(new BatchError([1], { cause: boom }))).toEqual(['ack', boom, 'ack']);
    expect(await outcomesOf(new BatchError([0, 1, 2], { cause: boom }))).toEqual([boom, boom, boom]);
  });

  it.each([[[3]], [[0, 7]], [[1, Number.MAX_SAFE_INTEGER]]])(
    'fails for all when a BatchError names %j, of which it has not all: nothing is lost',
    async (indexes) => {
      const outcomes = await outcomesOf(new BatchError(indexes));
      for (const outcome of outcomes) expect(isEventsError(outcome, 'INVALID_OPTION')).toBe(true);
      expect(String(outcomes[0])).toContain('0 to 2');
    },
  );

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'text'],
    ['what only looks like a BatchError', { code: 'BATCH', indexes: [1] }],
    ['a BatchError without indexes', Object.assign(new BatchError([1]), { indexes: undefined })],
  ])('fails for all with %s', async (_, thrown) => {
    const all = new Fixture();
    all.enter(1, 2, 3);
    all.calls[0]?.fail(thrown);
    await turns();
    for (const number of [1, 2, 3]) expect(all.outcomes.get(number)).toEqual({ status: 'rejected', reason: thrown });
  });

  it('leaves its place to the next', async () => {
    const all = new Fixture();
    all.enter(1, 2, 3, 4, 5, 6);
    all.calls[0]?.fail(boom);
    await turns();
    expect(all.batches.slice(1)).toEqual([[4, 5, 6]]);
  });
});

describe('a batch that takes too long', () => {
  const watchedBy = (clock: TestClock, stuck: unknown[]): Watchdog =>
    new Watchdog({ clock, timeout: 1_000, stuckAfter: 1_000, stuck: (job) => stuck.push(job) });

  it('is aborted for each of its events, and given up with a timeout', async () => {
    const stuck: unknown[] = [];
    const clock = new TestClock();
    const all = new Fixture({ clock, watchdog: watchedBy(clock, stuck) });
    const jobs = all.enter(1, 2, 3);
    await clock.advance(1_000);
    expect(jobs.map(({ aborted }) => aborted.length)).toEqual([1, 1, 1]);
    expect(all.outcomes.size).toBe(0);
    await clock.advance(1_000);
    expect(stuck).toEqual(jobs);
    for (const number of [1, 2, 3]) expect(isEventsError(all.outcome(number), 'HANDLER_TIMEOUT')).toBe(true);
  });

  it('takes its time from its begin, not from when its events came', async () => {
    const clock = new TestClock();
    const all = new Fixture({ clock, maxWait: 5_000, watchdog: watchedBy(clock, []) });
    const [job] = all.enter(1);
    await clock.advance(5_999);
    expect(job?.aborted).toEqual([]);
    await clock.advance(1);
    expect(job?.aborted).toHaveLength(1);
  });
});

describe('hurry', () => {
  it('begins what waits for others, and lets nothing wait any more', () => {
    const all = new Fixture({ concurrency: 2 });
    all.enter(1, 2);
    all.batcher.hurry(true);
    expect([all.batches, all.clock.pending()]).toEqual([[[1, 2]], 0]);
    all.enter(3);
    expect(all.batches.slice(1)).toEqual([[3]]);
  });

  it('keeps to the number of batches at once', async () => {
    const all = new Fixture();
    all.enter(1, 2, 3);
    all.enter(4, 5);
    all.batcher.hurry(true);
    expect(all.batches).toHaveLength(1);
    all.calls[0]?.end();
    await turns();
    expect(all.batches.slice(1)).toEqual([[4, 5]]);
  });

  it('does nothing where nothing waits', () => {
    const all = new Fixture();
    all.batcher.hurry(true);
    expect([all.batches, all.clock.pending()]).toEqual([[], 0]);
  });
});

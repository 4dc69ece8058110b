import { describe, expect, it } from '@jest/globals';
import { ACK, RELEASE } from '../core/delivery.js';
import { compose, isPromise, type Middleware } from './compose.js';
import { invokeStep } from './invoke.js';
import { jobOf } from './handler.spec-kit.js';
import { Watchdog } from './watchdog.js';
import { TestClock } from '../testing/clock.js';

describe('compose', () => {
  it('puts the first one outermost', () => {
    const order: string[] = [];
    const named =
      (name: string): Middleware =>
      (job, next) => {
        order.push(`${name} in`);
        const settlement = next(job);
        order.push(`${name} out`);
        return settlement;
      };
    const run = compose([named('a'), named('b')], () => {
      order.push('handler');
      return ACK;
    });
    expect(run(jobOf())).toBe(ACK);
    expect(order).toEqual(['a in', 'b in', 'handler', 'b out', 'a out']);
  });

  it('lets middleware decide without the handler', () => {
    expect(compose([() => RELEASE], () => ACK)(jobOf())).toBe(RELEASE);
  });

  it('is the handler alone without middleware', () => {
    expect(compose([], () => ACK)(jobOf())).toBe(ACK);
  });
});

describe('invokeStep', () => {
  it('stays synchronous where the handler is, and keeps what it returns', () => {
    const job = jobOf();
    expect(invokeStep(() => 7, undefined)(job)).toBe(ACK);
    expect(job.result).toBe(7);
  });

  it('waits for a promise, and for any other thenable', async () => {
    for (const result of [
      Promise.resolve(7),
      {
        then: (resolve: (value: number) => void) => {
          resolve(7);
        },
      },
    ]) {
      // prettier-ignore
      const job = jobOf();
      const settlement = invokeStep(() => result, undefined)(job);
      expect(isPromise(settlement)).toBe(true);
      expect(await settlement).toBe(ACK);
      expect(job.result).toBe(7);
    }
  });

  it('gives payload and context', () => {
    const job = jobOf({ event: { text: '{"n":1}' } });
    let given: unknown[] = [];
    void invokeStep((...all) => (given = all), undefined)(job);
    expect(given).toEqual([{ n: 1 }, job.context]);
  });

  it('gives what a middleware made of the payload', () => {
    const job = jobOf({ event: { text: '{"n":1}' } });
    const better = new Date(0);
    job.payload = better;
    let given: unknown;
    void invokeStep((payload) => (given = payload), undefined)(job);
    expect(given).toBe(better);
  });

  it('lets failures through, thrown or rejected, where nobody takes them', async () => {
    const thrown = new Error('thrown');
    const throwing = (): never => {
      throw thrown;
    };
    expect(() => invokeStep(throwing, undefined)(jobOf())).toThrow(thrown);
    await expect(invokeStep(() => Promise.reject(thrown), undefined)(jobOf())).rejects.toBe(thrown);
  });

  it('gives failures to who takes them, with a watchdog too', async () => {
    const thrown = new Error('thrown');
    const clock = new TestClock();
    const watchdog = new Watchdog({ clock, timeout: 100, stuckAfter: 100, stuck: () => undefined });
    const handlers = [
      () => {
        throw thrown;
      },
      () => Promise.reject(thrown),
      () => ({ then: (_: unknown, reject: (error: Error) => void) => { reject(thrown); } }), // prettier-ignore
    ];
    for (const guard of [undefined, watchdog]) {
      for (const handler of handlers) {
        const job = jobOf();
        const taken: unknown[] = [];
        const failed = (...given: unknown[]): typeof RELEASE => {
          taken.push(...given);
          return RELEASE;
        };
        expect(await invokeStep(handler, guard, failed)(job)).toBe(RELEASE);
        expect(taken).toEqual([job, thrown]);
      }
    }
    await clock.advance(100);
    expect(clock.pending()).toBe(0);
  });

  it('does not watch what has ended already', () => {
    const clock = new TestClock();
    const watchdog = new Watchdog({ clock, timeout: 100, stuckAfter: 100, stuck: () => undefined });
    expect(invokeStep(() => 7, watchdog)(jobOf())).toBe(ACK);
    expect(clock.pending()).toBe(0);
  });
});

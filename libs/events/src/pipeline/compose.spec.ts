import { describe, expect, it } from '@jest/globals';
import { ACK, RELEASE } from '../core/delivery.js';
import { compose, isPromise, type Middleware } from './compose.js';
import { invokeStep } from './invoke.js';
import { EventEnvelope } from '../core/envelope.js';
import type { HandlerJob } from './job.js';

function jobOf(text?: string): HandlerJob {
  const event = new EventEnvelope({
    type: 'a',
    id: '1',
    source: 's',
    sourceInstance: 'i',
    time: 0,
    mode: 'broadcast',
    text,
  });
  const delivery = { event, type: 'a', attempt: 1, redelivered: false };
  return {
    event,
    delivery,
    context: { id: '1' },
    logger: {},
    ephemeral: false,
    result: undefined,
    error: undefined,
  } as HandlerJob;
}

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
    expect(invokeStep(() => 7)(job)).toBe(ACK);
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
      const settlement = invokeStep(() => result)(job);
      expect(isPromise(settlement)).toBe(true);
      expect(await settlement).toBe(ACK);
      expect(job.result).toBe(7);
    }
  });

  it('gives payload and context', () => {
    const job = jobOf('{"n":1}');
    let given: unknown[] = [];
    void invokeStep((...all) => (given = all))(job);
    expect(given).toEqual([{ n: 1 }, job.context]);
  });
});

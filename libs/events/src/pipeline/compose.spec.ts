import { describe, expect, it } from '@jest/globals';
import { ACK, RELEASE, type Settlement } from '../core/delivery.js';
import { turns } from '../testing/clock.js';
import {
  compose,
  settlementOf,
  whenSettled,
  type Handling,
  type HandlingHost,
  type Middleware,
  type Outcome,
} from './compose.js';
import { jobOf } from './handler.spec-kit.js';

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

/** A handler that goes on: what its job is told is up to the test. */
function handling(): { outcome: Handling; settle: (settlement: Settlement) => void } {
  let host: HandlingHost | undefined;
  return {
    outcome: { kind: 'handling', await: (given) => (host = given) },
    settle: (settlement) => host?.settled(settlement),
  };
}

describe('whenSettled', () => {
  const made = (settlement: Settlement): Settlement => (settlement === ACK ? RELEASE : ACK);

  it('is as late as what it is about: at once, by a promise, by the end of the handler', async () => {
    expect(whenSettled(ACK, made)).toBe(RELEASE);
    expect(await whenSettled(Promise.resolve(ACK), made)).toBe(RELEASE);
    for (const wrap of [(value: Outcome) => value, (value: Outcome) => Promise.resolve(value)]) {
      const { outcome, settle } = handling();
      const told = settlementOf(whenSettled(wrap(outcome), made));
      await turns();
      settle(ACK);
      expect(await told).toBe(RELEASE);
    }
  });

  it('waits for what takes its time', async () => {
    const { outcome, settle } = handling();
    const told = settlementOf(whenSettled(outcome, (settlement) => Promise.resolve(made(settlement))));
    await turns();
    settle(RELEASE);
    expect(await told).toBe(ACK);
    expect(await whenSettled(ACK, () => Promise.resolve(RELEASE))).toBe(RELEASE);
  });

  it('is part of the run of the handler, and so is what that runs', () => {
    const { outcome, settle } = handling();
    const order: unknown[] = [];
    const whole = whenSettled(outcome, (settlement) => (order.push('made'), made(settlement))) as Handling;
    whole.await({
      settled: (settlement) => order.push(settlement),
      scoped: (run) => (order.push('scoped'), run()),
    });
    settle(ACK);
    expect(order).toEqual(['scoped', 'made', RELEASE]);
  });
});

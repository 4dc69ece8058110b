import { describe, expect, it } from '@jest/globals';
import { ACK, RELEASE, type Settlement } from '../../core/delivery.js';
import { IdempotencyTable } from '../../drivers/memory/idempotency-table.js';
import type { IdempotencyStore } from '../../ports/stores.js';
import { TestClock, turns } from '../../testing/clock.js';
import { Claims } from '../claims.js';
import { settlementOf, type Outcome, type Step } from '../compose.js';
import { invokeStep } from '../invoke.js';
import type { HandlerJob } from '../job.js';
import { gate, jobOf, LEASE, TTL } from './idempotency.spec-kit.js';
import { idempotency } from './idempotency.js';

const FAILED: Settlement = { kind: 'dead-letter', reason: 'handler-failed', error: undefined };

/** An idempotent handler on a store that answers at once. */
class Handler {
  readonly calls: string[] = [];
  runs = 0;
  closed = false;
  handle: () => unknown = () => undefined;
  private readonly table = new IdempotencyTable();
  private readonly clock = new TestClock();
  private readonly store: IdempotencyStore = {
    claim: (key, owner, lease) => this.call('claim', () => this.table.claim(key, owner, lease, 0)),
    renew: () => undefined,
    commit: (key, owner, outcome, ttl) =>
      this.call('commit', () => {
        this.table.commit(key, owner, outcome, ttl, 0);
      }),
    abort: (key, owner) =>
      this.call('abort', () => {
        this.table.abort(key, owner);
      }),
  };
  private readonly middleware = idempotency({
    claims: new Claims({ store: this.store, owner: 'a', lease: LEASE, clock: this.clock }),
    ...{ clock: this.clock, bus: 'default', instanceId: 'a' },
    declaration: { name: 'Orders.pay', group: undefined },
    idempotent: { key: () => 'k', ttl: TTL },
  });

  run(job: HandlerJob = jobOf(), next: Step = this.step): Outcome | Promise<Outcome> {
    return this.middleware(job, next);
  }

  private readonly step: Step = invokeStep(
    () => {
      this.runs++;
      return this.handle();
    },
    undefined,
    () => FAILED,
  );

  private call<T>(name: string, run: () => T): T | Promise<never> {
    this.calls.push(name);
    return this.closed ? Promise.reject(new Error('closed')) : run();
  }
}

describe('an idempotent handler, on a store that answers at once', () => {
  it('costs no promise, and has committed when it has returned', () => {
    const handler = new Handler();
    expect(handler.run()).toBe(ACK);
    expect(handler.calls).toEqual(['claim', 'commit']);
    expect(handler.run()).toBe(ACK);
    expect([handler.runs, handler.calls]).toEqual([1, ['claim', 'commit', 'claim']]);
  });

  it('that goes on keeps its claim until it ends, and has committed before that is told', async () => {
    const handler = new Handler();
    const door = gate();
    handler.handle = () => door.opened;
    const outcome = handler.run();
    expect(outcome).toMatchObject({ kind: 'handling' });
    let told: Settlement | undefined;
    void Promise.resolve(settlementOf(outcome)).then((settlement) => (told = settlement));
    await turns();
    expect(handler.run()).toMatchObject({ kind: 'retry', counted: false });
    expect([told, handler.calls]).toEqual([undefined, ['claim']]);
    door.open();
    await turns();
    expect([told, handler.calls]).toEqual([ACK, ['claim', 'commit']]);
    expect(handler.run()).toBe(ACK);
    expect(handler.runs).toBe(1);
  });

  it('that fails gives its claim up, at once or when it has ended', async () => {
    const handler = new Handler();
    handler.handle = () => {
      throw new Error('boom');
    };
    expect(handler.run()).toBe(FAILED);
    handler.handle = () => Promise.reject(new Error('boom'));
    expect(await settlementOf(handler.run())).toBe(FAILED);
    expect(handler.calls).toEqual(['claim', 'abort', 'claim', 'abort']);
    handler.handle = () => undefined;
    expect(handler.run()).toBe(ACK);
  });

  it('gives its claim up where a step within throws or rejects', async () => {
    const handler = new Handler();
    const boom = new Error('boom');
    const steps: Step[] = [
      () => {
        throw boom;
      },
      () => Promise.reject(boom),
    ];
    for (const step of steps) await expect(handler.run(jobOf(), step)).rejects.toBe(boom);
    expect(handler.calls).toEqual(['claim', 'abort', 'claim', 'abort']);
  });

  it('is not begun whose event was given up before; the claim is free', () => {
    const handler = new Handler();
    const job = jobOf();
    job.abort(new Error('given up'));
    expect(handler.run(job)).toBe(RELEASE);
    expect([handler.runs, handler.calls]).toEqual([0, ['claim', 'abort']]);
    expect(handler.run()).toBe(ACK);
  });

  it('is done, and the log told, where that cannot be noted', async () => {
    const handler = new Handler();
    handler.handle = () => {
      handler.closed = true;
    };
    const job = jobOf();
    expect(await handler.run(job)).toBe(ACK);
    expect(job.lines).toEqual([expect.stringMatching(/will run again: closed/)]);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { EventContext } from '../../core/context.js';
import type { Idempotence } from '../../core/declaration.js';
import { ACK, RELEASE, type Settlement } from '../../core/delivery.js';
import type { EventMode } from '../../core/envelope.js';
import { isEventsError } from '../../core/errors.js';
import { IdempotencyTable } from '../../drivers/memory/idempotency-table.js';
import { TestClock, turns } from '../../testing/clock.js';
import { Claims } from '../claims.js';
import { idempotency } from './idempotency.js';
import {
  Backend,
  gate,
  jobOf,
  LEASE,
  Process,
  TTL,
  twoOn,
  type JobOptions,
  type ProcessOptions,
} from './idempotency.spec-kit.js';

const backendOf = (): Backend => new Backend(new TestClock(), new IdempotencyTable());

function stage(options?: ProcessOptions): { backend: Backend; a: Process; b: Process } {
  const backend = backendOf();
  return { backend, ...twoOn(backend, options) };
}

describe('an idempotent handler', () => {
  it('runs once; it has committed before it settles', async () => {
    const { backend, a, b } = stage({ group: 'g' });
    expect(await a.run(jobOf())).toBe(ACK);
    expect(backend.calls).toEqual(['claim', 'commit']);
    expect(await a.run(jobOf())).toBe(ACK);
    expect(await b.run(jobOf())).toBe(ACK);
    expect([a.runs, b.runs]).toEqual([1, 0]);
  });

  it('runs again after its ttl', async () => {
    const { backend, a } = stage();
    await a.run(jobOf());
    await backend.clock.advance(TTL);
    await a.run(jobOf());
    expect(a.runs).toBe(2);
  });

  it('that failed runs again, at once', async () => {
    const { backend, a, b } = stage({ group: 'g' });
    a.handler = () => Promise.reject(new Error('boom'));
    await expect(a.run(jobOf())).rejects.toThrow('boom');
    expect(backend.calls).toEqual(['claim', 'abort']);
    expect(await b.run(jobOf())).toBe(ACK);
    expect(b.runs).toBe(1);
  });

  it('that was released, or refused, runs again', async () => {
    const { backend, a } = stage();
    const settle: Settlement[] = [RELEASE, { kind: 'dead-letter', reason: 'rejected', error: 0 }];
    for (const settlement of settle) {
      const claims = new Claims({ store: backend.store, owner: 'x', lease: LEASE, clock: backend.clock });
      const declaration = { name: 'Orders.pay', group: undefined };
      const idempotent = { key: undefined, ttl: TTL };
      const options = { claims, clock: backend.clock, bus: 'default', instanceId: 'a', declaration, idempotent };
      expect(await idempotency(options)(jobOf(), () => settlement)).toBe(settlement);
    }
    await a.run(jobOf());
    expect(a.runs).toBe(1);
  });

  it("is not tried on what another run is at: uncounted, a second later, here and elsewhere; then it's done", async () => {
    const { backend, a, b } = stage({ group: 'g' });
    const door = gate();
    a.handler = () => door.opened;
    const first = a.run(jobOf());
    await turns();
    for (const process of [a, b])
      expect(await process.run(jobOf())).toMatchObject({ kind: 'retry', counted: false, delay: 1_000 });
    door.open();
    expect(await first).toBe(ACK);
    expect(await b.run(jobOf())).toBe(ACK);
    expect([a.runs, b.runs]).toEqual([1, 0]);
    expect(await backend.beating()).toBe(false);
  });

  it('whose process died runs elsewhere when its claim has run out, not before', async () => {
    const { backend, b } = stage({ group: 'g' });
    await b.run(jobOf({ id: 'other' }));
    const [key = ''] = backend.keys;
    await backend.store.claim(key.replace('other', 'id-1'), 'dead', LEASE);
    await backend.clock.advance(LEASE - 1);
    expect(await b.run(jobOf())).toMatchObject({ kind: 'retry', counted: false });
    await backend.clock.advance(1);
    expect(await b.run(jobOf())).toBe(ACK);
    expect(b.runs).toBe(2);
  });

  it('keeps its claims for as long as it runs: one renewal for all, and none when it has ended', async () => {
    const { backend, a, b } = stage({ group: 'g' });
    const door = gate();
    a.handler = () => door.opened;
    const runs = ['1', '2', '3'].map((id) => a.run(jobOf({ id })));
    await backend.clock.advance(LEASE * 4);
    expect(backend.calls.filter((call) => call === 'renew')).toHaveLength(12);
    for (const id of ['1', '2', '3']) expect(await b.run(jobOf({ id }))).toMatchObject({ kind: 'retry' });
    expect(await backend.beating()).toBe(true);
    expect(backend.clock.pending()).toBe(1);
    const renewals = backend.calls.filter((call) => call === 'renew').length;
    door.open();
    await Promise.all(runs);
    expect(await backend.beating()).toBe(false);
    expect(backend.calls.filter((call) => call === 'renew')).toHaveLength(renewals);
  });

  it('goes on renewing after a renewal that failed', async () => {
    const { backend, a, b } = stage({ group: 'g' });
    const door = gate();
    a.handler = () => door.opened;
    const run = a.run(jobOf());
    await turns();
    backend.fails = { renew: new Error('away') };
    await backend.clock.advance(LEASE / 2);
    backend.fails = {};
    await backend.clock.advance(LEASE);
    expect(await b.run(jobOf())).toMatchObject({ kind: 'retry' });
    door.open();
    await run;
  });

  it('is not begun when its event was given up while it waited for the claim; the claim is free', async () => {
    const { backend, a, b } = stage({ group: 'g' });
    const door = gate();
    backend.door = door.opened;
    const job = jobOf();
    const run = a.run(job);
    job.abort(new Error('given up'));
    door.open();
    expect(await run).toBe(RELEASE);
    expect(await b.run(jobOf())).toBe(ACK);
    expect([a.runs, b.runs]).toEqual([0, 1]);
  });

  it('is not begun where the claim fails: that is a failure, and the next may', async () => {
    const { backend, a } = stage();
    backend.fails = { claim: new Error('OOM') };
    await expect(a.run(jobOf())).rejects.toThrow('OOM');
    expect([a.runs, await backend.beating()]).toEqual([0, false]);
    backend.fails = {};
    expect(await a.run(jobOf())).toBe(ACK);
  });

  it('that is done is acknowledged, and the log told, where that cannot be noted', async () => {
    const { backend, a } = stage();
    backend.fails = { commit: new Error('OOM') };
    const job = jobOf();
    expect(await a.run(job)).toBe(ACK);
    expect(job.lines).toEqual([expect.stringMatching(/Orders\.pay.*order\.paid.*id-1.*will run again: OOM/)]);
    expect(await backend.beating()).toBe(false);
  });

  it('fails with its own error where the claim cannot be given up', async () => {
    const { backend, a } = stage();
    a.handler = () => Promise.reject(new Error('boom'));
    backend.fails = { abort: new Error('away') };
    await expect(a.run(jobOf())).rejects.toThrow('boom');
    expect(await backend.beating()).toBe(false);
  });
});

describe('what counts as the same', () => {
  const twice = async (one: Process, first: JobOptions, two: Process, second: JobOptions): Promise<number> => {
    await one.run(jobOf(first));
    await two.run(jobOf(second));
    return one.runs + (one === two ? 0 : two.runs);
  };

  it('by default: the same id, type and source', async () => {
    const { a } = stage();
    expect(await twice(a, {}, a, { id: 'id-2' })).toBe(2);
    expect(await twice(a, {}, a, { type: 'order.sent' })).toBe(3);
    expect(await twice(a, {}, a, { source: 't' })).toBe(4);
    expect(await twice(a, {}, a, { payload: 1 })).toBe(4);
  });

  it('with a key: what it gives, of payload and context', async () => {
    const key = (payload: { order: number }, context: EventContext): string =>
      `${context.type} ${String(payload.order)}`;
    const { a } = stage({ key: key as Idempotence['key'] & object });
    expect(await twice(a, { payload: { order: 1 } }, a, { payload: { order: 1 }, id: 'id-2' })).toBe(1);
    expect(await twice(a, { payload: { order: 2 } }, a, { payload: { order: 1 }, type: 'order.sent' })).toBe(3);
  });

  const one: [EventMode, string | undefined, number][] = [
    ['broadcast', 'g', 1],
    ['broadcast', undefined, 2],
    ['unicast', undefined, 2],
    ['unicast', 'g', 2],
    ['anycast', undefined, 1],
    ['anycast', 'g', 1],
    ['request', undefined, 1],
  ];
  it.each(one)('%s, group %s: two processes run it %d times', async (mode, group, runs) => {
    const { a, b } = stage({ ...(group === undefined ? {} : { group }), key: () => 'k' });
    expect(await twice(a, { mode }, b, { mode })).toBe(runs);
  });

  it('another handler, group or bus is another', async () => {
    const backend = backendOf();
    const key = (): string => 'k';
    const group = 'g';
    const others = [{ group }, { group: 'h' }, { group, name: 'other' }, { group, bus: 'other' }, {}];
    const processes = others.map((options) => new Process(backend, 'a', { key, ...options }));
    for (const process of processes) await process.run(jobOf());
    expect(processes.map(({ runs }) => runs)).toEqual([1, 1, 1, 1, 1]);
  });

  it('any characters, up to 512, and never more than 512 in the store', async () => {
    let own = '';
    const { backend, a } = stage({ key: () => own });
    const keys = ['a', '"', '\\"', '\0', '\ud800', '\ud801', '\ufffd', '{}', 'x'.repeat(511), 'x'.repeat(512)];
    for (own of keys) await a.run(jobOf());
    for (own of keys) await a.run(jobOf());
    expect(a.runs).toBe(keys.length);
    expect(Math.max(...[...backend.keys].map((key) => key.length))).toBeLessThanOrEqual(512);
  });

  const wrong: [string, () => unknown][] = [
    ['empty', () => ''],
    ['too long', () => 'x'.repeat(513)],
    ['a number', () => 5],
    ['nothing', () => undefined],
    ['a promise', () => Promise.resolve('k')],
    ['a promise that is rejected', () => Promise.reject(new Error('no'))],
  ];
  it.each(wrong)('a key that is %s is a failure of the handler, which does not run', async (_, key) => {
    const { backend, a } = stage({ key: key as Idempotence['key'] & object });
    const failed = await a.run(jobOf()).catch((error: unknown) => error);
    expect(isEventsError(failed, 'INVALID_OPTION')).toBe(true);
    expect((failed as Error).message).toContain('idempotent.key of handler Orders.pay');
    expect([a.runs, backend.calls]).toEqual([0, []]);
  });

  it('so is a key function that throws', async () => {
    const key = (): string => {
      throw new Error('no order');
    };
    await expect(stage({ key }).a.run(jobOf())).rejects.toThrow('no order');
  });
});

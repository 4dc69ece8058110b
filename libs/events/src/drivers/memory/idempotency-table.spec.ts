import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { IdempotencyTable } from './idempotency-table.js';

const LEASE = 100;
const TTL = 1_000;

describe('IdempotencyTable', () => {
  it('gives a key to one owner at a time; the same owner may claim it again', () => {
    const table = new IdempotencyTable();
    expect(table.claim('k', 'a', LEASE, 0)).toEqual({ state: 'claimed' });
    expect(table.claim('k', 'b', LEASE, 99)).toEqual({ state: 'busy' });
    expect(table.claim('k', 'a', LEASE, 99)).toEqual({ state: 'claimed' });
    expect(table.claim('k', 'b', LEASE, 198)).toEqual({ state: 'busy' });
    expect(table.claim('other', 'b', LEASE, 0)).toEqual({ state: 'claimed' });
  });

  it('gives a claim that has run out to the next, and does not renew it for the one before', () => {
    const table = new IdempotencyTable();
    table.claim('k', 'a', LEASE, 0);
    expect(table.claim('k', 'b', LEASE, 100)).toEqual({ state: 'claimed' });
    table.renew(['k', 'unknown'], 'a', 10_000, 150);
    expect(table.claim('k', 'c', LEASE, 200)).toEqual({ state: 'claimed' });
  });

  it('renews what is held', () => {
    const table = new IdempotencyTable();
    table.claim('k', 'a', LEASE, 0);
    table.renew(['k'], 'a', LEASE, 50);
    expect(table.claim('k', 'b', LEASE, 149)).toEqual({ state: 'busy' });
    expect(table.claim('k', 'b', LEASE, 150)).toEqual({ state: 'claimed' });
  });

  it('gives the outcome until its time is up', () => {
    const table = new IdempotencyTable();
    table.claim('k', 'a', LEASE, 0);
    table.commit('k', 'a', '{"x":1}', TTL, 10);
    expect(table.claim('k', 'b', LEASE, 1_009)).toEqual({ state: 'done', outcome: '{"x":1}' });
    expect(table.claim('k', 'b', LEASE, 1_010)).toEqual({ state: 'claimed' });
    table.commit('k', 'b', undefined, TTL, 1_020);
    expect(table.claim('k', 'a', LEASE, 1_030)).toEqual({ state: 'done', outcome: undefined });
  });

  it('takes a commit whose claim has run out, unless somebody else holds it or was done first', () => {
    const table = new IdempotencyTable();
    table.claim('free', 'a', LEASE, 0);
    table.commit('free', 'a', '1', TTL, 500);
    expect(table.claim('free', 'b', LEASE, 501)).toEqual({ state: 'done', outcome: '1' });
    table.claim('held', 'a', LEASE, 0);
    table.claim('held', 'b', LEASE, 500);
    table.commit('held', 'a', '1', TTL, 501);
    expect(table.claim('held', 'c', LEASE, 502)).toEqual({ state: 'busy' });
    table.commit('held', 'b', '2', TTL, 503);
    table.commit('held', 'a', '1', TTL, 504);
    expect(table.claim('held', 'c', LEASE, 505)).toEqual({ state: 'done', outcome: '2' });
  });

  it('aborts only what the owner holds', () => {
    const table = new IdempotencyTable();
    table.claim('k', 'a', LEASE, 0);
    table.abort('k', 'b');
    expect(table.claim('k', 'b', LEASE, 1)).toEqual({ state: 'busy' });
    table.abort('k', 'a');
    table.abort('unknown', 'a');
    expect(table.claim('k', 'b', LEASE, 1)).toEqual({ state: 'claimed' });
  });

  it('removes in passing what has run out', () => {
    const table = new IdempotencyTable();
    for (let number = 0; number < 100; number++) table.claim(`claim ${String(number)}`, 'a', LEASE, 0);
    for (let number = 0; number < 100; number++) table.commit(`done ${String(number)}`, 'a', undefined, TTL, 0);
    expect(table.size).toBe(200);
    for (let number = 0; number < 100; number++) table.claim('k', 'a', LEASE, TTL);
    expect(table.size).toBe(1);
  });

  it('removes claims that have run out also where older ones are renewed', () => {
    const table = new IdempotencyTable();
    for (const key of ['long', '1', '2', '3', '4']) table.claim(key, 'a', LEASE, 0);
    table.renew(['long'], 'a', LEASE, LEASE - 1);
    for (let number = 0; number < 2; number++) table.claim('k', 'a', LEASE, LEASE);
    expect(table.size).toBe(2);
    expect(table.claim('long', 'b', LEASE, LEASE)).toEqual({ state: 'busy' });
  });

  it('forgets the oldest outcome when it is full, and no claim', () => {
    const table = new IdempotencyTable(3);
    table.claim('claimed', 'a', LEASE, 0);
    for (const key of ['1', '2', '3', '4']) table.commit(key, 'a', key, TTL, 0);
    expect(table.size).toBe(3);
    expect(table.claim('4', 'b', LEASE, 1)).toEqual({ state: 'done', outcome: '4' });
    expect(table.claim('claimed', 'b', LEASE, 1)).toEqual({ state: 'busy' });
    expect(table.claim('1', 'b', LEASE, 1)).toEqual({ state: 'claimed' });
  });

  it('has one owner at a time, and never one beside an outcome, whatever is called', () => {
    const call = fc.record({
      what: fc.constantFrom('claim', 'renew', 'commit', 'abort'),
      key: fc.constantFrom('x', 'y', '__proto__'),
      owner: fc.constantFrom('a', 'b', 'c'),
      passes: fc.constantFrom(0, 1, 60, 300),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 100 }), (calls) => {
        const table = new IdempotencyTable();
        const model = new Map<string, { owner?: string; until: number }>();
        let now = 0;
        for (const { what, key, owner, passes } of calls) {
          now += passes;
          const row = model.get(key);
          const held = row !== undefined && row.until > now ? row : undefined;
          const mine = held === undefined || held.owner === owner;
          if (what === 'claim') {
            const state = mine ? 'claimed' : held.owner === undefined ? 'done' : 'busy';
            expect(table.claim(key, owner, LEASE, now).state).toBe(state);
            if (mine) model.set(key, { owner, until: now + LEASE });
          } else if (what === 'renew') {
            table.renew([key], owner, LEASE, now);
            if (held !== undefined && mine) model.set(key, { owner, until: now + LEASE });
          } else if (what === 'commit') {
            table.commit(key, owner, undefined, TTL, now);
            if (mine) model.set(key, { until: now + TTL });
          } else {
            table.abort(key, owner);
            if (held !== undefined && mine) model.delete(key);
          }
        }
      }),
    );
  });
});

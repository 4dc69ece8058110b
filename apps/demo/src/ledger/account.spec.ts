import { describe, expect, it } from '@jest/globals';
import { Account } from './account.js';

const handled = (id: string, seq?: number) => ({ subscriber: 'audit', id, ...(seq === undefined ? {} : { seq }) });

describe('Account', () => {
  it('counts an event once, and tells how often it came again', () => {
    const account = new Account();
    account.add(handled('a', 1));
    account.add(handled('a', 1));
    expect(account).toMatchObject({ events: 1, history: 1, repeats: 1 });
    expect(account.has('a')).toBe(true);
    expect(account.has('b')).toBe(false);
  });

  it('leaves out of the history what was published by hand', () => {
    const account = new Account();
    account.add(handled('a', 1));
    account.add(handled('by hand'));
    expect(account).toMatchObject({ events: 2, history: 1 });
    expect(account.isExactly(1)).toBe(true);
  });

  it('is not exact with a change missing, handled twice, or published as two events', () => {
    const missing = new Account();
    missing.add(handled('a', 1));
    expect(missing.isExactly(2)).toBe(false);

    const twice = new Account();
    for (const id of ['a', 'a']) twice.add(handled(id, 1));
    expect(twice.isExactly(1)).toBe(false);

    const doubled = new Account();
    for (const id of ['a', 'b']) doubled.add(handled(id, 1));
    expect(doubled.isExactly(1)).toBe(false);
  });
});

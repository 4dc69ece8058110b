import { describe, expect, it } from '@jest/globals';
import { EventEnvelope, type EnvelopeInit } from '../../core/envelope.js';
import { identityOf, RecentIds } from './recent-ids.js';

const MINUTE = 60_000;

function event(init: Partial<EnvelopeInit>): EventEnvelope {
  return new EventEnvelope({ ...origin, ...init });
}

const origin: EnvelopeInit = { type: 'a', id: '1', source: 's', sourceInstance: 'i', time: 0, mode: 'broadcast' };

describe('RecentIds', () => {
  it('remembers for 10 minutes', () => {
    const ids = new RecentIds();
    ids.add('k', 5);
    expect([ids.find('k', 5), ids.find('k', 10 * MINUTE + 4), ids.find('k', 10 * MINUTE + 5)]).toEqual([
      5,
      5,
      undefined,
    ]);
    expect(ids.find('other', 5)).toBeUndefined();
  });

  it('drops what is old and what is too much when something is added', () => {
    const ids = new RecentIds(3);
    for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) ids.add(key, index);
    expect([ids.size, ids.find('a', 4), ids.find('b', 4)]).toEqual([3, undefined, 1]);
    ids.add('e', 10 * MINUTE + 2);
    expect([ids.size, ids.find('d', 10 * MINUTE + 2)]).toEqual([2, 3]);
  });

  it('remembers longest what was added last, for the first time or again', () => {
    const ids = new RecentIds(2);
    for (const [index, key] of ['a', 'b', 'a', 'c'].entries()) ids.add(key, index);
    expect([ids.size, ...['a', 'b', 'c'].map((key) => ids.find(key, 4))]).toEqual([2, 2, undefined, 3]);
  });
});

describe('identityOf', () => {
  it('tells apart what goes to different places, and ids', () => {
    const unicast = { mode: 'unicast', target: 't' } as const;
    const different = [
      event({}),
      event({ id: '2' }),
      event({ type: 'b' }),
      event({ mode: 'anycast' }),
      event(unicast),
      event({ ...unicast, target: 'u' }),
    ];
    expect(new Set(different.map(identityOf)).size).toBe(different.length);
  });

  it('is the same for whatever else differs', () => {
    expect(identityOf(event({ time: 1, source: 'x', text: '1' }))).toBe(identityOf(event({})));
    const unicast = { mode: 'unicast', target: 't' } as const;
    expect(identityOf(event({ ...unicast, type: 'b' }))).toBe(identityOf(event(unicast)));
  });
});

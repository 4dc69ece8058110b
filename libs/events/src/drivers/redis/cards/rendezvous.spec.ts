import { describe, expect, it } from '@jest/globals';
import { rankOf } from './rendezvous.js';

const all = ['host-1', 'host-2', 'host-3', 'service-host-12345-abc'];
const cards = Array.from({ length: 4_000 }, (_, index) => `card-${String(index)}`);
const ranks = (card: string, among = all): number[] =>
  among.map((self) =>
    rankOf(
      card,
      self,
      among.filter((each) => each !== self),
    ),
  );

describe('rankOf', () => {
  it('gives each process another place, the same in the eyes of all', () => {
    for (const card of cards.slice(0, 500)) expect(ranks(card).sort()).toEqual([0, 1, 2, 3]);
  });

  it('shares the cards evenly', () => {
    const first = all.map((_, index) => cards.filter((card) => ranks(card)[index] === 0).length);
    for (const count of first) expect(count).toBeGreaterThan(850);
    expect(first.reduce((sum, each) => sum + each, 0)).toBe(cards.length);
  });

  it('moves only the cards of a process that goes', () => {
    const fewer = all.slice(1);
    for (const card of cards.slice(0, 500)) {
      const before = all[ranks(card).indexOf(0)];
      const after = fewer[ranks(card, fewer).indexOf(0)];
      if (before !== all[0]) expect(after).toBe(before);
    }
  });
});

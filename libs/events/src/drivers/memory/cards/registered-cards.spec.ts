import { describe, expect, it } from '@jest/globals';
import { RegisteredCards } from './registered-cards.js';

const DAY = 86_400_000;

function registered(...cardIds: string[]): RegisteredCards {
  const cards = new RegisteredCards();
  for (const cardId of cardIds) cards.wake(cardId, 0);
  return cards;
}

function reap(cards: RegisteredCards, cardId: string, now: number): number | undefined {
  const row = cards.row(cardId);
  return row && cards.reap(cardId, row, 1_000, now);
}

describe('RegisteredCards', () => {
  it('registers once', () => {
    const cards = registered('a');
    const card = cards.get('a');
    expect([cards.wake('a', 5) === card, cards.size, cards.get('b')]).toEqual([true, 1, undefined]);
  });

  it('lets an idle card rest, and forgets it after a day', () => {
    const cards = registered('a');
    expect([reap(cards, 'a', 999), cards.get('a')?.cardId]).toEqual([1_000, 'a']);
    expect([reap(cards, 'a', 1_000), cards.get('a'), cards.row('a')]).toEqual([
      DAY,
      undefined,
      { ordinal: 1, activeAt: 0 },
    ]);
    expect([reap(cards, 'a', DAY - 1), cards.size]).toEqual([DAY, 1]);
    expect([reap(cards, 'a', DAY), cards.size]).toEqual([undefined, 0]);
  });

  it('leaves a card that somebody holds', () => {
    const cards = registered('a');
    cards.wake('a', 0).holder = { owner: 'p', fencingToken: '1', lose: () => undefined };
    expect([reap(cards, 'a', DAY), cards.size]).toEqual([undefined, 1]);
  });

  it('gives pages, and a card that rested and woke keeps its place', () => {
    const cards = registered('a', 'b', 'c', 'd');
    reap(cards, 'b', 1_000);
    const first = cards.page(0, 2);
    expect(first.map(([cardId]) => cardId)).toEqual(['a', 'b']);
    cards.remove('c');
    cards.wake('b', 2_000);
    cards.wake('e', 0);
    const after = first.at(-1)?.[1].ordinal ?? 0;
    expect(cards.page(after, 9).map(([cardId]) => cardId)).toEqual(['d', 'e']);
    expect(cards.page(9, 9)).toEqual([]);
  });
});

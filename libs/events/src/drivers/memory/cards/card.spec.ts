import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../testing/clock.js';
import { World } from '../memory.spec-kit.js';
import { Card, type Holder } from './card.js';
import { CardEntry } from './card-entry.js';
import { crashed } from './card-past.js';
import { idsOf } from './cards.spec-kit.js';

const world = new World(new TestClock(0));
const HOLDER: Holder = { owner: 'p', fencingToken: '1', lose: () => undefined };

function cardOf(...ids: string[]): Card {
  const card = new Card('a', 1, 0);
  for (const [index, id] of ids.entries()) card.append(new CardEntry(world.event(id), 'topic', 0, index));
  return card;
}

describe('Card', () => {
  it('is what its events, its holder and its wait make it', () => {
    const card = cardOf('1');
    expect([cardOf().state, card.state]).toEqual(['idle', 'ready']);
    card.wait = { due: 5 };
    expect(card.state).toBe('backoff');
    card.wait = { due: Infinity };
    expect(card.state).toBe('parked');
    card.holder = HOLDER;
    expect(card.state).toBe('owned');
  });

  it('hands its beginning over, which stays until it is taken off', () => {
    const card = cardOf('1', '2', '3');
    expect([idsOf(card.hand(2)), card.pending, card.length]).toEqual([['1', '2'], 2, 3]);
    expect([card.shift()?.event.id, card.pending, card.length]).toEqual(['1', 1, 2]);
    expect([idsOf(card.hand(9)), card.pending]).toEqual([['2', '3'], 2]);
    expect([card.shift(), card.shift(), card.shift(), card.pending].map((each) => Boolean(each))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('let go, has what was in hand again in order, its head with what it came to', () => {
    const card = cardOf('1', '2', '3');
    card.holder = HOLDER;
    const handed = card.hand(2);
    card.letGo(crashed);
    expect([card.holder, card.pending, card.length]).toEqual([undefined, 0, 3]);
    const again = card.hand(3);
    expect(again.map(({ event, crashes, redelivered }) => [event.id, crashes, redelivered])).toEqual([
      ['1', 1, true],
      ['2', 0, true],
      ['3', 0, false],
    ]);
    expect(handed.map(({ crashes, redelivered }) => [crashes, redelivered])).toEqual([
      [0, false],
      [0, false],
    ]);
  });

  it('let go with nothing in hand, changes nothing that it has', () => {
    const card = cardOf('1');
    card.letGo(crashed);
    expect([card.head?.crashes, card.head?.redelivered]).toEqual([0, false]);
  });

  it('changes the head that nobody has in hand', () => {
    const card = cardOf('1', '2');
    card.changeHead(crashed);
    expect([card.head?.crashes, idsOf(card.hand(9))]).toEqual([1, ['1', '2']]);
    cardOf().changeHead(crashed);
  });
});

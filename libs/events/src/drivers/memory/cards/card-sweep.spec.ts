import { describe, expect, it } from '@jest/globals';
import { TestClock, turns } from '../../../testing/clock.js';
import { CardSweep } from './card-sweep.js';
import { RegisteredCards } from './registered-cards.js';

const IDLE = 10_000;
const SWEEP = 1_000;
const DAY = 86_400_000;

function swept(): { clock: TestClock; cards: RegisteredCards; sweep: CardSweep; add(cardId: string): void } {
  const [clock, cards] = [new TestClock(0), new RegisteredCards()];
  const sweep = new CardSweep(() => [cards]);
  sweep.lend({ clock, idleAfter: IDLE, sweep: SWEEP });
  const add = (cardId: string): void => {
    cards.wake(cardId, clock.now());
    sweep.arm();
  };
  return { clock, cards, sweep, add };
}

describe('CardSweep', () => {
  it('has no timer without cards, and one for all of them', () => {
    const { clock, add } = swept();
    expect(clock.pending()).toBe(0);
    for (const cardId of ['a', 'b', 'c']) add(cardId);
    expect(clock.pending()).toBe(1);
  });

  it('lets cards rest when they have been idle, and no timer is left when all are forgotten', async () => {
    const { clock, cards, add } = swept();
    add('a');
    await clock.advance(5_000);
    add('b');
    await clock.advance(5_000);
    expect([cards.get('a'), cards.get('b')?.cardId]).toEqual([undefined, 'b']);
    await clock.advance(5_000);
    expect([cards.get('b'), cards.size]).toEqual([undefined, 2]);
    await clock.advance(DAY);
    expect([cards.size, clock.pending()]).toEqual([0, 0]);
  });

  it('does not sweep more often than it may', async () => {
    const { clock, cards, add } = swept();
    add('a');
    await clock.advance(100);
    add('b');
    await clock.advance(IDLE - 100);
    expect([cards.get('a'), cards.get('b')?.cardId]).toEqual([undefined, 'b']);
    await clock.advance(SWEEP - 1);
    expect(cards.get('b')?.cardId).toBe('b');
    await clock.advance(1);
    expect(cards.get('b')).toBeUndefined();
  });

  it('takes a card into account that becomes idle behind it, while it walks over many', async () => {
    const { clock, cards, sweep } = swept();
    const holder = { owner: 'p', fencingToken: '1', lose: () => undefined };
    for (let number = 0; number < 50_000; number++) cards.wake(String(number), 0).holder = holder;
    sweep.arm();
    clock.after(IDLE, () => {
      const first = cards.wake('0', IDLE);
      first.holder = undefined;
      first.activeAt = IDLE;
      sweep.arm();
    });
    await clock.advance(IDLE);
    await turns(20);
    expect(cards.get('0')?.cardId).toBe('0');
    await clock.advance(IDLE);
    expect([cards.get('0'), cards.get('1')?.cardId]).toEqual([undefined, '1']);
  });

  it('goes on by the clock of another who is alive', async () => {
    const { clock, cards, sweep, add } = swept();
    add('a');
    const other = new TestClock(0);
    sweep.lend(undefined);
    expect(clock.pending()).toBe(0);
    sweep.lend({ clock: other, idleAfter: IDLE, sweep: SWEEP });
    await other.advance(IDLE);
    expect([cards.get('a'), cards.size]).toEqual([undefined, 1]);
  });
});

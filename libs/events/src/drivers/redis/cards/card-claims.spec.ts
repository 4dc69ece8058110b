import { describe, expect, it } from '@jest/globals';
import { TestClock, turns } from '../../../testing/clock.js';
import { CardClaims, type ClaimResult } from './card-claims.js';

/** A desk with places, and slots whose index grants what a test says. */
function desk(places: number) {
  const clock = new TestClock(1_000);
  const state = { places };
  const begun: string[] = [];
  const asked: [string, number][] = [];
  const results: (ClaimResult | undefined)[] = [];
  const claims = new CardClaims<string>({
    clock,
    free: () => state.places,
    begin(slot, cardId) {
      state.places--;
      begun.push(`${slot} ${cardId}`);
    },
    claim(slot, most) {
      asked.push([slot, most]);
      const result = results.shift() ?? { granted: 0, left: 0, due: undefined };
      state.places -= result.granted;
      return Promise.resolve(result);
    },
  });
  return { clock, state, begun, asked, results, claims };
}

describe('CardClaims', () => {
  it('asks the index for as much as there is room for, until it has no more', async () => {
    const { state, asked, results, claims } = desk(3);
    results.push({ granted: 3, left: 5, due: undefined });
    claims.look('s');
    await turns();
    expect([asked, claims.isBehind('s')]).toEqual([[['s', 3]], true]);
    state.places = 2;
    results.push({ granted: 1, left: 0, due: undefined });
    claims.pull();
    await turns();
    expect([asked, claims.isBehind('s')]).toEqual([
      [
        ['s', 3],
        ['s', 2],
      ],
      false,
    ]);
    claims.pull();
    expect(asked).toHaveLength(2);
  });

  it('takes by name what it knows, in order, and asks the index now and then all the same', async () => {
    const { clock, state, begun, asked, claims } = desk(1);
    claims.look('s');
    await turns();
    state.places = 0;
    for (const name of ['a', 'b', 'c', 'd']) claims.wait('s', name);
    claims.taken('s', 'b');
    state.places = 2;
    claims.pull();
    expect([begun, asked.length, claims.isBehind('s')]).toEqual([['s a', 's c'], 1, true]);
    await clock.advance(50);
    state.places = 1;
    claims.pull();
    expect([begun.length, asked]).toEqual([
      2,
      [
        ['s', 1],
        ['s', 1],
      ],
    ]);
    await turns();
    expect(begun).toEqual(['s a', 's c', 's d']);
  });

  it('serves slots in turn', async () => {
    const { state, begun, claims } = desk(4);
    const slots = ['s', 't', 'u'];
    for (const slot of slots) claims.look(slot);
    await turns();
    state.places = 0;
    for (const slot of slots) for (const name of ['1', '2']) claims.wait(slot, name);
    for (let count = 0; count < 6; count++) {
      state.places = 1;
      claims.pull();
    }
    expect(begun).toEqual(['s 1', 't 1', 'u 1', 's 2', 't 2', 'u 2']);
  });

  it('does not lose a card that is woken while the index is asked', async () => {
    const { state, begun, claims } = desk(1);
    claims.look('s');
    state.places = 0;
    claims.wait('s', 'a');
    await turns();
    expect(claims.isBehind('s')).toBe(true);
    state.places = 1;
    claims.pull();
    expect(begun).toEqual(['s a']);
  });

  it('looks when something is due, the earliest first, and again after the head start of another process', async () => {
    const { clock, asked, results, claims } = desk(5);
    claims.dueIn('s', 500);
    claims.dueIn('t', 200);
    results.push({ granted: 0, left: 0, due: 100 });
    await clock.advance(199);
    expect(asked).toEqual([]);
    await clock.advance(1);
    expect(asked).toEqual([['t', 5]]);
    await clock.advance(100);
    expect(asked).toHaveLength(2);
    await clock.advance(200);
    expect(asked.map(([slot]) => slot)).toEqual(['t', 't', 's']);
    claims.help('s');
    await clock.advance(49);
    expect(asked).toHaveLength(3);
    await clock.advance(1);
    expect(asked).toHaveLength(4);
    claims.stop();
    await clock.advance(10_000);
    expect(asked).toHaveLength(4);
  });

  it('polls an eighth of many slots in a round, all of them in eight', () => {
    const { asked, claims } = desk(1_000);
    const slots = Array.from({ length: 80 }, (_, index) => `s${String(index)}`);
    claims.poll(slots);
    expect(asked).toHaveLength(10);
    for (let round = 1; round < 8; round++) claims.poll(slots);
    expect(new Set(asked.map(([slot]) => slot)).size).toBe(80);
  });
});

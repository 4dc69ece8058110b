import { describe, expect, it } from '@jest/globals';
import { begunAgain, crashed, failed, failedForGood, givenBack, NO_CARD_PAST, replayedBy } from './card-past.js';

const PAST = { ...NO_CARD_PAST, failures: 2, crashes: 1, crashesAlone: 1, alone: true, error: 'x', operation: 'o' };

describe('CardPast', () => {
  it('given back in order, nothing counts, and it is not alone any more', () => {
    expect(givenBack(PAST)).toEqual({ ...PAST, alone: false, redelivered: true });
    const back = givenBack(NO_CARD_PAST);
    expect(givenBack(back)).toBe(back);
  });

  it('counts a failure where it counts, and keeps the error either way', () => {
    const after = { ...PAST, alone: false, redelivered: true, error: 'y' };
    expect(failed(PAST, { counted: true, error: 'y' })).toEqual({ ...after, failures: 3 });
    expect(failed(PAST, { counted: false, error: 'y' })).toEqual(after);
  });

  it('counts a crash, and one alone apart', () => {
    expect(crashed(PAST)).toEqual({ ...PAST, alone: false, redelivered: true, crashes: 2, crashesAlone: 2 });
    expect(crashed({ ...PAST, alone: false })).toMatchObject({ crashes: 2, crashesAlone: 1 });
  });

  it('failed for good, it has the attempts that it was given', () => {
    const { failures, crashes, error } = failedForGood(PAST, 5, 'z');
    expect([failures + crashes, error]).toEqual([5, 'z']);
  });

  it('begins again as the replay that it is', () => {
    expect(begunAgain(PAST)).toEqual({ ...NO_CARD_PAST, redelivered: true, operation: 'o' });
    expect(replayedBy('p')).toEqual({ ...NO_CARD_PAST, redelivered: true, operation: 'p' });
  });
});

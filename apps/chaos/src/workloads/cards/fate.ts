import { lot } from '../../random.js';

/**
 * What a handler makes of an event; drawn from the seed, so that every process draws the same.
 * - `before`, `after`: the first attempt fails, before or after its effect; - `poison`: every attempt fails.
 */
export interface Fate {
  readonly fails: 'never' | 'before' | 'after' | 'always';
  /** ms until the effect */
  readonly pause: number;
}

const POISON = 0.002;
const FAILS_BEFORE = 0.015;
const FAILS_AFTER = 0.015;
const SLOW = 0.25;
const LONGEST = 100;

export function fateOf(seed: number, card: string, number: number): Fate {
  const what = `${card} ${number}`;
  const slow = lot(seed, `slow ${what}`);
  return {
    fails: failureOf(lot(seed, `fails ${what}`)),
    pause: slow < SLOW ? (slow / SLOW) * LONGEST : 0,
  };
}

function failureOf(drawn: number): Fate['fails'] {
  if (drawn < POISON) return 'always';
  if (drawn < POISON + FAILS_BEFORE) return 'before';
  return drawn < POISON + FAILS_BEFORE + FAILS_AFTER ? 'after' : 'never';
}

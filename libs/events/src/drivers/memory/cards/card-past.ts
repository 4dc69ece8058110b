import type { CardFailure } from '../../../ports/cards.js';

/** What an event of a card has behind it when it is handed over. Immutable; events of which there is nothing to tell share one. */
export interface CardPast {
  /** Attempts that failed. */
  readonly failures: number;
  /** How often its holder died with it in hand. */
  readonly crashes: number;
  /** Those of the crashes in which it was handled alone. */
  readonly crashesAlone: number;
  /** It is handled alone now. */
  readonly alone: boolean;
  readonly redelivered: boolean;
  /** What it failed with last. */
  readonly error: string | undefined;
  /** The replay that it comes from. */
  readonly operation: string | undefined;
}

/** Nothing has happened yet. */
export const NO_CARD_PAST: CardPast = Object.freeze({
  failures: 0,
  crashes: 0,
  crashesAlone: 0,
  alone: false,
  redelivered: false,
  error: undefined,
  operation: undefined,
});

/** Given back in order: nothing counts. */
export function givenBack(past: CardPast): CardPast {
  return past.redelivered && !past.alone ? past : { ...past, alone: false, redelivered: true };
}

/** Its attempt failed. */
export function failed(past: CardPast, { counted, error }: Omit<CardFailure, 'delay'>): CardPast {
  return { ...givenBack(past), failures: past.failures + (counted ? 1 : 0), error };
}

/** Its holder died with it in hand. */
export function crashed(past: CardPast): CardPast {
  const crashesAlone = past.crashesAlone + (past.alone ? 1 : 0);
  return { ...givenBack(past), crashes: past.crashes + 1, crashesAlone };
}

/** It has failed for good, after so many attempts in all. */
export function failedForGood(past: CardPast, attempts: number, error: string): CardPast {
  return { ...givenBack(past), failures: Math.max(0, attempts - past.crashes), error };
}

/** Its attempts begin again. A replay stays that replay. */
export function begunAgain({ operation }: CardPast): CardPast {
  return { ...NO_CARD_PAST, redelivered: true, operation };
}

/** Of a dead letter that is put back. */
export function replayedBy(operation: string): CardPast {
  return { ...NO_CARD_PAST, redelivered: true, operation };
}

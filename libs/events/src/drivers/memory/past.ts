import type { RetryRow } from '../../core/delivery.js';

/** What an entry has behind it when it is handed over. Immutable; entries of which there is nothing to tell share one. */
export interface Past {
  /** Only this handler may have it; absent: whoever the subscriber picks. */
  readonly handler: string | undefined;
  /** The attempt that it is, not counting crashes; from 1. */
  readonly attempt: number;
  readonly failures: number;
  /** How often its consumer died with it in hand. */
  readonly crashes: number;
  /** Those of the crashes in which it was handled alone. */
  readonly crashesAlone: number;
  /** It is handled alone now. */
  readonly alone: boolean;
  readonly redelivered: boolean;
  /** A retry or a replay, not what a publisher stored. */
  readonly again: boolean;
  /** Since when it waits for somebody who has its handler, ms; of a retry or a replay. */
  readonly since: number | undefined;
  /** The replay that it comes from. */
  readonly operation: string | undefined;
}

/** Nothing has happened yet. */
export const NO_PAST: Past = Object.freeze({
  handler: undefined,
  attempt: 1,
  failures: 0,
  crashes: 0,
  crashesAlone: 0,
  alone: false,
  redelivered: false,
  again: false,
  since: undefined,
  operation: undefined,
});

/** Given back in order: nothing counts. */
export function released(past: Past): Past {
  return { ...past, alone: false, redelivered: true };
}

/** Its consumer died with it in hand. */
export function crashed(past: Past): Past {
  return {
    ...past,
    crashes: past.crashes + 1,
    crashesAlone: past.crashesAlone + (past.alone ? 1 : 0),
    alone: false,
    redelivered: true,
  };
}

/**
 * Of the attempt that a retry row asks for, which becomes due at `due` ms. A replay stays that replay, and what was not
 * handled (somebody else's claim, no such handler here) keeps its crashes: otherwise none would ever add up.
 */
export function retried(past: Past, { handler, attempt, failures, since }: RetryRow, due: number): Past {
  const handedOn = failures === past.failures;
  return {
    ...NO_PAST,
    handler,
    attempt: handedOn ? attempt - past.crashes : attempt,
    failures,
    crashes: handedOn ? past.crashes : 0,
    crashesAlone: handedOn ? past.crashesAlone : 0,
    redelivered: true,
    again: true,
    // Until it is due it waits for the time, not for a process.
    since: since ?? due,
    operation: past.operation,
  };
}

/** Of a dead letter that begins again. */
export function replayed(handler: string | undefined, operation: string, now: number): Past {
  return { ...NO_PAST, handler, redelivered: true, again: true, since: now, operation };
}

import type { EventEnvelope } from './envelope.js';

/** Why a delivery ended in the dead letters. */
export type DeadLetterReason =
  /** The entry could not be read as an event. */
  | 'undecodable'
  /** The handler threw, and has no attempts left. */
  | 'handler-failed'
  /** An anycast event that nobody took within the retention. */
  | 'unhandled'
  /** A unicast event left in the inbox of a process that died. */
  | 'target-died'
  /** The handler threw `Reject`. */
  | 'rejected'
  /** The payload breaks the rules of its class or schema. */
  | 'invalid'
  /** The payload has a version that this process cannot read. */
  | 'unsupported-version'
  /** The process died again and again while it handled this event alone. */
  | 'crashed'
  /** The head of a card that somebody skipped (`cards.skip`). */
  | 'skipped'
  /** Filed by hand (`deadLetters.add`). */
  | 'added';

/** One handler's failure that goes to the dead letters together with the acknowledgement. */
export interface DeadLetterRow {
  /** Name of the handler; absent when the failure is the entry's own. */
  readonly handler?: string | undefined;
  readonly reason: DeadLetterReason;
  /** Message, and stack where there is one, bounded. */
  readonly error: string;
  readonly stack?: string | undefined;
  readonly attempts: number;
}

/** One handler's next attempt, stored together with the acknowledgement. */
export interface RetryRow {
  /** Absent: any handler that the subscriber picks (anycast). */
  readonly handler: string | undefined;
  /** Not before this long from now, ms; 0 = at once. */
  readonly delay: number;
  /** Number of that attempt, from 1. */
  readonly attempt: number;
  /** Attempts that have failed. */
  readonly failures: number;
  /** Since when it waits for a process that has the handler, ms of the backend's clock; absent: from now. */
  readonly since?: number | undefined;
}

/** What one handler made of one delivery. The pipeline returns it, the consumer settles it, the driver makes it atomic. */
export type Settlement =
  | { readonly kind: 'ack' }
  /** Again after `delay` ms. `counted: false`: it was not its turn, and the attempt does not count. */
  | { readonly kind: 'retry'; readonly delay: number; readonly counted: boolean; readonly error: unknown }
  | { readonly kind: 'dead-letter'; readonly reason: DeadLetterReason; readonly error: unknown }
  /** Not handled, through no fault of the handler: somebody else shall have it, uncounted. */
  | { readonly kind: 'release' };

export const ACK: Settlement = Object.freeze({ kind: 'ack' });
export const RELEASE: Settlement = Object.freeze({ kind: 'release' });

/** The answer to a request: JSON text of the value, or what went wrong. */
export type Reply =
  | { readonly ok: true; readonly text: string | undefined }
  | { readonly ok: false; readonly error: { name: string; message: string; code?: string } };

/** What becomes of a delivery when all its handlers have settled. */
export type Verdict =
  | {
      readonly kind: 'ack';
      readonly deadLetters?: readonly DeadLetterRow[] | undefined;
      readonly retries?: readonly RetryRow[] | undefined;
    }
  | { readonly kind: 'release' }
  | { readonly kind: 'reply'; readonly reply: Reply }
  /** A request that no handler of this process wants: it is not asked again. */
  | { readonly kind: 'declined' }
  /** A request that has begun here and will not be answered. */
  | { readonly kind: 'lost' };

export const VERDICT_ACK: Verdict = Object.freeze({ kind: 'ack' });
export const VERDICT_RELEASE: Verdict = Object.freeze({ kind: 'release' });
export const VERDICT_DECLINED: Verdict = Object.freeze({ kind: 'declined' });
export const VERDICT_LOST: Verdict = Object.freeze({ kind: 'lost' });

/** One event handed to one subscriber, to be settled once. `event` is absent when the entry could not be decoded. */
export interface Delivery {
  readonly event: EventEnvelope | undefined;
  /** What is wrong with an entry that could not be decoded. */
  readonly malformed?: string | undefined;
  /** The type whose stream the entry came from. */
  readonly type: string;
  /** From 1; grows with failures and crashes, not with orderly hand-overs. */
  readonly attempt: number;
  /** True when another hand-over of the same entry may have come first. */
  readonly redelivered: boolean;
  /** Attempts that have failed; 0 for what comes for the first time. */
  readonly failures: number;
  /** How often its consumer fell silent (died) with it in hand. */
  readonly crashes: number;
  /** Since when a retry or replay waits for a process that has its handler, ms of the backend's clock. */
  readonly since?: number | undefined;
  /** Only the handler of this name shall run (a retry, a replay). */
  readonly handler?: string | undefined;
  /** Milliseconds that the caller of a request still waits. */
  readonly remaining?: number | undefined;
}

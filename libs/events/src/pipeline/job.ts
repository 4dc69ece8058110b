import type { EventContext } from '../core/context.js';
import type { Delivery } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import type { CardRef } from '../ports/cards.js';
import type { EventsLogger } from '../ports/logger.js';

/** One event on its way through one handler: what the middleware sees. */
export interface HandlerJob {
  readonly event: EventEnvelope;
  readonly delivery: Delivery;
  readonly context: EventContext;
  readonly logger: EventsLogger;
  /** Nobody keeps the event for another attempt or for the dead letters: a failure can only be told. */
  readonly ephemeral: boolean;
  /** It runs with nothing beside it, because processes have died with its event. */
  readonly alone: boolean;
  /** Where the event waited in the queue of a card: which one. */
  readonly card?: CardRef | undefined;
  /** Attempts that have failed before this one. */
  readonly failures: number;
  /** What the handler gets: the event's payload, until a middleware makes something better of it. */
  payload: unknown;
  /** What the handler returned. */
  result: unknown;
  /** What the handler threw, kept for the caller of a request and for `settle`. */
  error: unknown;
  /** Its signal has aborted, whether somebody has asked for that or not. */
  readonly isAborted: boolean;
  /** Aborts the signal of this run. */
  abort(reason: Error): void;
}

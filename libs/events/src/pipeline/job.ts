import type { EventContext } from '../core/context.js';
import type { Delivery } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import type { EventsLogger } from '../ports/logger.js';

/** One event on its way through one handler: what the middleware sees. */
export interface HandlerJob {
  readonly event: EventEnvelope;
  readonly delivery: Delivery;
  readonly context: EventContext;
  readonly logger: EventsLogger;
  /** True when nothing is stored for this subscriber: a failure can only be told, not settled. */
  readonly ephemeral: boolean;
  /** What the handler returned. */
  result: unknown;
  /** What the handler threw, kept for the caller of a request and for `settle`. */
  error: unknown;
}

import type { EventContext } from '../core/context.js';

/**
 * What request-scoped providers get as `@Inject(REQUEST)` while an event is handled. A strategy for durable providers finds
 * the event's headers where those of an HTTP request are.
 */
export class EventRequest<Payload = unknown> {
  constructor(
    readonly payload: Payload,
    readonly context: EventContext,
  ) {}

  /** The event's headers. */
  get headers(): EventContext['headers'] {
    return this.context.headers;
  }
}

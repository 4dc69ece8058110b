import type { EventContext } from './context.js';

/** A handler: gets the payload (deep-frozen) and the context; what it returns answers a request. Throwing is failing. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- handlers narrow the payload to their own type
export type EventHandler<Payload = any, Result = unknown> = (
  payload: Payload,
  context: EventContext,
) => Result | Promise<Result>;

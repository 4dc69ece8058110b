import type { CardContext, EventContext } from './context.js';

/** A handler: gets the payload (deep-frozen) and the context; what it returns answers a request. Throwing is failing. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- handlers narrow the payload to their own type
export type EventHandler<Payload = any, Result = unknown> = (
  payload: Payload,
  context: EventContext,
) => Result | Promise<Result>;

/** A handler of cards: gets the payload (deep-frozen) and the context. What it returns goes nowhere; throwing is failing. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- handlers narrow the payload to their own type
export type CardHandler<Payload = any> = (payload: Payload, context: CardContext) => unknown;

/** A handler of cards with `batch`: consecutive events of one card. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- handlers narrow the payload to their own type
export type CardBatchHandler<Payload = any> = (payloads: Payload[], contexts: CardContext[]) => unknown;

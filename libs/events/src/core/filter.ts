import type { CardContext, EventContext } from './context.js';

/**
 * Says whether a handler wants an event. `false`: acknowledged, not handled; of a request: another handler is asked. What
 * it throws is the handler's failure.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a filter knows the payload it is written for
export type Filter = (payload: any, context: EventContext) => boolean | Promise<boolean>;

/** A `Filter` of a card handler. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a filter knows the payload it is written for
export type CardFilter = (payload: any, context: CardContext) => boolean | Promise<boolean>;

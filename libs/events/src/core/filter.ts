import type { EventContext } from './context.js';

/** Says whether a handler wants an event. `false`: acknowledged, not handled. What it throws is the handler's failure. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a filter knows the payload it is written for
export type Filter = (payload: any, context: EventContext) => boolean | Promise<boolean>;

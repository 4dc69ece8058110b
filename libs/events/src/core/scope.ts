import { AsyncLocalStorage } from 'node:async_hooks';

/** What a handler that runs now passes on to the events that it publishes. */
export interface Scope {
  readonly event: {
    readonly type: string;
    readonly id: string;
    readonly correlationId: string;
    readonly hops: number;
    readonly traceparent: string | undefined;
  };
}

/**
 * The handler in whose course the current code runs, also across awaits. One storage a bus group: the runtime makes it
 * and hands it to those who set it (consumer) and read it (publisher).
 */
export type ScopeStorage = AsyncLocalStorage<Scope>;

export function createScopeStorage(): ScopeStorage {
  return new AsyncLocalStorage<Scope>();
}

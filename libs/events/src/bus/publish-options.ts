import type { EventClass } from '../core/event-class.js';
import type { Duration } from '../ports/options.js';

/** How often a publish is tried while the backend is away. */
export interface PublishRetry {
  /** Attempts in all, the first among them. 1 to 1,000. Each lasts about 2 s where there is no connection. */
  readonly attempts: number;
  /** Before the second attempt, milliseconds or `'1s'`. */
  readonly delay: Duration;
  /** How the waits grow, up to 5 min. Defaults to `'exponential'`: each twice the one before. */
  readonly backoff?: 'fixed' | 'linear' | 'exponential';
}

/** How one event is published. */
export interface PublishOptions {
  /** Who gets it. Defaults to `'broadcast'`; `'unicast'` where `target` is set. */
  readonly mode?: 'broadcast' | 'anycast' | 'unicast';
  /** The instance that gets it; implies unicast. */
  readonly target?: string;
  /**
   * The event's id, 1 to 128 visible ASCII characters other than `"` and `\`. An id of your own deduplicates: where an
   * event of the same type and mode (unicast: for the same target) was stored under it within the last 10 minutes, this one
   * is not stored again, and the call resolves with the time of the first. Not with `settle`, which waits for handlers.
   * Defaults to a UUID of version 7.
   */
  readonly id?: string;
  /** CloudEvents `source`. Defaults to the service's name. */
  readonly source?: string;
  /** Begins or joins a chain. Defaults to that of the event whose handler publishes, else the event's own id. */
  readonly correlationId?: string;
  /** Extra string attributes: at most 64, names of `[A-Za-z0-9_.-]`, 8 KiB together. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Anycast: a handler of this process first. Defaults to false. */
  readonly preferLocal?: boolean;
  /**
   * Resolve when this process's ungrouped handlers have had their first attempt; reject with `HandlersFailedError` when
   * one failed. Broadcast only; not with `retry` and an `id` together, because of an event that is not stored again no
   * handler tells. Defaults to false: resolve when the event is stored.
   */
  readonly settle?: boolean;
  /**
   * Reject with `UnroutableError`, and store nothing, when nobody would get the event. Somebody would: for broadcast, a
   * declared group, its members alive or not, or a live process with a matching handler; for anycast, such a process; for
   * unicast, a target with such a handler. It is checked as the call is made: a listener may still go before it gets the
   * event. Where this process knows of none the server is asked first, and later publishes of the type may overtake this
   * one meanwhile; otherwise the order is kept. Defaults to false.
   */
  readonly mandatory?: boolean;
  /**
   * Try again while the backend is away (`BackendUnavailableError`), with the same id, so that the event is stored once.
   * It waits in the memory of this process: at most 10,000 events and 64 MiB of payloads a bus (beyond:
   * `EventsOverloadedError`), and not across its end (`BusClosedError`). An event that may be stored, its answer lost, is
   * tried for 9 minutes at most. Other publishes do not wait for it: the order of events is kept only among those that
   * were stored at the first attempt. Defaults to none: a lost connection is waited for about 2 s.
   */
  readonly retry?: PublishRetry;
}

/** How a request is sent. */
export interface RequestOptions {
  /** How long the caller waits, milliseconds or `'5s'`. Defaults to 30 s. */
  readonly timeout?: number | string;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
  /** Extra string attributes, as in `PublishOptions`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One row of `publishMany`: an instance of an event class, or a type with payload and options. */
export type EventToPublish =
  | { readonly type: string; readonly payload?: unknown; readonly options?: PublishOptions }
  | { readonly event: object; readonly options?: PublishOptions };

/** What a handler or subscription can listen to. */
export type Listenable = string | EventClass | readonly (string | EventClass)[];

import type { EventClass } from '../core/event-class.js';

/** How one event is published. */
export interface PublishOptions {
  /** Who gets it. Defaults to `'broadcast'`; `'unicast'` where `target` is set. */
  readonly mode?: 'broadcast' | 'anycast' | 'unicast';
  /** The instance that gets it; implies unicast. */
  readonly target?: string;
  /** The event's id, 1 to 128 visible ASCII characters other than `"` and `\`. Defaults to a UUID of version 7. */
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
   * one failed. Broadcast only. Defaults to false: resolve when the event is stored.
   */
  readonly settle?: boolean;
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

import type { EventHeaders, EventMode } from './envelope.js';

/** A receipt: the event is stored. */
export interface PublishReceipt {
  readonly id: string;
  readonly type: string;
  /** When it was stored, by the backend's clock. */
  readonly time: Date;
}

/** What a handler knows about the event it handles, beside the payload. */
export interface EventContext {
  /** The event's id, unique per source (CloudEvents `id`). */
  readonly id: string;
  readonly type: string;
  /** The publishing service (CloudEvents `source`). */
  readonly source: string;
  /** The publishing process; the target for an answer. */
  readonly sourceInstance: string;
  /** When the event was stored (CloudEvents `time`). */
  readonly time: Date;
  /** Version of the payload's shape, from 1. */
  readonly version: number;
  readonly mode: EventMode;
  /** Name of the bus. */
  readonly bus: string;
  /** The handler's durable group, where it has one. */
  readonly group: string | undefined;
  /** The handler's name, `Class.method` unless said otherwise. */
  readonly handler: string;
  /** From 1; grows with failures and crashes, not with orderly hand-overs. */
  readonly attempt: number;
  /** True when the event may have been handed over before. */
  readonly redelivered: boolean;
  /** Id of the event that began the chain. */
  readonly correlationId: string;
  /** Id of the event whose handler published this one. */
  readonly causationId: string | undefined;
  /** Trace id of the W3C `traceparent` that came with the event; absent without one. */
  readonly traceId: string | undefined;
  readonly headers: EventHeaders;
  /** Aborts when the process stops waiting for the handler, or when its claim on the event is lost. */
  readonly signal: AbortSignal;
  /** Lines that say which event and handler they are about. */
  readonly logger: ContextLogger;
  /**
   * Publishes an event to the process that published this one.
   * @throws NoSuchInstanceError when that process is gone
   */
  readonly reply: (type: string, payload?: unknown) => Promise<PublishReceipt>;
}

export interface ContextLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  debug(message: string): void;
}

/** What a card handler knows about its event, beside the payload. */
export interface CardContext extends EventContext {
  readonly topic: string;
  readonly cardId: string;
  /** The event's place in the card's queue, `<ms>-<number>`; grows within a card. */
  readonly sequence: string;
  /**
   * Decimal; grows with every change of the card's owner. A sink that keeps the greatest token, then the greatest sequence,
   * of a card and refuses what is less is safe from an owner that goes on after its lease (Kleppmann, "How to do
   * distributed locking", 2016). Compare as BigInt.
   */
  readonly fencingToken: string;
}

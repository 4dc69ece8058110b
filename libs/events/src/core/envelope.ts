import type { IdGenerator } from './id.js';
import { decodePayload } from './payload.js';

/** How an event finds its handlers. */
export type EventMode = 'broadcast' | 'anycast' | 'unicast' | 'request';

/** Extra string attributes of an event, chosen by its publisher. */
export type EventHeaders = Readonly<Record<string, string>>;

export const NO_HEADERS: EventHeaders = Object.freeze({});

export interface EnvelopeInit {
  type: string;
  id: string;
  source: string;
  sourceInstance: string;
  /** Milliseconds since the epoch. */
  time: number;
  mode: EventMode;
  target?: string | undefined;
  version?: number;
  hops?: number;
  /** Absent: the event starts a chain, its own id is the correlation id. */
  correlationId?: string | undefined;
  causationId?: string | undefined;
  traceparent?: string | undefined;
  headers?: EventHeaders;
  /** JSON text of the payload; absent: no payload. */
  text?: string | undefined;
}

/**
 * An event on its way: the CloudEvents 1.0 attributes, the library's extensions, and the payload as JSON text that is
 * decoded once, when first asked for.
 */
export class EventEnvelope {
  readonly type: string;
  readonly source: string;
  readonly sourceInstance: string;
  time: number;
  readonly mode: EventMode;
  readonly target: string | undefined;
  readonly version: number;
  readonly hops: number;
  readonly causationId: string | undefined;
  readonly traceparent: string | undefined;
  readonly headers: EventHeaders;
  readonly text: string | undefined;
  private readonly chain: string | undefined;
  private ownId: string | undefined;
  private ids: IdGenerator | undefined;
  private position = 0;
  private decoded = false;
  private value: unknown = undefined;

  constructor(init: Omit<EnvelopeInit, 'id'> & { id?: string | undefined }) {
    this.type = init.type;
    this.source = init.source;
    this.sourceInstance = init.sourceInstance;
    this.time = init.time;
    this.mode = init.mode;
    this.target = init.target;
    this.version = init.version ?? 1;
    this.hops = init.hops ?? 0;
    this.causationId = init.causationId;
    this.traceparent = init.traceparent;
    this.headers = init.headers ?? NO_HEADERS;
    this.text = init.text;
    this.chain = init.correlationId;
    this.ownId = init.id;
    this.ids = undefined;
  }

  /** Draws the id from `ids` now and spells it when it is read. */
  drawId(ids: IdGenerator): this {
    this.position = ids.draw(this.time);
    this.drawnAt = ids.millisecond;
    this.ids = ids;
    return this;
  }
  private drawnAt = 0;

  get id(): string {
    if (this.ownId === undefined && this.ids) this.ownId = this.ids.text(this.drawnAt, this.position);
    return this.ownId ?? '';
  }

  get correlationId(): string {
    return this.chain ?? this.id;
  }

  /** The correlation id where it is not the event's own id. */
  get inheritedCorrelationId(): string | undefined {
    return this.chain === this.ownId ? undefined : this.chain;
  }

  /**
   * The payload: decoded from the text once and deep-frozen.
   * @throws SyntaxError when the text is not JSON
   */
  payload(): unknown {
    if (!this.decoded) {
      this.value = this.text === undefined ? undefined : decodePayload(this.text);
      this.decoded = true;
    }
    return this.value;
  }

  /** Hands the payload over by reference instead of as text (memory bus with `isolate: false`). */
  share(value: unknown): this {
    this.value = value;
    this.decoded = true;
    return this;
  }

  /** Size that counts towards a prefetch budget, in characters of JSON. */
  get size(): number {
    return this.text?.length ?? 0;
  }
}

import type { ContextLogger, EventContext, PublishReceipt } from '../core/context.js';
import type { Delivery } from '../core/delivery.js';
import type { EventEnvelope, EventHeaders, EventMode } from '../core/envelope.js';
import type { Scope } from '../core/scope.js';
import type { HandlerJob } from '../pipeline/job.js';
import type { EventsLogger } from '../ports/logger.js';

/** The payload is what was sent. */
const AS_SENT = Symbol('as sent');

/** What a job needs from the consumer that runs it. */
export interface EventJobHost {
  readonly bus: string;
  readonly logger: EventsLogger;
  reply(event: EventEnvelope, type: string, payload: unknown): Promise<PublishReceipt>;
}

/**
 * One handler's run of one event: job of the pipeline, context of the handler, and scope of what it publishes. Whatever a
 * handler may not ask for is made when it asks.
 */
export abstract class EventJob implements HandlerJob, EventContext, Scope {
  result: unknown = undefined;
  error: unknown = undefined;
  alone = false;
  abstract readonly ephemeral: boolean;
  abstract readonly delivery: Delivery;
  abstract readonly group: string | undefined;
  abstract readonly handler: string;
  private input: unknown = AS_SENT;
  private controller: AbortController | undefined;
  private abortReason: Error | undefined;

  constructor(
    protected readonly host: EventJobHost,
    readonly event: EventEnvelope,
    readonly attempt: number,
    readonly failures: number,
  ) {}

  /** The handler has asked for its signal: from now on it is told when its event is given up; at once if it has been. */
  protected abstract listen(): void;

  get payload(): unknown {
    return this.input === AS_SENT ? this.event.payload() : this.input;
  }

  set payload(value: unknown) {
    this.input = value;
  }

  get isAborted(): boolean {
    return this.abortReason !== undefined;
  }

  abort(reason: Error): void {
    this.abortReason ??= reason;
    this.controller?.abort(reason);
  }

  get context(): EventContext {
    return this;
  }
  get id(): string {
    return this.event.id;
  }
  get type(): string {
    return this.event.type;
  }
  get source(): string {
    return this.event.source;
  }
  get sourceInstance(): string {
    return this.event.sourceInstance;
  }
  get time(): Date {
    return new Date(this.event.time);
  }
  get version(): number {
    return this.event.version;
  }
  get mode(): EventMode {
    return this.event.mode;
  }
  get bus(): string {
    return this.host.bus;
  }
  get redelivered(): boolean {
    return this.delivery.redelivered || this.attempt > this.delivery.attempt;
  }
  get correlationId(): string {
    return this.event.correlationId;
  }
  get causationId(): string | undefined {
    return this.event.causationId;
  }
  get traceId(): string | undefined {
    return this.event.traceparent?.split('-')[1];
  }
  get headers(): EventHeaders {
    return this.event.headers;
  }
  /** Made when the handler first asks for it. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      this.listen();
      if (this.abortReason !== undefined) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }
  get logger(): EventsLogger & ContextLogger {
    return prefixed(this.host.logger, `[${this.handler} ${this.type} ${this.id}] `);
  }
  /** Bound, so that it can be taken out of the context. */
  get reply(): (type: string, payload?: unknown) => Promise<PublishReceipt> {
    return (type, payload) => this.host.reply(this.event, type, payload);
  }

  /** What identifies the delivery, for logs; not the consumer behind it. */
  toJSON(): Partial<EventContext> {
    const { id, type, source, sourceInstance, time, version, mode, bus, group, handler, attempt, redelivered } = this;
    const { correlationId, causationId, traceId, headers } = this;
    return {
      ...{ id, type, source, sourceInstance, time, version, mode, bus, group, handler, attempt, redelivered },
      ...{ correlationId, causationId, traceId, headers },
    };
  }
}

function prefixed(logger: EventsLogger, prefix: string): EventsLogger {
  return {
    log: (message) => {
      logger.log(prefix + message);
    },
    warn: (message) => {
      logger.warn(prefix + message);
    },
    error: (message, stack) => {
      logger.error(prefix + message, stack);
    },
    debug: (message) => {
      logger.debug(prefix + message);
    },
  };
}

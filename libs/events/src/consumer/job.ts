import type { ContextLogger, EventContext, PublishReceipt } from '../core/context.js';
import type { Delivery, Settlement } from '../core/delivery.js';
import type { EventEnvelope, EventHeaders, EventMode } from '../core/envelope.js';
import type { Scope } from '../core/scope.js';
import type { EventsLogger } from '../ports/logger.js';
import { isPromise } from '../pipeline/compose.js';
import type { HandlerJob } from '../pipeline/job.js';
import type { Runnable } from './lane.js';
import type { HandlerEntry } from './registry.js';
import type { Attempt, Tracker } from './tracker.js';

/** The payload is what was sent. */
const AS_SENT = Symbol('as sent');

/** What a job needs from the consumer that runs it. */
export interface JobHost {
  readonly bus: string;
  readonly logger: EventsLogger;
  run(job: Job): Settlement | Promise<Settlement>;
  ended(job: Job, settlement: Settlement): void;
  reply(event: EventEnvelope, type: string, payload: unknown): Promise<PublishReceipt>;
}

/**
 * One handler's run of one delivery: job of the pipeline, context of the handler, and scope of what it publishes.
 * Whatever a handler may not ask for is made when it asks.
 */
export class Job implements HandlerJob, EventContext, Scope, Runnable, Attempt {
  result: unknown = undefined;
  error: unknown = undefined;
  alone = false;
  /** What the attempt before this one failed with, where it waited in the process. */
  lastError: unknown = undefined;
  private input: unknown = AS_SENT;
  private controller: AbortController | undefined;
  private abortReason: Error | undefined;

  constructor(
    private readonly host: JobHost,
    readonly event: EventEnvelope,
    readonly entry: HandlerEntry,
    readonly tracker: Tracker,
    readonly attempt: number,
    readonly failures: number,
  ) {}

  get ephemeral(): boolean {
    return this.tracker.intake === undefined;
  }

  get payload(): unknown {
    return this.input === AS_SENT ? this.event.payload() : this.input;
  }

  set payload(value: unknown) {
    this.input = value;
  }

  abort(reason: Error): void {
    this.abortReason ??= reason;
    this.controller?.abort(reason);
  }

  /** Runs the pipeline and reports its settlement. */
  run(): void {
    this.tracker.started++;
    const settlement = this.host.run(this);
    if (isPromise(settlement))
      void settlement.then((value) => {
        this.host.ended(this, value);
      });
    else this.host.ended(this, settlement);
  }

  get context(): EventContext {
    return this;
  }
  get delivery(): Delivery {
    return this.tracker.delivery;
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
  get group(): string | undefined {
    return this.entry.declaration.group;
  }
  get handler(): string {
    return this.entry.declaration.name;
  }
  get redelivered(): boolean {
    return this.tracker.delivery.redelivered || this.attempt > this.tracker.delivery.attempt;
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
      this.tracker.onAbort((reason) => {
        this.abort(reason);
      });
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

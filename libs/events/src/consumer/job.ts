import type { ContextLogger, EventContext, PublishReceipt } from '../core/context.js';
import type { Delivery, Settlement } from '../core/delivery.js';
import type { EventEnvelope, EventHeaders, EventMode } from '../core/envelope.js';
import type { Scope } from '../core/scope.js';
import type { EventsLogger } from '../ports/logger.js';
import { isPromise } from '../pipeline/compose.js';
import type { HandlerJob } from '../pipeline/job.js';
import type { Runnable } from './lane.js';
import type { HandlerEntry } from './registry.js';
import type { Tracker } from './tracker.js';

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
export class Job implements HandlerJob, EventContext, Scope, Runnable {
  result: unknown = undefined;
  error: unknown = undefined;

  constructor(
    private readonly host: JobHost,
    readonly event: EventEnvelope,
    readonly entry: HandlerEntry,
    readonly tracker: Tracker,
  ) {}

  get ephemeral(): boolean {
    const kind = this.tracker.intake?.spec.kind;
    return kind === undefined || kind === 'process';
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
  get attempt(): number {
    return this.tracker.delivery.attempt;
  }
  get redelivered(): boolean {
    return this.tracker.delivery.redelivered;
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
  get signal(): AbortSignal {
    return this.tracker.signal;
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

import type { BusCore } from '../bus/bus-core.js';
import { declareHandler, nameOfHandler, type DeclareOptions } from '../bus/declare.js';
import { EnvelopeFactory } from '../bus/envelope-factory.js';
import { EventBus } from '../bus/event-bus.js';
import type { Listenable } from '../bus/publish-options.js';
import { Publisher, type LocalHandlers } from '../bus/publisher.js';
import { RequestClient, type LocalAnswer, type LocalAnswerers } from '../bus/request-client.js';
import type { Subscription } from '../bus/subscription.js';
import { SystemEvents } from '../bus/system-events.js';
import type { ResolvedBusOptions } from '../ports/options.js';
import { Consumer } from '../consumer/consumer.js';
import { drain } from '../consumer/drain.js';
import { replyOf } from '../consumer/reply.js';
import type { Clock } from '../core/clock.js';
import type { HandlerDeclaration } from '../core/declaration.js';
import type { EventEnvelope } from '../core/envelope.js';
import { BusClosedError } from '../core/errors.js';
import type { EventHandler } from '../core/handler.js';
import type { ScopeStorage } from '../core/scope.js';
import { messageOf, stackOf } from '../core/message-of.js';
import type { DriverWarning, EventDriver } from '../ports/driver.js';
import type { EventsLogger } from '../ports/logger.js';
import { pipelineFor } from './pipeline.js';
import { WarningGate } from './warnings.js';

export interface BusRuntimeOptions {
  readonly bus: ResolvedBusOptions;
  readonly service: string;
  readonly instanceId: string;
  readonly shutdownTimeout: number;
  readonly debug: boolean;
  readonly logger: EventsLogger;
  readonly clock: Clock;
  readonly scope: ScopeStorage;
}

/** One bus of one process, put together: driver, publisher, consumer, and their order of life. */
export class BusRuntime implements BusCore {
  readonly name: string;
  readonly instanceId: string;
  readonly bus: EventBus;
  readonly publisher: Publisher;
  readonly requests: RequestClient;
  readonly started: Promise<void>;
  /** The bus's options, resolved. */
  readonly options: ResolvedBusOptions;
  private readonly consumer: Consumer;
  private readonly envelopes: EnvelopeFactory;
  private readonly warnings: WarningGate;
  private readonly closers = new Set<() => void>();
  private starting: Promise<void> | undefined;
  private draining: Promise<void> | undefined;
  private closing: Promise<void> | undefined;
  private announceStarted!: { resolve: () => void; reject: (error: unknown) => void };
  private closed = false;

  /** Connects. @throws BackendUnavailableError, InstanceIdInUseError, MissingDependencyError */
  static async open(driver: EventDriver, options: BusRuntimeOptions): Promise<BusRuntime> {
    const runtime = new BusRuntime(driver, options);
    const { service, instanceId, clock, logger } = options;
    const warn = (warning: DriverWarning): void => {
      runtime.warn(warning);
    };
    await driver.open({ bus: options.bus.name, service, instanceId, clock, logger, warn });
    return runtime;
  }

  private constructor(
    private readonly driver: EventDriver,
    private readonly setup: BusRuntimeOptions,
  ) {
    const { bus, service, instanceId, clock, scope, logger } = setup;
    this.options = bus;
    this.name = bus.name;
    this.instanceId = instanceId;
    this.warnings = new WarningGate(bus.name, clock);
    this.envelopes = new EnvelopeFactory({
      service,
      instanceId,
      maxPayload: bus.maxPayload,
      share: bus.backend === 'memory' && !bus.isolate,
      clock,
      scope,
    });
    this.consumer = new Consumer(driver, {
      bus: bus.name,
      limits: { count: bus.prefetch, size: bus.prefetchBytes },
      maxPayload: bus.maxPayload,
      logger,
      scope,
      pipeline: (declaration) => pipelineFor(declaration, setup),
      reply: (event, type, payload) => this.bus.publish(type, payload, { target: event.sourceInstance }),
    });
    this.publisher = new Publisher(
      driver,
      this.envelopes,
      localHandlers(this.consumer),
      setup.debug ? logger : undefined,
    );
    this.requests = new RequestClient(driver, localAnswerers(this.consumer, bus.maxPayload), clock);
    this.started = new Promise((resolve, reject) => {
      this.announceStarted = { resolve, reject };
    });
    this.started.catch(() => undefined);
    this.bus = new EventBus(this);
  }

  /**
   * Registers a handler before the start.
   * @throws InvalidPatternError, InvalidHandlerError, InvalidOptionError
   */
  declare(listenable: Listenable, handler: EventHandler, options: DeclareOptions, name: string): HandlerDeclaration {
    const declaration = declareHandler(listenable, handler, options, this.defaults(name));
    this.consumer.register(declaration);
    return declaration;
  }

  /** Begins to receive. Twice is once. */
  start(): Promise<void> {
    this.starting ??= this.consumer.start().then(this.announceStarted.resolve, (error: unknown) => {
      this.announceStarted.reject(error);
      throw error;
    });
    return this.starting;
  }

  assertOpen(): void {
    if (this.closed) throw new BusClosedError(this.name);
  }

  async subscribe(
    pattern: Listenable,
    handler: EventHandler,
    options: DeclareOptions & { readonly signal?: AbortSignal },
  ): Promise<Subscription> {
    if (this.draining !== undefined) throw new BusClosedError(this.name);
    const declaration = declareHandler(pattern, handler, options, this.defaults(nameOfHandler(handler)));
    const entry = await this.consumer.add(declaration);
    const { signal } = options;
    const close = async (): Promise<void> => {
      signal?.removeEventListener('abort', onAbort);
      if (!this.closed) await this.consumer.remove(entry);
    };
    const onAbort = (): void => {
      close().catch((error: unknown) => {
        this.setup.logger.warn(`Handler ${declaration.name} could not be detached: ${messageOf(error)}`);
      });
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) await close();
    return { name: declaration.name, patterns: declaration.patterns, close };
  }

  emitFailed(event: unknown, error: unknown): void {
    const type = nameOf(event);
    this.setup.logger.error(`emit('${type}') on bus '${this.name}' failed: ${messageOf(error)}`, stackOf(error));
    this.tell(SystemEvents.Error, { bus: this.name, what: 'emit', type, error: messageOf(error) });
  }

  onClose(run: () => void): () => void {
    this.closers.add(run);
    return () => this.closers.delete(run);
  }

  drain(): Promise<void> {
    const { clock, shutdownTimeout } = this.setup;
    this.draining ??= drain(this.consumer, {
      clock,
      timeout: shutdownTimeout,
      handOver: this.driver.capabilities.durable,
    }).finally(() => {
      this.consumer.waiters.forgetAll();
    });
    return this.draining;
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /** Says what a driver could tell no caller: to the log, and to `system.warning` handlers of this process. */
  warn(warning: DriverWarning): void {
    const admitted = this.warnings.admit(warning);
    if (admitted === undefined) return;
    this.setup.logger.warn(`Bus '${this.name}': ${warning.message}`);
    this.tell(SystemEvents.Warning, admitted);
  }

  private tell(type: string, payload: unknown): void {
    try {
      const notice = this.envelopes.notice(type, payload);
      if (notice !== undefined) this.consumer.dispatchLocally(notice);
    } catch (error) {
      this.setup.logger.error(`${type} could not be given: ${messageOf(error)}`);
    }
  }

  private async end(): Promise<void> {
    await this.drain();
    this.closed = true;
    for (const run of this.closers) run();
    this.closers.clear();
    await this.driver.close();
  }

  private defaults(name: string): { name: string; group: string; concurrency: number } {
    const { group, concurrency } = this.setup.bus;
    return { name, group, concurrency };
  }
}

/** What somebody tried to publish, for people. */
function nameOf(event: unknown): string {
  if (typeof event === 'string') return event;
  if (typeof event !== 'object' || event === null) return typeof event;
  return typeof event.constructor === 'function' ? event.constructor.name : 'an object';
}

function localHandlers(consumer: Consumer): LocalHandlers {
  return {
    expect: (id, type) => consumer.waiters.expect(id, type, consumer.expectedIntakes(type)),
    forget: (id, type) => {
      consumer.waiters.forget(id, type);
    },
  };
}

function localAnswerers(consumer: Consumer, maxPayload: number): LocalAnswerers {
  return {
    answer(event: EventEnvelope): LocalAnswer | undefined {
      const entry = consumer.registry.for(event.type).answering;
      if (entry === undefined) return undefined;
      let abort: (reason: Error) => void = () => undefined;
      const job = consumer.answer(event, entry, (run) => {
        abort = run;
      });
      const reply = job.then((settled) => ({ reply: replyOf(settled, maxPayload), cause: settled.error }));
      return {
        reply,
        abort: (reason) => {
          abort(reason);
        },
      };
    },
  };
}

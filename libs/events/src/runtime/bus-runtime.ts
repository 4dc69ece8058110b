import { randomUUID } from 'node:crypto';
import type { BusCore } from '../bus/bus-core.js';
import type { Cards } from '../bus/cards.js';
import type { DeclareCardOptions } from '../bus/declare-card.js';
import { declareHandler, nameOfHandler, type DeclareDefaults, type DeclareOptions } from '../bus/declare.js';
import { DeadLetters } from '../bus/dead-letters.js';
import { EnvelopeFactory } from '../bus/envelope-factory.js';
import { EventBus } from '../bus/event-bus.js';
import type { Listenable } from '../bus/publish-options.js';
import { PublishRetries } from '../bus/publish-retry.js';
import { Publisher, type LocalHandlers } from '../bus/publisher.js';
import { RequestClient, type LocalAnswer, type LocalAnswerers } from '../bus/request-client.js';
import { subscriptionOf, type Subscription } from '../bus/subscription.js';
import { SystemEvents } from '../bus/system-events.js';
import type { ResolvedBusOptions } from '../ports/options.js';
import { Consumer } from '../consumer/consumer.js';
import { drain } from '../consumer/drain.js';
import { replyOf } from '../consumer/reply.js';
import type { Clock } from '../core/clock.js';
import type { CardDeclaration, HandlerDeclaration } from '../core/declaration.js';
import type { PublishReceipt } from '../core/context.js';
import type { EventEnvelope } from '../core/envelope.js';
import { BusClosedError } from '../core/errors.js';
import type { EventHandler } from '../core/handler.js';
import type { ScopeStorage } from '../core/scope.js';
import { messageOf, stackOf } from '../core/message-of.js';
import type { DriverWarning, EventDriver } from '../ports/driver.js';
import type { EventsLogger } from '../ports/logger.js';
import { Claims } from '../pipeline/claims.js';
import type { HandlerJob } from '../pipeline/job.js';
import type { EventContracts } from '../validation/event-contracts.js';
import { CardRuntime } from './card-runtime.js';
import { pipelineFor, type PipelineServices } from './pipeline.js';
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
  /** Payload keys that nobody shall see. */
  readonly redact: (key: string) => boolean;
  /** `system.*` events go to all who listen on the bus, not to this process alone. */
  readonly publishSystemEvents: boolean;
  /** What is known of the event classes. */
  readonly contracts: EventContracts;
}

/** One bus of one process, put together: driver, publisher, consumer, and their order of life. */
export class BusRuntime implements BusCore {
  readonly name: string;
  readonly instanceId: string;
  readonly bus: EventBus;
  readonly publisher: Publisher;
  readonly requests: RequestClient;
  readonly deadLetters: DeadLetters;
  readonly started: Promise<void>;
  /** The bus's options, resolved. */
  readonly options: ResolvedBusOptions;
  private readonly consumer: Consumer;
  private readonly cardRuntime: CardRuntime;
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
    const { bus, service, instanceId, clock, scope, logger, contracts } = setup;
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
      loop: (error) => {
        this.warn({ cause: 'loop', message: error.message });
      },
    });
    const claims = new Claims({
      store: driver.idempotency,
      owner: `${instanceId} ${randomUUID()}`,
      lease: bus.reclaimAfter,
      clock,
    });
    const services: Omit<PipelineServices, 'used'> = {
      ...{ debug: setup.debug, bus: bus.name, instanceId, clock, contracts, claims },
      stuck: (job) => {
        this.stuck(job);
      },
    };
    const reply = (event: EventEnvelope, type: string, payload: unknown): Promise<PublishReceipt> =>
      this.bus.publish(type, payload, { target: event.sourceInstance });
    this.consumer = new Consumer(driver, {
      bus: bus.name,
      limits: { count: bus.prefetch, size: bus.prefetchBytes },
      maxPayload: bus.maxPayload,
      logger,
      scope,
      clock,
      retention: bus.retention,
      pipeline: (declaration, used) => pipelineFor(declaration, { ...services, used }),
      reply,
    });
    const retries = new PublishRetries(bus.name, clock);
    this.publisher = new Publisher(
      driver,
      this.envelopes,
      localHandlers(this.consumer),
      setup.debug ? logger : undefined,
      contracts,
      retries,
    );
    this.cardRuntime = new CardRuntime({
      ...{ options: bus, bus: bus.name, store: driver.cards, envelopes: this.envelopes, contracts, retries },
      ...{ debug: setup.debug ? logger : undefined, logger, scope, clock, solo: this.consumer.solo, reply },
      pipeline: (declaration) => pipelineFor(declaration, { ...services, used: () => undefined }),
      warn: (warning) => {
        this.warn(warning);
      },
      assertOpen: () => {
        this.assertOpen();
      },
    });
    this.deadLetters = new DeadLetters({
      letters: driver.deadLetters,
      cardLetters: () => driver.cards.deadLetters,
      clock,
      redact: setup.redact,
      envelope: (type, payload) => this.publisher.envelope(type, payload, undefined),
    });
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

  /**
   * Registers a handler of cards before the start.
   * @throws InvalidCardError, InvalidHandlerError, InvalidOptionError
   */
  declareCards(
    listenable: Listenable,
    handler: EventHandler,
    options: DeclareCardOptions,
    name: string,
  ): CardDeclaration {
    return this.cardRuntime.declare(listenable, handler, options, name);
  }

  get cards(): Cards {
    return this.cardRuntime.cards;
  }

  /** Begins to receive. Twice is once. */
  start(): Promise<void> {
    this.starting ??= Promise.all([this.consumer.start(), this.cardRuntime.start()]).then(
      () => {
        this.announceStarted.resolve();
        this.tellLife(SystemEvents.Startup);
      },
      (error: unknown) => {
        this.announceStarted.reject(error);
        throw error;
      },
    );
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
    const remove = async (): Promise<void> => {
      if (!this.closed) await this.consumer.remove(entry);
    };
    return subscriptionOf(declaration, remove, options.signal, this.setup.logger);
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
    if (this.draining === undefined && this.starting !== undefined) this.tellLife(SystemEvents.Shutdown);
    const options = { clock, timeout: shutdownTimeout, handOver: this.driver.capabilities.durable };
    this.draining ??= Promise.all([drain(this.consumer, options), this.cardRuntime.drain(options)])
      .then(() => undefined)
      .finally(() => {
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

  private stuck({ context: { handler, type, id, attempt } }: HandlerJob): void {
    this.warn({
      cause: 'stuck',
      message: `handler ${handler} goes on with '${type}' (${id}) long after its timeout and its signal; its event is given up`,
      details: { handler, type, id, attempt },
    });
  }

  private tellLife(type: string): void {
    const { service, instanceId } = this.setup;
    this.tell(type, { bus: this.name, service, instanceId });
  }

  /** Gives an event of the library's own: to the handlers of this process, or to whoever listens on the bus. */
  private tell(type: string, payload: unknown): void {
    const failed = (error: unknown): void => {
      this.setup.logger.error(`${type} could not be given: ${messageOf(error)}`);
    };
    try {
      const notice = this.envelopes.notice(type, payload);
      if (notice === undefined) return;
      if (this.setup.publishSystemEvents) Promise.resolve(this.driver.publish(notice)).catch(failed);
      else this.consumer.dispatchLocally(notice);
    } catch (error) {
      failed(error);
    }
  }

  private async end(): Promise<void> {
    await this.drain();
    this.closed = true;
    this.publisher.close();
    for (const run of this.closers) run();
    this.closers.clear();
    await this.driver.close();
  }

  private defaults(name: string): DeclareDefaults {
    const { group, concurrency, handlers, filters } = this.setup.bus;
    return { name, group, concurrency, handlers, filters };
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
      const entries = consumer.registry.for(event.type).answering;
      if (entries.length === 0) return undefined;
      let abort: (reason: Error) => void = () => undefined;
      const job = consumer.answer(event, entries, (run) => {
        abort = run;
      });
      const reply = job.then((settled) =>
        settled === undefined ? undefined : { reply: replyOf(settled, maxPayload), cause: settled.error },
      );
      return {
        reply,
        abort: (reason) => {
          abort(reason);
        },
      };
    },
  };
}

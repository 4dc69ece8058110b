import type { BusOptions, ResolvedModuleOptions } from '../ports/options.js';
import { resolveBusOptions } from '../config/resolve.js';
import { systemClock, type Clock } from '../core/clock.js';
import { InvalidOptionError, UnknownBusError } from '../core/errors.js';
import { createScopeStorage } from '../core/scope.js';
import { Upcasters } from '../core/upcasters.js';
import type { EventsLogger } from '../ports/logger.js';
import { EventContracts } from '../validation/event-contracts.js';
import { BusRuntime } from './bus-runtime.js';
import { createDriver } from './drivers.js';
import { stderrLogger } from './stderr-logger.js';

/** All buses of one application. */
export class Buses {
  private readonly runtimes = new Map<string, BusRuntime>();
  private readonly scope = createScopeStorage();
  /** Names of buses that are being made. */
  private readonly opening = new Set<string>();
  private readonly contracts: EventContracts;
  private started = false;

  /** Connects every configured bus. When one cannot be connected, those that were are closed again. */
  static async open(
    options: ResolvedModuleOptions,
    logger: EventsLogger = options.logger ?? stderrLogger,
    clock: Clock = systemClock,
    upcasters: Upcasters = new Upcasters(),
  ): Promise<Buses> {
    const buses = new Buses(options, logger, clock, upcasters);
    const opened = await Promise.allSettled([...options.instances.values()].map((bus) => buses.openBus(bus)));
    const failed = opened.find((result) => result.status === 'rejected');
    if (failed === undefined) return buses;
    await buses.close();
    throw failed.reason;
  }

  private constructor(
    readonly options: ResolvedModuleOptions,
    private readonly logger: EventsLogger,
    private readonly clock: Clock,
    /** How payloads of older versions are read, on all buses. */
    readonly upcasters: Upcasters,
  ) {
    this.contracts = new EventContracts(upcasters);
  }

  get names(): string[] {
    return [...this.runtimes.keys()];
  }

  /** @throws UnknownBusError */
  get(name = 'default'): BusRuntime {
    const runtime = this.runtimes.get(name);
    if (runtime === undefined) throw new UnknownBusError(name, this.names);
    return runtime;
  }

  /**
   * Makes a bus at run time (for a tenant, say); it receives at once if the others do, and closes with them.
   * @throws EventsConfigError, and InvalidOptionError when the name is taken
   */
  async create(name: string, options: BusOptions): Promise<BusRuntime> {
    if (this.runtimes.has(name) || this.opening.has(name))
      throw new InvalidOptionError('createBus() name', name, 'a name that no bus has yet');
    const { service, lastResortUrl } = this.options;
    const beside = [...this.runtimes.values()].map((runtime) => runtime.options);
    const resolved = resolveBusOptions(name, options, { service, lastResortUrl, beside });
    this.opening.add(name);
    try {
      const runtime = await this.openBus(resolved);
      runtime.onClose(() => this.runtimes.delete(name));
      if (this.started) await runtime.start();
      return runtime;
    } finally {
      this.opening.delete(name);
    }
  }

  async start(): Promise<void> {
    this.started = true;
    await Promise.all([...this.runtimes.values()].map((runtime) => runtime.start()));
  }

  async drain(): Promise<void> {
    await Promise.all([...this.runtimes.values()].map((runtime) => runtime.drain()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.runtimes.values()].map((runtime) => runtime.close()));
  }

  private async openBus(bus: Parameters<typeof createDriver>[0]): Promise<BusRuntime> {
    const { service, instanceId, shutdownTimeout, debug, redact, publishSystemEvents } = this.options;
    const { logger, clock, scope, contracts } = this;
    const runtime = await BusRuntime.open(await createDriver(bus), {
      bus,
      service,
      instanceId,
      shutdownTimeout,
      debug,
      logger,
      clock,
      scope,
      redact,
      publishSystemEvents,
      contracts,
    });
    this.runtimes.set(bus.name, runtime);
    return runtime;
  }
}

import {
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import type { ResolvedModuleOptions } from '../ports/options.js';
import type { EventsLogger } from '../ports/logger.js';
import type { Buses } from '../runtime/buses.js';
import { EnhancerFinder } from './enhancers.js';
import { HandlerExplorer } from './explorer.js';
import { loggerOf } from './logger.js';
import { HandlerMetadataAccessor } from './metadata-accessor.js';
import { HandlerRegistrar, type RegisteredHandler } from './registrar.js';
import { startReport } from './report.js';
import { HandlerRunner } from './runner.js';
import { BUSES, RESOLVED_OPTIONS } from './tokens.js';

const CORE = Symbol.for('nestjs-cardinal.core-module');

/*
 * Nest calls the hooks of modules by their distance from the root: global ones first at start and last at the end, the root
 * module last at start and first at the end. What the library needs is at both ends of that: connections before everybody
 * and after everybody, consumers that start after everybody and stop before everybody. So the two modules below put
 * themselves there, before Nest sorts for its first hook. Should a Nest release ignore that, the order would be the nearest
 * that it offers; the e2e tests would tell.
 */
const FIRST = Infinity;
const LAST = -Number.MAX_VALUE;

function placeAt(distance: number, metatype: unknown, modules: ModulesContainer): void {
  for (const each of modules.values()) if (each.metatype === metatype) each.distance = distance;
}

/** Global: connects, finds the handlers first of all, and disconnects last of all. `forRoot` and `forRootAsync` add the rest. */
@Module({
  imports: [DiscoveryModule],
  providers: [HandlerMetadataAccessor, HandlerExplorer, EnhancerFinder, HandlerRunner, HandlerRegistrar],
})
export class EventsCoreModule implements OnModuleInit, OnApplicationShutdown {
  static readonly [CORE] = true;
  private readonly logger: EventsLogger;
  private handlers: readonly RegisteredHandler[] = [];

  constructor(
    private readonly registrar: HandlerRegistrar,
    private readonly modules: ModulesContainer,
    @Inject(BUSES) private readonly buses: Buses,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedModuleOptions,
  ) {
    this.logger = loggerOf(options);
    placeAt(FIRST, EventsCoreModule, modules);
  }

  /** Handlers are there from now on, so that a request in anybody's hook finds those of its own process. */
  async onModuleInit(): Promise<void> {
    await this.orClose(async () => {
      this.handlers = await this.registrar.register(this.importedTwice());
    });
  }

  /** Begins to receive, and says for whom. */
  async start(): Promise<void> {
    await this.orClose(() => this.buses.start());
    for (const line of startReport(this.options, this.handlers)) this.logger.log(line);
  }

  /** Never rejects: other modules' hooks have to run as well. */
  async drain(): Promise<void> {
    await this.buses.drain().catch((error: unknown) => {
      this.report('finish its running handlers', error);
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.buses.close().catch((error: unknown) => {
      this.report('disconnect', error);
    });
  }

  /** An application that does not start leaves no connection behind: there may be nobody to close it. */
  private async orClose(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      await this.onApplicationShutdown();
      throw error;
    }
  }

  private importedTwice(): string[] {
    const count = [...this.modules.values()].filter(({ metatype }) => CORE in metatype).length;
    if (count === 1) return [];
    return [
      `EventsModule.forRoot() is imported ${String(count)} times, so that every handler would be called as often. Import it once, in the root module: it is global.`,
    ];
  }

  private report(what: string, error: unknown): void {
    this.logger.error(
      `The event bus could not ${what}: ${error instanceof Error ? error.message : String(error)}`,
      error instanceof Error ? error.stack : undefined,
    );
  }
}

/** Not global: starts the consumers after the hooks of all other modules, and drains them before those. */
@Module({})
export class EventsConsumersModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    private readonly core: EventsCoreModule,
    modules: ModulesContainer,
  ) {
    placeAt(LAST, EventsConsumersModule, modules);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.core.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.core.drain();
  }
}

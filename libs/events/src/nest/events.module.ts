import { Inject, Module, Optional, type DynamicModule, type Provider } from '@nestjs/common';
import { readEnvironment } from '../config/env.js';
import type { EventsModuleOptions, ResolvedModuleOptions } from '../ports/options.js';
import { resolveModuleOptions } from '../config/resolve.js';
import { EventsConfigError } from '../core/errors.js';
import { Buses } from '../runtime/buses.js';
import { EventService } from '../runtime/event-service.js';
import { EventsConsumersModule, EventsCoreModule } from './events-core.module.js';
import { loggerOf } from './logger.js';
import { asyncOptionsProviders, type EventsModuleAsyncOptions } from './module-options.js';
import { BUSES, EVENT_SERVICE, EVENTS_OPTIONS, getBusToken, RESOLVED_OPTIONS } from './tokens.js';

/**
 * The event bus of an application. Import `forRoot()` or `forRootAsync()` once, in the root module: it is global, and gives
 * `EventService` and, with `@InjectBus(name)`, the named buses.
 *
 * Its life: the buses connect while Nest makes the providers, so that publishing works in every hook. Handlers
 * (`@OnEvent`) are found before the first `onModuleInit`; a request to a handler of the same process is answered from then on.
 * Events are received after the last `onApplicationBootstrap`, those that the hooks published among them; so a hook that
 * waits for an event, or for `ready()`, would wait for ever. When anything cannot start, `init()` and `listen()` reject.
 * At the end no other module's `onModuleDestroy` runs until the running handlers have finished; publishing works until the
 * last `onApplicationShutdown`.
 *
 * Modules that are loaded with `LazyModuleLoader`, and what `ModuleRef.create` makes, come after the handlers were found: use
 * `subscribe` there.
 */
@Module({})
export class EventsModule {
  constructor(@Optional() @Inject(EVENT_SERVICE) service?: EventService) {
    if (service === undefined)
      throw new EventsConfigError([
        'EventsModule is imported without options; import EventsModule.forRoot() once, in the root module.',
      ]);
  }

  /** In memory, unless the options or the environment say otherwise. What is wrong with them is an error at start. */
  static forRoot(options: EventsModuleOptions = {}): DynamicModule {
    return compose(knownBuses(options), [{ provide: EVENTS_OPTIONS, useValue: options }], []);
  }

  /** Like `forRoot`, with options that other providers give. */
  static forRootAsync(options: EventsModuleAsyncOptions): DynamicModule {
    const buses = new Set(['default', ...(options.instances ?? [])]);
    return compose(buses, asyncOptionsProviders(options), options.imports ?? []);
  }
}

/** The names that options and environment give before anything is checked. */
function knownBuses({ instances, env }: EventsModuleOptions): Set<string> {
  const declared = Object.keys((instances as object | null | undefined) ?? {});
  return new Set(['default', ...declared, ...readEnvironment(env, declared).buses.keys()]);
}

function compose(
  buses: ReadonlySet<string>,
  options: Provider[],
  imports: NonNullable<DynamicModule['imports']>,
): DynamicModule {
  const tokens = [...buses].map((name) => ({
    provide: getBusToken(name),
    useFactory: (all: Buses) => all.get(name).bus,
    inject: [BUSES],
  }));
  const core: DynamicModule = {
    module: EventsCoreModule,
    global: true,
    imports,
    providers: [
      ...options,
      {
        provide: RESOLVED_OPTIONS,
        useFactory: (given: EventsModuleOptions | undefined) => resolve(given, buses),
        inject: [EVENTS_OPTIONS],
      },
      {
        provide: BUSES,
        useFactory: (resolved: ResolvedModuleOptions) => Buses.open(resolved, loggerOf(resolved)),
        inject: [RESOLVED_OPTIONS],
      },
      { provide: EventService, useFactory: (all: Buses) => new EventService(all), inject: [BUSES] },
      { provide: EVENT_SERVICE, useExisting: EventService },
      ...tokens,
    ],
    exports: [EventsCoreModule, EventService, EVENT_SERVICE, ...tokens.map(({ provide }) => provide)],
  };
  return { module: EventsModule, imports: [core, EventsConsumersModule] };
}

/** @throws EventsConfigError, also when an instance that shall be injectable is not there */
function resolve(given: EventsModuleOptions | undefined, buses: ReadonlySet<string>): ResolvedModuleOptions {
  const resolved = resolveModuleOptions(given);
  const known = [...resolved.instances.keys()];
  const problems = [...buses]
    .filter((name) => !resolved.instances.has(name))
    .map(
      (name) =>
        `forRootAsync instances: got '${name}', which neither the options nor the environment have; known: ${known.join(', ')}.`,
    );
  if (problems.length > 0) throw new EventsConfigError(problems);
  return resolved;
}

import type { EventBus } from '../bus/event-bus.js';
import type { BusOptions, EventsModuleOptions } from '../ports/options.js';
import { resolveModuleOptions } from '../config/resolve.js';
import type { Clock } from '../core/clock.js';
import type { EventClass } from '../core/event-class.js';
import { Upcasters, type UpcastFunction } from '../core/upcasters.js';
import { Buses } from './buses.js';

/** How payloads of an older version become newer: `@Upcast` outside Nest. */
export interface UpcastDeclaration {
  /** A class with `@EventType`. */
  readonly event: EventClass;
  /** Version of the payload that `upcast` gets, from 1. */
  readonly from: number;
  /** Version of the payload that it returns, at most that of the class. Defaults to `from + 1`. */
  readonly to?: number;
  readonly upcast: UpcastFunction;
}

/** A bus outside Nest: its options, and those of the module that concern the process. */
export interface CreateEventBusOptions
  extends
    BusOptions,
    Pick<
      EventsModuleOptions,
      'service' | 'instanceId' | 'env' | 'shutdownTimeout' | 'debug' | 'redact' | 'logger' | 'system'
    > {
  /** Name of the bus. Defaults to `'default'`. */
  readonly name?: string;
  /** For handlers of event classes. Defaults to none. */
  readonly upcasts?: readonly UpcastDeclaration[];
  /** For tests. Defaults to the machine's clock. */
  readonly clock?: Clock;
}

type ProcessOption = Exclude<keyof CreateEventBusOptions, keyof BusOptions | 'name' | 'upcasts' | 'clock'>;

/** Those that are not the bus's own. */
const OF_PROCESS: Readonly<Record<ProcessOption, true>> = {
  service: true,
  instanceId: true,
  env: true,
  shutdownTimeout: true,
  debug: true,
  redact: true,
  logger: true,
  system: true,
};

/**
 * Makes a bus for scripts and workers. It is connected and receives when the promise resolves; close it when done.
 * `EVENT_*` variables are read as in the module, those of this bus only; `env: false` leaves them alone.
 * @throws EventsConfigError, BackendUnavailableError, InstanceIdInUseError, MissingDependencyError
 * @throws InvalidHandlerError, InvalidOptionError for upcasts that cannot be
 */
export async function createEventBus(options: CreateEventBusOptions = {}): Promise<EventBus> {
  const { name = 'default', clock, upcasts = [], ...rest } = options;
  const given = Object.entries<unknown>(rest).filter(([, value]) => value !== undefined);
  const ofProcess = Object.fromEntries(given.filter(([key]) => Object.hasOwn(OF_PROCESS, key))) as EventsModuleOptions;
  const bus = Object.fromEntries(given.filter(([key]) => !Object.hasOwn(OF_PROCESS, key))) as BusOptions;
  const resolved = resolveModuleOptions({ ...ofProcess, instances: { [name]: bus } });
  const instances = new Map([...resolved.instances].filter(([each]) => each === name));
  const upcasters = new Upcasters();
  for (const { event, from, to, upcast } of upcasts) upcasters.add(event, from, to, upcast);
  const buses = await Buses.open({ ...resolved, instances }, options.logger, clock, upcasters);
  await buses.start();
  return buses.get(name).bus;
}

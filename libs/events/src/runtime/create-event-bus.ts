import type { EventBus } from '../bus/event-bus.js';
import type { BusOptions, EventsModuleOptions } from '../ports/options.js';
import { resolveModuleOptions } from '../config/resolve.js';
import type { Clock } from '../core/clock.js';
import { Buses } from './buses.js';

/** A bus outside Nest: its options, and those of the module that concern the process. */
export interface CreateEventBusOptions
  extends
    BusOptions,
    Pick<EventsModuleOptions, 'service' | 'instanceId' | 'env' | 'shutdownTimeout' | 'debug' | 'redact' | 'logger'> {
  /** Name of the bus. Defaults to `'default'`. */
  readonly name?: string;
  /** For tests. Defaults to the machine's clock. */
  readonly clock?: Clock;
}

/**
 * Makes a bus for scripts and workers. It is connected and receives when the promise resolves; close it when done.
 * `EVENT_*` variables are read as in the module, those of this bus only; `env: false` leaves them alone.
 * @throws EventsConfigError, BackendUnavailableError, InstanceIdInUseError, MissingDependencyError
 */
export async function createEventBus(options: CreateEventBusOptions = {}): Promise<EventBus> {
  const { name = 'default', service, instanceId, env, shutdownTimeout, debug, redact, logger, clock, ...bus } = options;
  const module = { service, instanceId, env, shutdownTimeout, debug, redact, logger, instances: { [name]: bus } };
  const given = Object.fromEntries(
    Object.entries(module).filter(([, value]) => value !== undefined),
  ) as EventsModuleOptions;
  const resolved = resolveModuleOptions(given);
  const instances = new Map([...resolved.instances].filter(([each]) => each === name));
  const buses = await Buses.open({ ...resolved, instances }, logger, clock);
  await buses.start();
  return buses.get(name).bus;
}

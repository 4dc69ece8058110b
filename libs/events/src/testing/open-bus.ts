import type { EventBus } from '../bus/event-bus.js';
import type { BusOptions, Duration, EventsModuleOptions } from '../ports/options.js';
import { resolveModuleOptions } from '../config/resolve.js';
import type { Clock } from '../core/clock.js';
import type { EventsLogger } from '../ports/logger.js';
import { Buses } from '../runtime/buses.js';

/** A bus of a test: its options, and those of the module that concern the process. */
export interface TestBusOptions extends BusOptions, Pick<EventsModuleOptions, 'redact' | 'system'> {
  readonly instanceId?: string;
  /** Defaults to `'test'`. */
  readonly service?: string;
  readonly shutdownTimeout?: Duration;
  /** Runs when the bus is connected and receives nothing yet, as an application's bootstrap hooks do. */
  readonly beforeStart?: (bus: EventBus) => unknown;
}

const SILENT: EventsLogger = {
  log: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  debug: () => undefined,
};

/** Opens a bus as a process of its own would: reads no environment, logs nothing unless it gets a logger. */
export async function openTestBus(
  options: TestBusOptions = {},
  surroundings: { readonly clock?: Clock; readonly logger?: EventsLogger } = {},
): Promise<EventBus> {
  const { instanceId, service = 'test', shutdownTimeout, redact, system, beforeStart, ...bus } = options;
  const module: EventsModuleOptions = { service, env: false, instances: { default: bus } };
  if (instanceId !== undefined) module.instanceId = instanceId;
  if (shutdownTimeout !== undefined) module.shutdownTimeout = shutdownTimeout;
  if (redact !== undefined) module.redact = redact;
  if (system !== undefined) module.system = system;
  const buses = await Buses.open(resolveModuleOptions(module), surroundings.logger ?? SILENT, surroundings.clock);
  try {
    await beforeStart?.(buses.get().bus);
    await buses.start();
  } catch (error) {
    await buses.close();
    throw error;
  }
  return buses.get().bus;
}

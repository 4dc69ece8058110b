import type { ResolvedBusOptions } from '../../ports/options.js';
import { createClients } from './clients.js';
import { RedisDriver } from './redis-driver.js';

/**
 * Makes the driver and its unconnected clients.
 * @throws MissingDependencyError when ioredis is not installed; EventsConfigError, InvalidOptionError
 */
export async function createRedisDriver(options: ResolvedBusOptions): Promise<RedisDriver> {
  return new RedisDriver(options, await createClients(options));
}

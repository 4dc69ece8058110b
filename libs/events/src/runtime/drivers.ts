import type { ResolvedBusOptions } from '../ports/options.js';
import { UnsupportedError } from '../core/errors.js';
import { MemoryDriver } from '../drivers/memory/memory-driver.js';
import type { EventDriver } from '../ports/driver.js';

/** Makes the driver that a bus's options ask for. Redis is loaded when it is asked for: its client is an optional peer. */
export async function createDriver(options: ResolvedBusOptions): Promise<EventDriver> {
  const { backend } = options;
  if (typeof backend === 'function') return backend(options);
  switch (backend) {
    case 'memory':
      return new MemoryDriver(options);
    case 'redis': {
      const { createRedisDriver } = await import('../drivers/redis/create-redis-driver.js');
      return createRedisDriver(options);
    }
    case 'rabbitmq':
      throw new UnsupportedError(`Bus '${options.name}': the rabbitmq backend is not part of this release; use redis.`);
  }
}

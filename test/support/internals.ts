import type { DriverFactory, EventDriver, ResolvedBusOptions } from 'nestjs-cardinal';

/**
 * Parts of the library that users do not see and that some tests need: the scripts by themselves, a round of the
 * maintenance. By a path that no tool follows, because tests otherwise use the package by its name.
 */
const REDIS = '../../libs/events/src/drivers/redis';

export interface Script {
  /** Number of keys. */
  readonly keys: number;
  readonly lua: string;
}

export async function scripts(): Promise<Readonly<Record<string, Script>>> {
  const { SCRIPTS } = (await import(`${REDIS}/scripts.generated.js`)) as { SCRIPTS: Record<string, Script> };
  return SCRIPTS;
}

/** A driver whose maintenance a test runs itself. */
export interface OpenDriver {
  readonly parts: { readonly maintenance: { reap(type: string): Promise<void> } };
}

/** A `backend` for a test's bus that gives its driver away. */
export async function givingDriver(url: string, give: (driver: OpenDriver) => void): Promise<DriverFactory> {
  const { createRedisDriver } = (await import(`${REDIS}/create-redis-driver.js`)) as {
    createRedisDriver(options: ResolvedBusOptions): Promise<EventDriver>;
  };
  return async (options) => {
    const driver = await createRedisDriver({ ...options, backend: 'redis', url });
    give(driver as unknown as OpenDriver);
    return driver;
  };
}

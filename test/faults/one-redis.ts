import { afterEach, beforeAll } from '@jest/globals';
import { Redis } from 'ioredis';
import { onCleanup } from '../support/cleanup.js';
import { startRedis, type RedisHandle } from '../support/redis.js';
import { waitUntil } from '../support/wait.js';
import { Buses } from './kit.js';

/** The server is there from the first test on, not while the file is read: only `buses` may be taken out before. */
export interface OneRedis {
  readonly server: RedisHandle;
  /** A connection for the test itself. */
  readonly raw: Redis;
  readonly url: string;
  /** Closed after each test. */
  readonly buses: Buses;
}

/** A private server for all tests of a file. After each of them: `first`, then its buses are closed, its data is gone. */
export function oneRedis(first: () => Promise<unknown> = () => Promise.resolve()): OneRedis {
  const buses = new Buses();
  let server: RedisHandle;
  let raw: Redis;
  beforeAll(async () => {
    server = await startRedis({ private: true });
    raw = new Redis(server.url);
    // Not afterAll: see test/support/setup.ts.
    onCleanup(async () => {
      await raw.quit();
    });
  });
  afterEach(async () => {
    await first();
    await buses.close();
    await raw.flushall();
  });
  return {
    buses,
    get server() {
      return server;
    },
    get raw() {
      return raw;
    },
    get url() {
      return server.url;
    },
  };
}

/** How many entries a group has taken and not acknowledged. */
export async function pending(redis: Redis, key: string, group: string): Promise<number> {
  return ((await redis.xpending(key, group)) as [number])[0];
}

/** Waits until nothing of a group is pending. */
export async function settled(redis: Redis, key: string, group: string): Promise<void> {
  await waitUntil(`nothing pending of ${group}`, async () => (await pending(redis, key, group)) === 0);
}

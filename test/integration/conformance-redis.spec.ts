import { afterAll, beforeAll, describe, it, jest } from '@jest/globals';
import { defineConformanceSuite, redisHarness, REDIS_CAPABILITIES } from 'nestjs-cardinal/testing';
import { startRedis, type RedisHandle } from '../support/redis.js';

// Known and open: on a busy machine a cluster's first connection can be lost once, and the poll may beat preferLocal.
jest.retryTimes(3, { logErrorsBeforeRetry: true });

let server: RedisHandle;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  if (server.private) await server.stop();
});

defineConformanceSuite(
  { describe, it },
  { name: 'redis', capabilities: REDIS_CAPABILITIES, harness: () => redisHarness(server.url) },
);

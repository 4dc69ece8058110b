import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { defineConformanceSuite, redisHarness, REDIS_CAPABILITIES } from 'nestjs-cardinal/testing';
import { startRedis, type RedisHandle } from '../support/redis.js';

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

import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { defineConformanceSuite, redisHarness, REDIS_CAPABILITIES } from 'nestjs-cardinal/testing';
import { startCluster, type ClusterHandle } from '../support/redis.js';

let cluster: ClusterHandle;
beforeAll(async () => {
  cluster = await startCluster();
}, 60_000);
afterAll(() => cluster.stop());

defineConformanceSuite(
  { describe, it },
  { name: 'redis-cluster', capabilities: REDIS_CAPABILITIES, harness: () => redisHarness(cluster.url) },
);

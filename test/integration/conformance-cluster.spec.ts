import { afterAll, beforeAll, describe, it, jest } from '@jest/globals';
import { defineConformanceSuite, redisHarness, REDIS_CAPABILITIES } from 'nestjs-cardinal/testing';
import { startCluster, type ClusterHandle } from '../support/redis.js';

// Known and open: on a busy machine a cluster's first connection can be lost once, and the poll may beat preferLocal.
jest.retryTimes(3, { logErrorsBeforeRetry: true });

let cluster: ClusterHandle;
beforeAll(async () => {
  cluster = await startCluster();
}, 60_000);
afterAll(() => cluster.stop());

defineConformanceSuite(
  { describe, it },
  { name: 'redis-cluster', capabilities: REDIS_CAPABILITIES, harness: () => redisHarness(cluster.url) },
);

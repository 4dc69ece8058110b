import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Payload } from '../payload.js';
import type { OpenStreamPeer } from './stream-peer.js';

const CONCURRENCY = 100;
const NAME = 'bench';

export const openBullMq: OpenStreamPeer = async ({ redisUrl, prefix }, handle) => {
  const connections: Redis[] = [];
  const connect = (): Redis => {
    const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
    connections.push(redis);
    return redis;
  };
  const queue = new Queue<Payload>(NAME, {
    connection: connect(),
    prefix: prefix.slice(0, -1),
    // Nothing is kept, as after an acknowledgement.
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
  await queue.waitUntilReady();
  let open = 0;
  let settled: () => void = () => undefined;
  let worker: Worker<Payload> | undefined;
  if (handle) {
    worker = new Worker<Payload>(
      NAME,
      (job) => {
        open++;
        handle(job.data);
        return Promise.resolve();
      },
      { connection: connect(), prefix: prefix.slice(0, -1), concurrency: CONCURRENCY },
    );
    // Told when Redis has moved the job away.
    worker.on('completed', () => {
      if (--open === 0) settled();
    });
    worker.on('error', (error) => {
      process.stderr.write(`bullmq: ${error.message}\n`);
    });
    await worker.waitUntilReady();
  }
  return {
    async publish(payloads) {
      await queue.addBulk(payloads.map((data) => ({ name: NAME, data })));
    },
    acknowledged: () => {
      if (open === 0) return Promise.resolve();
      return new Promise((resolve) => {
        settled = resolve;
      });
    },
    trim: () => Promise.resolve(),
    async close() {
      await worker?.close(true);
      await queue.close();
      for (const each of connections) each.disconnect();
    },
  };
};

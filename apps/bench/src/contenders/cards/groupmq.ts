import { Queue, Worker } from 'groupmq';
import { Redis } from 'ioredis';
import type { Payload } from '../payload.js';
import type { OpenStreamPeer } from '../stream/stream-peer.js';
import { cardOf, cardSetup } from './card-of.js';

/** A FIFO for each group on Redis; without fencing. */
export const openGroupMq: OpenStreamPeer = (setup, handle) => {
  const { redisUrl, prefix } = setup;
  const { perCard, concurrency } = cardSetup(setup);
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue<Payload>({ redis, namespace: prefix });
  let open = 0;
  let settled: () => void = () => undefined;
  let worker: Worker<Payload> | undefined;
  if (handle) {
    worker = new Worker<Payload>({
      queue,
      concurrency,
      handler: (job) => {
        open++;
        handle(job.data);
        return Promise.resolve();
      },
    });
    worker.on('completed', () => {
      if (--open === 0) settled();
    });
    worker.on('error', (error) => {
      process.stderr.write(`groupmq: ${String(error)}\n`);
    });
    void worker.run();
  }
  return Promise.resolve({
    async publish(payloads) {
      await Promise.all(payloads.map((data) => queue.add({ groupId: cardOf(data, perCard), data })));
    },
    acknowledged: () => {
      if (open === 0) return Promise.resolve();
      return new Promise((resolve) => {
        settled = resolve;
      });
    },
    trim: () => Promise.resolve(),
    async close() {
      await worker?.close(0);
      redis.disconnect();
    },
  });
};

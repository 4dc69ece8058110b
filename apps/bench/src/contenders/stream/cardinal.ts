import { Redis } from 'ioredis';
import { createEventBus, type CreateEventBusOptions } from 'nestjs-cardinal';
import { logger } from '../logger.js';
import { EVENT_TYPE, type Payload } from '../payload.js';
import { nothingPending } from './pending.js';
import type { OpenStreamPeer } from './stream-peer.js';

const GROUP = 'bench';

/**
 * Options: `prefetch` and `concurrency`, the library's defaults without them; `single`: events are published one call
 * each instead of by `publishMany`.
 */
export const openCardinal: OpenStreamPeer = async ({ redisUrl, prefix, options: setup }, handle) => {
  const { prefetch, concurrency, single } = setup as { prefetch?: number; concurrency?: number; single?: boolean };
  const options: CreateEventBusOptions = { service: 'bench', url: redisUrl, keyPrefix: prefix, logger };
  if (prefetch !== undefined) options.prefetch = prefetch;
  if (concurrency !== undefined) options.concurrency = concurrency;
  const bus = await createEventBus(options);
  const take = (payload: unknown): Promise<void> => {
    handle?.(payload as Payload);
    return Promise.resolve();
  };
  const subscription = await bus.subscribe(EVENT_TYPE, take, { group: GROUP, name: 'count' });
  // A producer's group stays behind, so that the events are kept for it.
  if (!handle) await subscription.close();
  const redis = new Redis(redisUrl);
  return {
    async publish(payloads) {
      if (single === true) await Promise.all(payloads.map((payload) => bus.publish(EVENT_TYPE, payload)));
      else await bus.publishMany(payloads.map((payload) => ({ type: EVENT_TYPE, payload })));
    },
    acknowledged: () => nothingPending(redis, prefix),
    trim: () => Promise.resolve(),
    async close() {
      await bus.close();
      redis.disconnect();
    },
  };
};

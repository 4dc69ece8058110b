import { Redis } from 'ioredis';
import { createEventBus } from 'nestjs-cardinal';
import { logger } from '../logger.js';
import type { Payload } from '../payload.js';
import { keys } from '../stream/pending.js';
import type { OpenStreamPeer } from '../stream/stream-peer.js';
import { cardOf, cardSetup, forget } from './card-of.js';

const TOPIC = 'order';

export const openCardinal: OpenStreamPeer = async (setup, handle) => {
  const { redisUrl, prefix } = setup;
  const { perCard, concurrency, batch } = cardSetup(setup);
  const options = { service: 'bench', url: redisUrl, keyPrefix: prefix, cards: { streamPrefix: prefix }, logger };
  const bus = await createEventBus(options);
  const one = (payload: unknown): Promise<void> => {
    handle?.(payload as Payload);
    return Promise.resolve();
  };
  const several = (payloads: readonly unknown[]): Promise<void> => {
    for (const payload of payloads) handle?.(payload as Payload);
    return Promise.resolve();
  };
  if (handle) {
    const how = { name: 'count', concurrency };
    if (batch === undefined) await bus.cards.subscribe(TOPIC, one, how);
    else await bus.cards.subscribe(TOPIC, several, { ...how, batch: { size: batch, maxWait: 0 } });
  }
  const redis = new Redis(redisUrl);
  return {
    async publish(payloads) {
      await bus.cards.publishMany(
        payloads.map((payload) => ({ topic: TOPIC, cardId: cardOf(payload, perCard), payload })),
      );
    },
    async acknowledged() {
      // No card is anybody's: each was given back with its last acknowledgement.
      while ((await keys(redis, `${prefix}{*:own`, 'hash')).length > 0) await new Promise(setImmediate);
    },
    // What reaping would do after ten minutes.
    trim: () => forget(redis, `${prefix}${TOPIC}:*`),
    async close() {
      await bus.close();
      redis.disconnect();
    },
  };
};

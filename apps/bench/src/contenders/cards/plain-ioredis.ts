import { Redis } from 'ioredis';
import type { Payload } from '../payload.js';
import type { OpenStreamPeer } from '../stream/stream-peer.js';
import { cardOf, cardSetup, forget } from './card-of.js';

const CONSUMER = 'o';

/**
 * What the server allows without anything around it: one process that knows by itself which cards have events, owns none
 * and fences nothing. A stream a card; each event acknowledged and deleted before the next one of its card.
 */
export const openPlainIoredis: OpenStreamPeer = (setup, handle) => {
  const { redisUrl, prefix } = setup;
  const { perCard, concurrency, batch } = cardSetup(setup);
  const redis = new Redis(redisUrl, { enableAutoPipelining: true });
  const ready = new Set<string>();
  const inHand = new Set<string>();
  let idle: () => void = () => undefined;

  const drain = async (card: string): Promise<void> => {
    const key = prefix + card;
    for (;;) {
      const read = await redis.xreadgroup('GROUP', card, CONSUMER, 'COUNT', batch ?? 16, 'STREAMS', key, '>');
      const entries = (read as [string, [string, string[]][]][] | null)?.[0]?.[1] ?? [];
      if (entries.length === 0) return;
      if (batch === undefined) {
        for (const [id, fields] of entries) {
          handle?.(JSON.parse(fields[1] ?? '') as Payload);
          await Promise.all([redis.xack(key, card, id), redis.xdel(key, id)]);
        }
      } else {
        for (const [, fields] of entries) handle?.(JSON.parse(fields[1] ?? '') as Payload);
        const ids = entries.map(([id]) => id);
        await Promise.all([redis.xack(key, card, ...ids), redis.xdel(key, ...ids)]);
      }
    }
  };

  const pump = (): void => {
    for (const card of ready) {
      if (inHand.size >= concurrency) return;
      if (inHand.has(card)) continue;
      ready.delete(card);
      inHand.add(card);
      void drain(card).then(() => {
        inHand.delete(card);
        pump();
        if (inHand.size + ready.size === 0) idle();
      });
    }
  };

  return Promise.resolve({
    async publish(payloads) {
      const cards = new Set(payloads.map((payload) => cardOf(payload, perCard)));
      const pipeline = redis.pipeline();
      for (const card of cards) pipeline.xgroup('CREATE', prefix + card, card, '0', 'MKSTREAM');
      for (const payload of payloads)
        pipeline.xadd(prefix + cardOf(payload, perCard), '*', 'data', JSON.stringify(payload));
      await pipeline.exec();
      if (!handle) return;
      for (const card of cards) ready.add(card);
      pump();
    },
    acknowledged: () => {
      if (inHand.size + ready.size === 0) return Promise.resolve();
      return new Promise<void>((resolve) => {
        idle = resolve;
      });
    },
    trim: () => forget(redis, `${prefix}card-*`),
    close() {
      redis.disconnect();
      return Promise.resolve();
    },
  });
};

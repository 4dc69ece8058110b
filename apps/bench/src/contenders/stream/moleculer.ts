import channels from '@moleculer/channels';
import { Redis } from 'ioredis';
import { ServiceBroker } from 'moleculer';
import { EVENT_TYPE, type Payload } from '../payload.js';
import { nothingPending } from './pending.js';
import type { OpenStreamPeer } from './stream-peer.js';

const MAX_IN_FLIGHT = 500;

interface ChannelBroker {
  sendToChannel: (channel: string, payload: unknown) => Promise<void>;
}

export const openMoleculer: OpenStreamPeer = async ({ redisUrl, prefix }, handle) => {
  const broker = new ServiceBroker({
    logger: false,
    middlewares: [
      channels.Middleware({
        adapter: { type: 'Redis', options: { redis: redisUrl, prefix, maxInFlight: MAX_IN_FLIGHT } },
      }),
    ],
  });
  if (handle) {
    const handler = (payload: Payload): Promise<void> => {
      handle(payload);
      return Promise.resolve();
    };
    const service = { name: 'bench', channels: { [EVENT_TYPE]: { group: 'bench', handler } } };
    broker.createService(service);
  }
  const key = `${prefix}.${EVENT_TYPE}`;
  const redis = new Redis(redisUrl);
  if (!handle) await redis.xgroup('CREATE', key, 'bench', '$', 'MKSTREAM').catch(() => undefined);
  await broker.start();
  const { sendToChannel } = broker as unknown as ChannelBroker;
  return {
    async publish(payloads) {
      await Promise.all(payloads.map((payload) => sendToChannel(EVENT_TYPE, payload)));
    },
    acknowledged: () => nothingPending(redis, prefix),
    async trim() {
      await redis.xtrim(key, 'MAXLEN', 0);
    },
    async close() {
      await broker.stop();
      redis.disconnect();
    },
  };
};

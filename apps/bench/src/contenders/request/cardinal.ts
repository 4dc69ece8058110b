import { createEventBus } from 'nestjs-cardinal';
import { logger } from '../logger.js';
import { EVENT_TYPE, type Payload } from '../payload.js';
import type { OpenCaller, OpenResponder } from './request-peer.js';

/** Ours without Nest. */
export const openCardinalCaller: OpenCaller = async ({ redisUrl, prefix }) => {
  const bus = await createEventBus({ service: 'caller', url: redisUrl, keyPrefix: prefix, logger });
  return {
    ask: (payload) => bus.publishAndWait(EVENT_TYPE, payload),
    close: () => bus.close(),
  };
};

export const openCardinalResponder: OpenResponder = async ({ redisUrl, prefix }, answer) => {
  const bus = await createEventBus({ service: 'responder', url: redisUrl, keyPrefix: prefix, logger });
  await bus.subscribe(EVENT_TYPE, (payload: unknown) => answer(payload as Payload));
  return { close: () => bus.close() };
};

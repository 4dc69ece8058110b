import { createEventBus } from 'nestjs-cardinal';
import { logger } from '../logger.js';
import { EVENT_TYPE, type Payload } from '../payload.js';
import type { OpenInProcessSystem } from './in-process-system.js';

/** Ours in memory, without Nest. Option `isolate`. */
export const openCardinal: OpenInProcessSystem = async ({ options }, handle) => {
  const bus = await createEventBus({ service: 'bench', isolate: options['isolate'] === true, logger });
  await bus.subscribe(EVENT_TYPE, (payload: unknown) => handle(payload as Payload));
  return {
    publish: (payload) => bus.publish(EVENT_TYPE, payload),
    settle: (payload) => bus.publish(EVENT_TYPE, payload, { settle: true }),
    emit: (payload) => {
      bus.emit(EVENT_TYPE, payload);
    },
    close: () => bus.close(),
  };
};

import { IsInt } from 'class-validator';
import { createEventBus, EventType, type EventContext, type SubscribeOptions } from 'nestjs-cardinal';
import { z } from 'zod';
import { logger } from '../logger.js';
import { EVENT_TYPE, type Payload } from '../payload.js';
import type { OpenInProcessSystem } from './in-process-system.js';

class Plain {
  i!: number;
}
EventType(EVENT_TYPE)(Plain);

class Ruled {
  i!: number;
}
EventType(EVENT_TYPE)(Ruled);
IsInt()(Ruled.prototype, 'i');

class Shaped {
  i!: number;
}
EventType(EVENT_TYPE, { schema: z.object({ i: z.number().int() }) })(Shaped);

const CLASSES = { class: Plain, validator: Ruled, schema: Shaped } as const;

const OPTIONS: Readonly<Record<string, SubscribeOptions>> = {
  bare: { timeout: 0, retry: { attempts: 1 } },
  filter: { filter: ({ i }: Payload) => i >= 0 },
  idempotent: { name: 'idempotent', idempotent: true },
  failing: { retry: { attempts: 2, delay: 0 } },
};

/** Ours in memory, with one option of handlers: `handler` names it. */
export const openCardinalOptions: OpenInProcessSystem = async ({ options }, handle) => {
  const which = String(options['handler']);
  // Each event that fails once is a line in the log: nobody reads it here.
  const silent = { ...logger, error: () => undefined };
  const bus = await createEventBus({ service: 'bench', isolate: false, logger: silent });
  const target = CLASSES[which as keyof typeof CLASSES] as (typeof CLASSES)[keyof typeof CLASSES] | undefined;
  await bus.subscribe(
    target ?? EVENT_TYPE,
    (payload: unknown, { attempt }: EventContext) => {
      if (which === 'failing' && attempt === 1) throw new Error('the first attempt');
      return handle(payload as Payload);
    },
    OPTIONS[which] ?? {},
  );
  return {
    publish: (payload) =>
      target === undefined ? bus.publish(EVENT_TYPE, payload) : bus.publish(Object.assign(new target(), payload)),
    emit: (payload) => {
      bus.emit(EVENT_TYPE, payload);
    },
    close: () => bus.close(),
  };
};

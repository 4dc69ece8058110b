import { Redis } from 'ioredis';
import { createEventBus, type CardContext, type EventsLogger, type SystemWarning } from 'nestjs-cardinal';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Role, WorkerReport, WorkerSetup } from '../../crew/setup.js';
import { FencedSink } from '../../sink/fenced-sink.js';
import { fateOf } from './fate.js';
import { namesOf, TOPIC, type Payload } from './topic.js';

/** A consumer of cards. Its handler pays no heed to its signal, as the worst of handlers: the sink has to keep it out. */
export async function open({ instanceId, url, directUrl, prefix, seed, lease }: WorkerSetup): Promise<Role> {
  const redis = new Redis(directUrl);
  const names = namesOf(prefix);
  const sink = new FencedSink(redis, names.sink);
  const bus = await createEventBus({
    service: 'chaos',
    env: false,
    instanceId,
    url,
    logger: teller(),
    shutdownTimeout: '2s',
    keyPrefix: names.bus.keyPrefix,
    cards: { ...names.bus.cards, lease, quantum: 16, sweep: '1s', scan: '2s', idleAfter: '3s' },
  });
  const handle = async (payload: Payload, context: CardContext): Promise<void> => {
    const number = Number(payload.number);
    const { fails, pause } = fateOf(seed, payload.card, number);
    if (fails === 'always') throw new Error('poison');
    if (pause > 0) await sleep(pause);
    if (fails === 'before' && context.attempt === 1) throw new Error('before the effect');
    const { cardId: card, fencingToken: token, sequence } = context;
    await sink.apply({ card, token, sequence, note: `${number} ${instanceId}` });
    if (fails === 'after' && context.attempt === 1) throw new Error('after the effect');
  };
  // One warning a second is told, with how many were held back since the one before.
  await bus.subscribe<SystemWarning>('system.warning', ({ cause, suppressed }) => {
    if (cause === 'card-lost') return redis.incrby(names.refused, 1 + suppressed);
    return undefined;
  });
  await bus.cards.subscribe(TOPIC, handle, {
    name: 'chaos',
    concurrency: 50,
    retry: { attempts: 4, delay: 20, maxDelay: 200 },
  });
  return {
    async close() {
      await bus.close();
      await redis.quit();
    },
  };
}

/** Warnings and errors go to the parent. */
function teller(): EventsLogger {
  const say =
    (level: 'warn' | 'error') =>
    (said: string): void => {
      process.send?.({ said, level } satisfies WorkerReport);
    };
  return { log: () => {}, debug: () => {}, warn: say('warn'), error: say('error') };
}

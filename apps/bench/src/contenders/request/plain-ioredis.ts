import { Redis } from 'ioredis';
import type { Payload } from '../payload.js';
import type { Answer, OpenCaller, OpenResponder } from './request-peer.js';

interface Request {
  readonly id: number;
  readonly payload: Payload;
}
interface Reply {
  readonly id: number;
  readonly value: Answer;
}

/** The limit: a PUBLISH there, a PUBLISH back; nothing is stored. */
export const openPlainCaller: OpenCaller = async ({ redisUrl, prefix }) => {
  const [commands, subscriber] = [new Redis(redisUrl), new Redis(redisUrl)];
  const waiting = new Map<number, (value: Answer) => void>();
  let last = 0;
  await subscriber.subscribe(`${prefix}reply`);
  subscriber.on('message', (_channel, text) => {
    const { id, value } = JSON.parse(text) as Reply;
    waiting.get(id)?.(value);
    waiting.delete(id);
  });
  return {
    ask: (payload) =>
      new Promise((resolve, reject) => {
        const id = ++last;
        waiting.set(id, resolve);
        commands.publish(`${prefix}request`, JSON.stringify({ id, payload } satisfies Request)).catch(reject);
      }),
    close: () => {
      for (const each of [commands, subscriber]) each.disconnect();
      return Promise.resolve();
    },
  };
};

export const openPlainResponder: OpenResponder = async ({ redisUrl, prefix }, answer) => {
  const [commands, subscriber] = [new Redis(redisUrl), new Redis(redisUrl)];
  await subscriber.subscribe(`${prefix}request`);
  subscriber.on('message', (_channel, text) => {
    const { id, payload } = JSON.parse(text) as Request;
    const reply = (value: Answer): void => {
      void commands.publish(`${prefix}reply`, JSON.stringify({ id, value } satisfies Reply));
    };
    const value = answer(payload);
    if (value instanceof Promise) void value.then(reply);
    else reply(value);
  });
  return {
    close: () => {
      for (const each of [commands, subscriber]) each.disconnect();
      return Promise.resolve();
    },
  };
};

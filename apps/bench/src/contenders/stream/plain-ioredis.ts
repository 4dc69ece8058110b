import { Redis } from 'ioredis';
import type { Payload } from '../payload.js';
import type { OpenStreamPeer } from './stream-peer.js';

const GROUP = 'bench';
const COUNT = 500;

type Entries = [id: string, fields: string[]][];

/** The limit: what Redis and its client can do, with nothing around them but JSON. */
export const openPlainIoredis: OpenStreamPeer = async ({ redisUrl, prefix }, handle) => {
  const key = `${prefix}stream`;
  const commands = new Redis(redisUrl);
  await commands.xgroup('CREATE', key, GROUP, '$', 'MKSTREAM').catch((error: unknown) => {
    if (!String(error).includes('BUSYGROUP')) throw error;
  });
  const reader = handle === undefined ? undefined : new Redis(redisUrl);
  const acks = new Set<Promise<unknown>>();
  let closing = false;

  const read = async (from: Redis, give: (payload: Payload) => void): Promise<void> => {
    while (!closing) {
      const reply = (await from.xreadgroup(
        'GROUP',
        GROUP,
        'c',
        'COUNT',
        COUNT,
        'BLOCK',
        1_000,
        'STREAMS',
        key,
        '>',
      )) as [stream: string, entries: Entries][] | null;
      const entries = reply?.[0]?.[1];
      if (entries === undefined) continue;
      for (const [, fields] of entries) give(JSON.parse(fields[1] ?? '') as Payload);
      const ack = commands.xack(key, GROUP, ...entries.map(([id]) => id));
      acks.add(ack);
      void ack.finally(() => acks.delete(ack));
    }
  };
  const reading =
    reader && handle
      ? read(reader, handle).catch((error: unknown) => {
          if (!closing) throw error;
        })
      : undefined;

  return {
    async publish(payloads) {
      const pipeline = commands.pipeline();
      for (const payload of payloads) pipeline.xadd(key, '*', 'data', JSON.stringify(payload));
      for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
    },
    async acknowledged() {
      await Promise.all(acks);
    },
    async trim() {
      await commands.xtrim(key, 'MAXLEN', 0);
    },
    async close() {
      closing = true;
      reader?.disconnect();
      await reading;
      commands.disconnect();
    },
  };
};

import { beforeAll, beforeEach, expect } from '@jest/globals';
import { Redis } from 'ioredis';
import { waitFor } from 'nestjs-cardinal/testing';
import { oneRedis } from '../faults/one-redis.js';
import { onCleanup } from '../support/cleanup.js';
import { scripts, type Script } from '../support/internals.js';

/** Scripts called by themselves, on a private server; what they publish goes to the channel `news`. */
export interface BareScripts {
  /** There from the first test on, not while the file is read. */
  readonly raw: Redis;
  run(name: string, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown>;
  /** Everything that was published since the last call, after a mark that comes last. */
  heard(): Promise<string[]>;
}

export function bareScripts(): BareScripts {
  const redis = oneRedis();
  let all: Readonly<Record<string, Script>>;
  let news: string[] = [];
  beforeAll(async () => {
    const listener = new Redis(redis.url);
    onCleanup(async () => {
      await listener.quit();
    });
    listener.on('message', (_channel: string, message: string) => news.push(message));
    await listener.subscribe('news');
    all = await scripts();
  });
  beforeEach(() => {
    news = [];
  });
  return {
    get raw() {
      return redis.raw;
    },
    async run(name, keys, args) {
      const script = all[name];
      if (script === undefined) throw new Error(`there is no script ${name}`);
      expect(keys).toHaveLength(script.keys);
      return redis.raw.eval(script.lua, script.keys, ...keys, ...args);
    },
    async heard() {
      await redis.raw.publish('news', 'mark');
      await waitFor(() => news.includes('mark'));
      return news.splice(0).slice(0, -1);
    },
  };
}

import { describe, expect, it } from '@jest/globals';
import type { EventContext, RetryOptions } from 'nestjs-cardinal';
import { RedisProxy } from '../support/proxy.js';
import { Lines, reaches, script } from './kit.js';
import { oneRedis, settled } from './one-redis.js';

/** A failure is settled by one script: dead letters, retries and the acknowledgement together. */

const redis = oneRedis();
const { buses } = redis;

const retry: RetryOptions = { attempts: 3, delay: 20, backoff: 'fixed', jitter: false };
const T = 'events:{t:a.b}:';

describe('the connection is cut at every settlement of a failure', () => {
  const broadcast = { mode: 'broadcast', stream: `${T}log`, group: 'g', name: ':g' } as const;
  const anycast = { mode: 'anycast', stream: `${T}any`, group: 'anycast', name: '' } as const;

  it.each(
    [broadcast, anycast].flatMap((row) => [
      { ...row, lose: 'reply' as const },
      { ...row, lose: 'command' as const },
    ]),
  )(
    '$mode, $lose lost: each attempt is made once, in the end there is one dead letter, and nothing else is left',
    async ({ mode, stream, group, name, lose }) => {
      const proxy = await RedisProxy.start(redis.server);
      const lines = new Lines();
      const bus = await buses.open(proxy.url, {}, lines);
      const settle = await script('settle');
      const attempts: number[] = [];
      const lost: Promise<void>[] = [];
      const handler = (_: unknown, { attempt }: EventContext): void => {
        attempts.push(attempt);
        lost.push(proxy.loseNext(settle, lose).done);
        throw new Error(`attempt ${String(attempt)} fails`);
      };
      await bus.subscribe('a.b', handler, { group: 'g', name: 'h', retry });
      await bus.publish('a.b', 1, { mode });
      await reaches('attempts', 3, () => attempts.length);
      await Promise.all(lost);
      await reaches('dead letters told of', 1, () => lines.count('is a dead letter'));

      await settled(redis.raw, stream, group);
      await settled(redis.raw, `${T}redo${name}`, group);
      const { raw } = redis;
      expect([await raw.xlen(`${T}redo${name}`), await raw.exists(`${T}wait${name}`, `${T}solo${name}`)]).toEqual([
        0, 0,
      ]);
      const { items, total } = await bus.deadLetters.list();
      expect(total).toBe(1);
      expect(items[0]).toMatchObject({ attempts: 3, handler: 'h', error: 'attempt 3 fails' });
      expect(attempts).toEqual([1, 2, 3]);
      expect(lines.count('taken over')).toBe(0);
    },
  );

  it.each(['reply', 'command'] as const)(
    'several handlers of a group, %s lost: one is tried again, one has its dead letter, the third is done',
    async (lose) => {
      const proxy = await RedisProxy.start(redis.server);
      const lines = new Lines();
      const bus = await buses.open(proxy.url, {}, lines);
      const runs: string[] = [];
      const handle =
        (name: string, failures: number) =>
        (_: unknown, { attempt }: EventContext): void => {
          runs.push(`${name} ${String(attempt)}`);
          if (attempt <= failures) throw new Error(`${name} fails`);
        };
      await bus.subscribe('a.b', handle('again', 1), { group: 'g', name: 'again', retry });
      await bus.subscribe('a.b', handle('dead', 1), { group: 'g', name: 'dead', retry: { attempts: 1 } });
      await bus.subscribe('a.b', handle('done', 0), { group: 'g', name: 'done' });
      const lost = proxy.loseNext(await script('settle'), lose);
      await bus.publish('a.b', 1);
      await lost.done;
      await reaches('runs', 4, () => runs.length);
      await settled(redis.raw, `${T}log`, 'g');
      await settled(redis.raw, `${T}redo:g`, 'g');
      expect(runs).toEqual(['again 1', 'dead 1', 'done 1', 'again 2']);
      expect((await bus.deadLetters.list()).items.map(({ handler }) => handler)).toEqual(['dead']);
      expect(await redis.raw.exists(`${T}wait:g`)).toBe(0);
      expect(lines.count('taken over')).toBe(0);
    },
  );
});

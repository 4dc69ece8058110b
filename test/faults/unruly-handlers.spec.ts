import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { DeadLetter } from 'nestjs-cardinal';
import { startChild } from '../support/child.js';
import type { GuardedProcess } from '../support/guarded.js';
import { startRedis, type RedisHandle } from '../support/redis.js';
import { waitUntil } from '../support/wait.js';
import type { Deed, Unruly } from './children/unruly.js';
import { Buses, numbers, random, sorted } from './kit.js';

let server: RedisHandle;
let raw: Redis;
const buses = new Buses();

beforeAll(async () => {
  server = await startRedis({ private: true });
  raw = new Redis(server.url);
});
afterEach(async () => {
  await buses.close();
  await raw.flushall();
});
afterAll(async () => {
  await raw.quit();
  await server.stop('SIGKILL');
});

/** Keeps so many processes alive: one that has died is replaced. */
class Crew {
  readonly lines: string[] = [];
  deaths = 0;
  private readonly running = new Set<GuardedProcess>();
  private over = false;

  constructor(private readonly config: object) {}

  async start(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.one()));
  }

  /** Numbers whose handler has ended well. */
  done(): number[] {
    return this.lines.filter((line) => line.startsWith('done ')).map((line) => Number(line.slice('done '.length)));
  }

  /** Attempts at an event. */
  attempts(number: number): string[] {
    return this.lines.filter((line) => line.startsWith(`got ${String(number)} `));
  }

  async stop(): Promise<void> {
    this.over = true;
    for (const child of this.running) child.kill('SIGKILL');
    await Promise.all([...this.running].map((child) => child.exited));
  }

  private async one(): Promise<void> {
    const child = await startChild('test/faults/children/unruly.ts', { args: [JSON.stringify(this.config)] });
    this.running.add(child);
    void child.exited.then(() => {
      this.running.delete(child);
      this.lines.push(...child.lines);
      if (this.over) return;
      this.deaths += 1;
      // It may die again before it is ready.
      this.one().catch(() => undefined);
    });
    await child.line('ready');
  }
}

/** Waits until the group has nothing left to do. */
async function finished(): Promise<void> {
  await waitUntil(
    'everything to be handled or dead',
    async () => {
      const [pending] = (await raw.xpending('events:{t:work}:log', 'g')) as [number];
      const [group] = (await raw.xinfo('GROUPS', 'events:{t:work}:log')) as unknown[][];
      const lag = group?.[group.indexOf('lag') + 1];
      const left = (await raw.xlen('events:{t:work}:redo:g')) + (await raw.zcard('events:{t:work}:wait:g'));
      return pending === 0 && lag === 0 && left === 0;
    },
    { timeout: 100_000 },
  );
}

async function letters(url: string): Promise<readonly DeadLetter[]> {
  const bus = await buses.open(url);
  return (await bus.deadLetters.list({ pageSize: 1_000 })).items;
}

const numberOf = ({ event }: DeadLetter): number => (event?.payload as Unruly).number;

describe('row 11: a poison event', () => {
  it('kills its process, is handled alone, and ends as a dead letter; its neighbours are all handled', async () => {
    const publisher = await buses.open(server.url);
    const crew = new Crew({ url: server.url, reclaimAfter: '1s' });
    try {
      await crew.start(1);
      const poison = 7;
      await Promise.all(
        numbers(30).map((number) =>
          publisher.publish('work', { number, plan: [number === poison ? 'crash' : 'ok'] } satisfies Unruly),
        ),
      );
      await finished();
      await crew.stop();
      const dead = await letters(server.url);
      expect(dead.map((letter) => [numberOf(letter), letter.reason])).toEqual([[poison, 'crashed']]);
      expect(sorted(new Set(crew.done()))).toEqual(numbers(30).filter((number) => number !== poison));
      // Twice among others, then alone as often as it has attempts.
      expect(crew.attempts(poison)).toHaveLength(5);
      expect(crew.deaths).toBe(5);
    } finally {
      await crew.stop();
    }
  });
});

describe('random handlers that fail, hang, reject, and kill their process', () => {
  it('end with every event either handled or a dead letter, and none both', async () => {
    const { seed, next, below } = random();
    process.stderr.write(`FAULT_SEED=${String(seed)}\n`);
    const publisher = await buses.open(server.url);
    const crew = new Crew({ url: server.url, reclaimAfter: '1s', prefetch: 16, concurrency: 8 });
    let crashes = 4;
    const trouble = (): Deed => {
      const draw = next();
      if (draw < 0.4) return 'fail';
      if (draw < 0.6) return 'later';
      if (draw < 0.7) return 'reject';
      return draw < 0.85 || crashes-- <= 0 ? 'hang' : 'crash';
    };
    // What has once ended well ends well for ever: a neighbour's crash may bring it again before it is acknowledged.
    const plan = (): Deed[] => [...numbers(below(3)).map(trouble), next() < 0.8 ? 'ok' : trouble()];
    try {
      await crew.start(2);
      const events = numbers(200).map((number): Unruly => ({ number, plan: plan() }));
      for (const event of events) await publisher.publish('work', event);
      await finished();
      await crew.stop();
      const dead = (await letters(server.url)).map(numberOf);
      const done = new Set(crew.done());
      expect(new Set(dead).size).toBe(dead.length);
      expect(sorted([...done, ...dead])).toEqual(numbers(200));
    } finally {
      await crew.stop();
    }
  });
});

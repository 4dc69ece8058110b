import { randomBytes } from 'node:crypto';
import type { EventBus } from '../bus/event-bus.js';
import type { DeadLetterReason } from '../core/delivery.js';
import { systemClock } from '../core/clock.js';
import { createClients, type Client, type Cluster, type Redis } from '../drivers/redis/clients.js';
import { createRedisDriver } from '../drivers/redis/create-redis-driver.js';
import { Keys } from '../drivers/redis/keys.js';
import type { RedisDriver } from '../drivers/redis/redis-driver.js';
import { resolveBusOptions } from '../config/resolve.js';
import { assertCardsKept } from './card-keys-left.js';
import type {
  ConformanceCapability,
  Harness,
  HarnessBusOptions,
  HarnessDeadLetter,
  RawCardOptions,
} from './conformance/harness.js';
import { openTestBus } from './open-bus.js';
import { waitFor, type Truthy, type WaitOptions } from './wait-for.js';

/** What the Redis backend can do of what not every backend can. */
export const REDIS_CAPABILITIES: readonly ConformanceCapability[] = ['raw-entries', 'foreign-entries'];

/**
 * Several drivers with connections of their own on a real server or cluster, under prefixes for keys and for streams of
 * cards that nobody else has.
 */
export async function redisHarness(url: string): Promise<Harness> {
  const prefix = `conformance:${randomBytes(6).toString('hex')}:`;
  const { commands } = await createClients(
    resolveBusOptions('harness', { backend: 'redis', url }, { service: 'test' }),
  );
  await commands.connect();
  return new RedisHarness(url, prefix, commands);
}

class RedisHarness implements Harness {
  private readonly drivers = new Map<EventBus, RedisDriver>();
  private readonly keys: Keys;
  private readonly streamPrefix: string;
  /** Another program has written to cards: some may not be found yet. */
  private foreign = false;

  constructor(
    private readonly url: string,
    private readonly prefix: string,
    private readonly client: Client,
  ) {
    this.keys = new Keys(prefix);
    this.streamPrefix = `${prefix}cards:`;
  }

  async bus(options: HarnessBusOptions = {}): Promise<EventBus> {
    let driver: RedisDriver | undefined;
    const bus = await openTestBus({
      ...options,
      backend: async (limits) => {
        const cards = { ...limits.cards, streamPrefix: this.streamPrefix };
        driver = await createRedisDriver({ ...limits, cards, backend: 'redis', url: this.url, keyPrefix: this.prefix });
        return driver;
      },
    });
    if (driver !== undefined) this.drivers.set(bus, driver);
    return bus;
  }

  crash(bus: EventBus): Promise<void> {
    this.drivers.get(bus)?.crash();
    this.drivers.delete(bus);
    return Promise.resolve();
  }

  async deadLetters(): Promise<readonly HarnessDeadLetter[]> {
    const letters: HarnessDeadLetter[] = [];
    for (const key of await this.find(`${this.prefix}{t:*}:dead`)) {
      for (const [, fields] of await this.client.xrange(key, '-', '+'))
        letters.push(readLetter(key.slice(`${this.prefix}{t:`.length, -'}:dead'.length), fields));
    }
    for (const key of await this.find(`${this.streamPrefix}{*}:*:dead`)) {
      const topic = key.slice(key.indexOf('}:') + '}:'.length, -':dead'.length);
      for (const [, fields] of await this.client.xrange(key, '-', '+')) letters.push(readLetter(topic, fields));
    }
    return letters;
  }

  async rawEntry(type: string, fields: Readonly<Record<string, string>>): Promise<void> {
    await this.client.xadd(this.keys.log(type), '*', ...Object.entries(fields).flat());
    await this.client.publish(this.keys.wake(type), 'b 0');
  }

  async rawCardEntry(
    topic: string,
    cardId: string,
    fields: Readonly<Record<string, string>>,
    { notify = true }: RawCardOptions = {},
  ): Promise<void> {
    this.foreign = true;
    await this.client.xadd(`${this.streamPrefix}${topic}:${cardId}`, '*', ...Object.entries(fields).flat());
    if (notify) await this.client.publish('group_change', `register:${topic}:${cardId}`);
  }

  advance(ms: number): Promise<void> {
    return new Promise((resolve) => {
      systemClock.after(ms, resolve, 'awaited');
    });
  }

  waitFor<T>(predicate: () => T | Promise<T>, options: WaitOptions = {}): Promise<Truthy<T>> {
    return waitFor(predicate, options);
  }

  async close(): Promise<void> {
    await Promise.all([...this.drivers.keys()].map((bus) => bus.close()));
    const keys = await this.find(`${this.prefix}*`);
    try {
      if (!this.foreign) await assertCardsKept(this.client, this.streamPrefix, keys);
    } finally {
      for (const key of keys) await this.client.del(key);
      await this.client.quit();
    }
  }

  private async find(pattern: string): Promise<string[]> {
    const found: string[] = [];
    for (const node of masters(this.client)) {
      let cursor = '0';
      do {
        const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000);
        cursor = next;
        found.push(...keys);
      } while (cursor !== '0');
    }
    return found;
  }
}

function masters(client: Client): Redis[] {
  return client.isCluster ? (client as Cluster).nodes('master') : [client as Redis];
}

function readLetter(type: string, fields: readonly string[]): HarnessDeadLetter {
  const at = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
  const optional = (value: string): string | undefined => (value === '' ? undefined : value);
  let id = '';
  try {
    const row: unknown = fields.includes('ce') ? JSON.parse(at('ce')) : [at('id')];
    id = Array.isArray(row) && typeof row[0] === 'string' ? row[0] : '';
  } catch {
    // An entry that could not be read has no id.
  }
  return {
    type,
    id,
    reason: at('reason') as DeadLetterReason,
    handler: optional(at('handler')),
    group: optional(at('group')),
    attempts: Number(at('attempts')),
    error: at('error'),
    cardId: fields.includes('card') ? at('card') : undefined,
  };
}

import type { Reply } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import { BusClosedError } from '../../core/errors.js';
import { messageOf } from '../../core/message-of.js';
import type {
  DriverCapabilities,
  DriverHost,
  DriverWarning,
  EventDriver,
  Member,
  Sink,
  Source,
  SourceSpec,
  StoreOptions,
} from '../../ports/driver.js';
import type { ResolvedBusOptions } from '../../ports/options.js';
import type { CardStore } from '../../ports/cards.js';
import type { IdempotencyStore, LetterStore } from '../../ports/stores.js';
import { assembleCards } from './cards/assemble-cards.js';
import type { OpenCards } from './cards/open-cards.js';
import { RedisCardStore } from './cards/redis-card-store.js';
import type { Clients } from './clients.js';
import { Connection } from './connection.js';
import { RedisLetters } from './dead-letter-store.js';
import { RedisIdempotency } from './idempotency-store.js';
import { Keys } from './keys.js';
import { Mailer } from './mailer.js';
import { Maintenance } from './maintenance.js';
import { Membership } from './membership.js';
import type { RedisHost } from './redis-host.js';
import { RedisPublisher } from './redis-publisher.js';
import { Repeater } from './repeater.js';
import { RequestAsker } from './request-asker.js';
import { ServerClock } from './server-clock.js';
import { Sources } from './sources.js';
import { Switchboard } from './switchboard.js';
import { TypeRegistry } from './type-registry.js';

/** Between two rounds of the safety net for lost wake-ups, ms. */
const POLL = 1_000;
/** Claims are renewed, and silent consumers looked for, this many times in a reclaim period. */
const BEATS_A_PERIOD = 3;

/**
 * Events between processes, on Redis Streams: stored by scripts, woken by PUBLISH, read without blocking. Works on a
 * server, with Sentinel, and on a Cluster.
 */
export class RedisDriver implements EventDriver {
  readonly capabilities: DriverCapabilities = { name: 'redis', durable: true, distributed: true };
  readonly cards: CardStore = new RedisCardStore(() => this.running().cards);
  readonly deadLetters: LetterStore = new RedisLetters(() => this.running().redis);
  readonly idempotency: IdempotencyStore = new RedisIdempotency(() => this.running().redis);
  private readonly sources = new Sources();
  private parts: Parts | undefined;
  private closed = false;

  constructor(
    private readonly options: ResolvedBusOptions,
    private readonly clients: Clients,
  ) {}

  async open(host: DriverHost): Promise<void> {
    const parts = this.assemble(host);
    const { connection, membership, types, keys, serverClock } = parts.redis;
    try {
      await connection.open();
      await connection.subscribe(keys.news, keys.to(host.instanceId));
      await membership.join();
      parts.redis.openedAt = Math.floor(serverClock.now());
      await types.refresh(true);
    } catch (error) {
      membership.stop();
      connection.disconnect();
      throw error;
    }
    this.parts = parts;
    parts.maintenance.start();
    parts.background.every(POLL, async () => {
      if (!connection.isUp) return;
      await types.refresh();
      this.sources.poll();
    });
    parts.background.every(this.options.reclaimAfter / BEATS_A_PERIOD, async () => {
      if (connection.isUp) await this.sources.renew();
    });
  }

  publish(event: EventEnvelope, options?: StoreOptions): Promise<number> {
    if (this.closed) return Promise.reject(new BusClosedError(this.options.name));
    return this.running().publisher.publish(event, options);
  }

  async attach(spec: SourceSpec, sink: Sink): Promise<Source> {
    const { redis, mailer } = this.running();
    return this.sources.add(spec, sink, redis, mailer);
  }

  async request(event: EventEnvelope, timeout: number, signal?: AbortSignal): Promise<Reply> {
    return this.running().asker.ask(event, timeout, signal);
  }

  async members(): Promise<readonly Member[]> {
    return this.running().redis.membership.refresh();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const { parts } = this;
    if (parts === undefined) return;
    const { connection, membership, warn } = parts.redis;
    parts.background.stop();
    parts.maintenance.stop();
    parts.asker.close();
    if (connection.isUp) {
      await Promise.all([this.sources.close(), parts.cards.close()]);
      await this.leave(parts).catch((error: unknown) => {
        warn({ cause: 'internal', message: `leaving the bus: ${messageOf(error)}; the others will find out` });
      });
    }
    parts.cards.stop();
    membership.stop();
    await connection.close();
  }

  /** Cuts the connections as the death of the process would. For tests. */
  crash(): void {
    this.closed = true;
    this.parts?.background.stop();
    this.parts?.maintenance.stop();
    this.parts?.cards.stop();
    this.parts?.redis.membership.stop();
    this.parts?.redis.connection.disconnect();
  }

  private async leave({ redis: { membership, instanceId }, maintenance }: Parts): Promise<void> {
    await membership.closeInbox();
    await maintenance.emptyInbox(instanceId);
    await membership.leave();
  }

  private running(): Parts {
    if (this.closed || this.parts === undefined) throw new BusClosedError(this.options.name);
    return this.parts;
  }

  private assemble(host: DriverHost): Parts {
    const { bus, service, instanceId, clock } = host;
    const { sources, options: limits } = this;
    const keys = new Keys(limits.keyPrefix);
    const serverClock = new ServerClock(clock);
    const warn = (warning: DriverWarning): void => {
      host.warn(warning);
    };
    const readFailed = (what: string, error: unknown): void => {
      if (!this.closed && connection.isUp)
        warn({ cause: 'internal', message: `${what}: ${messageOf(error)}; it will be tried again`, details: { what } });
    };
    const connection = new Connection(this.clients, bus, clock, {
      restored: () => {
        this.restored(redis, cards);
      },
      message: (channel, message) => {
        switchboard.heard(channel, message);
      },
      warn,
    });
    const types = new TypeRegistry({
      keys,
      connection,
      warn,
      lost: () => {
        sources.redeclare();
      },
      found: (type) => {
        sources.found(type);
      },
    });
    const membership = new Membership({
      bus,
      service,
      instanceId,
      clock,
      keys,
      connection,
      serverClock,
      interests: () => ({ ...sources.interests(), cards: cards.interests() }),
      dead: (instances) => void maintenance.bury(instances),
      taken: () => {
        warn({
          cause: 'internal',
          message: `instance id '${instanceId}' is held by another process since this one was silent for too long; restart this one`,
        });
      },
      failed: (error) => {
        readFailed('the heartbeat', error);
      },
    });
    const redis: Mutable<RedisHost> = {
      ...{ bus, instanceId, clock, keys, connection, types, membership, serverClock, limits, warn, readFailed },
      openedAt: 0,
      announce: () => membership.announce(),
      forgetChannels: (unread) =>
        connection.unsubscribe(...unread.filter((type) => !sources.reads(type)).map((type) => keys.wake(type))),
      detach: (source) => {
        sources.remove(source);
      },
    };
    const cards = assembleCards(redis, service, limits);
    const mailer = new Mailer(connection, keys);
    const asker = new RequestAsker(redis, mailer);
    const maintenance = new Maintenance(redis, clock);
    const switchboard = new Switchboard(redis, sources, asker, cards);
    const publisher = new RedisPublisher({
      bus,
      service,
      instanceId,
      clock,
      keys,
      connection,
      types,
      membership,
      serverClock,
      limits,
      warn,
    });
    const background = new Repeater(clock, (error) => {
      readFailed('background work', error);
    });
    return { redis, mailer, publisher, asker, maintenance, background, cards };
  }

  /** The connection is there again: anything may have been missed meanwhile. */
  private restored({ types, membership, readFailed }: RedisHost, cards: OpenCards): void {
    this.sources.restored();
    cards.restored();
    Promise.all([types.refresh(true), membership.announce()]).catch((error: unknown) => {
      readFailed('after the reconnect', error);
    });
  }
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What the driver is made of. */
interface Parts {
  readonly redis: Mutable<RedisHost>;
  readonly mailer: Mailer;
  readonly publisher: RedisPublisher;
  readonly asker: RequestAsker;
  readonly maintenance: Maintenance;
  readonly background: Repeater;
  readonly cards: OpenCards;
}

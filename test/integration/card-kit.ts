import type {
  BusOptions,
  CardDelivery,
  CardRef,
  CardSource,
  CardStore,
  CardTurn,
  Clock,
  DriverWarning,
  EventDriver,
  EventEnvelope,
  ResolvedBusOptions,
} from 'nestjs-cardinal';
import { waitFor } from 'nestjs-cardinal/testing';
import { oneRedis, type OneRedis } from '../faults/one-redis.js';

/** Drivers of the Redis backend that take cards without the library's runtime: a test says what becomes of each event. */

/** By a path that no tool follows, because tests otherwise use the package by its name. */
const SRC = '../../libs/events/src';
type Resolve = (name: string, options: BusOptions, context: { service: string }) => ResolvedBusOptions;
interface RedisDriver extends EventDriver {
  crash(): void;
}
type Init = Record<string, unknown>;

export const TOPIC = 'orders';
/** Keys beside the streams on one server. */
export const INDEX = `event_stream:{index}:${TOPIC}:`;

let instances = 0;
const open: CardMember[] = [];

/** Closes every member. */
export async function closeCardMembers(): Promise<void> {
  await Promise.all(open.splice(0).map((each) => each.driver.close()));
}

/** A driver, and the cards that it was handed. */
export class CardMember {
  readonly turns: CardTurn[] = [];
  readonly warnings: DriverWarning[] = [];
  room = 100;
  source!: CardSource;
  private begin: (turn: CardTurn) => void = (turn) => void this.turns.push(turn);
  private number = 0;
  private starved = false;

  constructor(
    readonly driver: RedisDriver,
    readonly instanceId: string,
    private readonly envelope: new (init: Init) => EventEnvelope,
  ) {}

  get cards(): CardStore {
    return this.driver.cards;
  }

  event(payload: unknown, more: Init = {}): EventEnvelope {
    const id = `${this.instanceId}-${String(this.number++)}`;
    return new this.envelope({
      ...{ type: TOPIC, mode: 'anycast', id, source: 'test', sourceInstance: this.instanceId, time: Date.now() },
      text: JSON.stringify(payload),
      ...more,
    });
  }

  /** Publishes to one card. */
  async publish(cardId: string, ...payloads: unknown[]): Promise<void> {
    await Promise.all(payloads.map(async (payload) => this.cards.publish(card(cardId), this.event(payload))));
  }

  async consume(take = 10, topic = TOPIC): Promise<this> {
    this.source = await this.cards.consume(
      { topic, handler: 'h', take },
      {
        room: () => {
          this.starved = this.room <= 0;
          return this.room;
        },
        begin: (turn) => {
          this.room--;
          this.begin(turn);
        },
      },
    );
    return this;
  }

  /** The next card that this driver is handed. */
  next(what = 'a card'): Promise<CardTurn> {
    return waitFor(() => this.turns.shift(), { what, timeout: 10_000 });
  }

  /** Ends a turn. */
  end(turn: CardTurn): void {
    turn.end();
    this.offer(1);
  }

  /** There is room for more; the driver is told only where it has found none. */
  offer(room: number): void {
    this.room += room;
    if (this.starved) this.source.pull();
  }

  /** From now on handles everything, one by one, and notes it in order as `card payload`. */
  handle(seen: string[], onTurn: (turn: CardTurn) => void = () => {}): this {
    this.begin = (turn) => {
      onTurn(turn);
      void this.run(turn, seen);
    };
    for (const turn of this.turns.splice(0)) this.begin(turn);
    return this;
  }

  private async run(turn: CardTurn, seen: string[]): Promise<void> {
    let entries: readonly CardDelivery[] = turn.entries;
    while (entries.length > 0) {
      const batch = entries;
      entries = [];
      for (const [index, entry] of batch.entries()) {
        if (!turn.held) break;
        seen.push(`${turn.cardId} ${JSON.stringify(entry.event?.payload())}`);
        entries = await turn.ack(1, index + 1 < batch.length ? 'keep' : 'next');
      }
    }
    this.end(turn);
  }
}

/** Opens a driver; it takes no cards before `consume`. */
export async function openCardMember(url: string, options: BusOptions = {}, service = 'test'): Promise<CardMember> {
  const { createRedisDriver } = (await import(`${SRC}/drivers/redis/create-redis-driver.js`)) as {
    createRedisDriver(resolved: ResolvedBusOptions): Promise<RedisDriver>;
  };
  const { resolveBusOptions } = (await import(`${SRC}/config/resolve.js`)) as { resolveBusOptions: Resolve };
  const { systemClock } = (await import(`${SRC}/core/clock.js`)) as { systemClock: Clock };
  const { EventEnvelope: Envelope } = (await import(`${SRC}/core/envelope.js`)) as {
    EventEnvelope: new (init: Init) => EventEnvelope;
  };
  const cards = { lease: 1_000, ...options.cards };
  const resolved = resolveBusOptions('default', { url, ...options, cards }, { service });
  const instanceId = `i-${String(instances++)}`;
  const self = new CardMember(await createRedisDriver(resolved), instanceId, Envelope);
  open.push(self);
  const logger = { log: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
  const warn = (warning: DriverWarning): void => void self.warnings.push(warning);
  await self.driver.open({ bus: 'default', service, instanceId, clock: systemClock, logger, warn });
  return self;
}

export function card(cardId: string): CardRef {
  return { topic: TOPIC, cardId };
}

/** What entries say, in order. */
export function payloadsOf(entries: readonly CardDelivery[]): unknown[] {
  return entries.map(({ event }) => event?.payload());
}

/** How often the server has run a command. */
export async function callsOf(command: string, redis: OneRedis): Promise<number> {
  const stats = await redis.raw.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

export interface CardWorld {
  readonly redis: OneRedis;
  /** A driver that takes the cards of the topic. */
  member(options?: BusOptions, take?: number): Promise<CardMember>;
  /** One that has looked for all that was there before it. */
  settledMember(options?: BusOptions, url?: string): Promise<CardMember>;
}

/** A private server for all tests of a file; drivers are closed and data is gone after each. */
export function cardWorld(): CardWorld {
  const redis = oneRedis(closeCardMembers);
  return {
    redis,
    member: async (options, take) => (await openCardMember(redis.url, options)).consume(take),
    async settledMember(options, url = redis.url) {
      const scans = await callsOf('scan', redis);
      const member = await (await openCardMember(url, options)).consume();
      // The scan is the last that it does.
      await waitFor(async () => (await callsOf('scan', redis)) > scans);
      return member;
    },
  };
}

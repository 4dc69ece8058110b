import { Redis } from 'ioredis';
import { createEventBus, type DeadLetter, type EventBus } from 'nestjs-cardinal';
import type { Harm } from '../../faults/harm.js';
import { Random } from '../../random.js';
import { Proxy } from '../../server/proxy.js';
import { FencedSink } from '../../sink/fenced-sink.js';
import type { Findings, Workload } from '../workload.js';
import { leftover } from './leftover.js';
import { Producer } from './producer.js';
import { namesOf, TOPIC, type Names } from './topic.js';
import { verify } from './verify.js';

const PAGE = 1_000;

export interface CardsOptions {
  readonly url: string;
  /** What all keys of the run begin with. */
  readonly prefix: string;
  readonly seed: number;
  readonly cards: number;
  readonly rate: number;
}

/** Events of many cards, in strict order within each. */
export class CardsWorkload implements Workload {
  readonly role = 'cards';

  private constructor(
    private readonly names: Names,
    private readonly redis: Redis,
    private readonly proxy: Proxy,
    /** Of the producer, by way of its proxy. */
    private readonly bus: EventBus,
    /** For looking on, undisturbed. */
    private readonly desk: EventBus,
    private readonly producer: Producer,
  ) {}

  static async open({ url, prefix, seed, cards, rate }: CardsOptions): Promise<CardsWorkload> {
    const proxy = await Proxy.to(url);
    const names = namesOf(prefix);
    const common = { ...names.bus, service: 'chaos', env: false as const, logger: SILENT };
    const bus = await createEventBus({ ...common, instanceId: 'producer', url: proxy.url });
    const desk = await createEventBus({ ...common, instanceId: 'desk', url });
    const redis = new Redis(url);
    const producer = new Producer({ bus, redis, names }, Random.of(seed, 'producer'), rate, cards);
    return new CardsWorkload(names, redis, proxy, bus, desk, producer);
  }

  produce(signal: AbortSignal): Promise<void> {
    return this.producer.run(signal);
  }

  async heldBy(instanceId: string): Promise<readonly string[]> {
    const held: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.desk.cards.list(TOPIC, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
      const its = page.cards.filter(({ owner, length }) => owner === instanceId && length > 0);
      held.push(...its.map(({ cardId }) => cardId));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return held;
  }

  async leftover(): Promise<readonly string[]> {
    const { cards, indexes } = await leftover(this.redis, this.names);
    return [...cards, ...indexes];
  }

  async verify(harms: readonly Harm[]): Promise<Findings> {
    const recorded = await new FencedSink(this.redis, this.names.sink).recorded();
    const letters = await this.letters();
    const refused = Number(await this.redis.get(this.names.refused));
    const left = await leftover(this.redis, this.names);
    return verify({ producer: this.producer, recorded, letters, harms, left, refused });
  }

  async cutProducer(deaf: number): Promise<void> {
    await this.proxy.cut(deaf);
  }

  async close(): Promise<void> {
    await Promise.all([this.bus.close(), this.desk.close()]);
    await this.proxy.close();
    await this.redis.quit();
  }

  private async letters(): Promise<DeadLetter[]> {
    const found: DeadLetter[] = [];
    for (let page = 1; ; page++) {
      const { items } = await this.desk.deadLetters.list({ page, pageSize: PAGE });
      found.push(...items);
      if (items.length < PAGE) return found;
    }
  }
}

const SILENT = { log: () => {}, debug: () => {}, warn: () => {}, error: () => {} };

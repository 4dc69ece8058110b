import type { Redis } from 'ioredis';
import { isEventsError, type BackendUnavailableError, type EventBus } from 'nestjs-cardinal';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../random.js';
import { TOPIC, type Names, type Payload } from './topic.js';

/**
 * - `library`: `cards.publish`; - `silent`: a foreign XADD and no word of it, as if its notification was lost; - `foreign`: XADD
 * and PUBLISH, as the contract says.
 */
type Style = 'library' | 'silent' | 'foreign';

const STYLES: Readonly<Record<Style, number>> = { library: 60, silent: 30, foreign: 10 };
const LONGEST_BURST = 12;
const TICK = 10;
/** How much more the first cards get than the last: the weight of the n-th is n to the power of this, negative. */
const SKEW = 0.5;

/** What became of the numbers of a card. */
export interface Produced {
  /** Numbers from 1 to this one were given away. */
  last: number;
  /** Rejected, and said not to be stored. */
  readonly refused: Set<number>;
  /** Rejected, and nobody knows. */
  readonly uncertain: Set<number>;
}

export interface ProducerHost {
  readonly bus: EventBus;
  /** Of a foreign program. */
  readonly redis: Redis;
  readonly names: Names;
}

/** Publishes numbers to cards, in bursts, some cards more than others. A burst of a card begins when the one before is stored. */
export class Producer {
  readonly cards = new Map<string, Produced>();
  readonly byStyle: Record<Style, number> = { library: 0, silent: 0, foreign: 0 };
  private readonly weights: readonly number[];
  private readonly tails = new Map<string, Promise<void>>();

  constructor(
    private readonly host: ProducerHost,
    private readonly random: Random,
    private readonly rate: number,
    cards: number,
  ) {
    let sum = 0;
    this.weights = Array.from({ length: cards }, (_, index) => (sum += (index + 1) ** -SKEW));
  }

  async run(signal: AbortSignal): Promise<void> {
    const began = performance.now();
    for (let given = 0; !signal.aborted;) {
      while (given < ((performance.now() - began) / 1_000) * this.rate) given += this.burst();
      await sleep(TICK);
    }
    await Promise.all(this.tails.values());
  }

  private burst(): number {
    const card = this.draw();
    const style = this.random.choose(STYLES);
    const count = 1 + this.random.below(LONGEST_BURST);
    const produced = this.cards.get(card) ?? { last: 0, refused: new Set(), uncertain: new Set() };
    this.cards.set(card, produced);
    const numbers = Array.from({ length: count }, () => ++produced.last);
    const before = this.tails.get(card) ?? Promise.resolve();
    this.tails.set(
      card,
      before.then(() => this.send(style, card, numbers, produced)),
    );
    this.byStyle[style] += count;
    return count;
  }

  private async send(style: Style, card: string, numbers: readonly number[], produced: Produced): Promise<void> {
    const { bus, redis, names } = this.host;
    const publish = (number: number): Promise<unknown> =>
      style === 'library'
        ? bus.cards.publish(TOPIC, card, { card, number } satisfies Payload)
        : redis.xadd(names.stream(card), '*', 'card', card, 'number', number);
    const results = await Promise.allSettled(numbers.map(publish));
    for (const [index, result] of results.entries()) {
      if (result.status === 'rejected') this.rejected(numbers[index] ?? 0, produced, result.reason);
    }
    if (style === 'foreign') await redis.publish('group_change', `register:${TOPIC}:${card}`);
  }

  private rejected(number: number, produced: Produced, reason: unknown): void {
    if (!isEventsError(reason, 'BACKEND_UNAVAILABLE')) throw reason;
    const { outcome } = reason as BackendUnavailableError;
    (outcome === 'unknown' ? produced.uncertain : produced.refused).add(number);
  }

  private draw(): string {
    const point = this.random.next() * (this.weights.at(-1) ?? 0);
    let low = 0;
    let high = this.weights.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.weights[middle] ?? 0) > point) high = middle;
      else low = middle + 1;
    }
    return `card-${low}`;
  }
}

import type { Clock } from '../../../core/clock.js';
import type { ResolvedCardOptions } from '../../../ports/options.js';
import { LetterShelf } from '../letter-shelf.js';
import { RecentIds } from '../recent-ids.js';
import { WaitingEntries } from '../waiting-entries.js';
import { CardSweep } from './card-sweep.js';
import { Pace } from './pace.js';
import { TopicCards, type TopicHost } from './topic-cards.js';
import { TopicServices } from './topic-services.js';

/** Who is alive, and lends its clock. */
export interface CardsLender {
  readonly clock: Clock;
  readonly limits: { readonly cards: ResolvedCardOptions };
}

/** What the memory drivers of one bus share of cards: the topics, tokens, the dead letters, what waits for its time. */
export class CardsBroker implements TopicHost {
  readonly topics = new Map<string, TopicCards>();
  readonly services = new TopicServices();
  readonly letters = new LetterShelf();
  readonly recentIds = new RecentIds();
  readonly pace = new Pace();
  private readonly times = new WaitingEntries<() => void>((run) => {
    run();
  });
  private readonly sweep = new CardSweep(() => [...this.topics.values()].map(({ registered }) => registered));
  private clock: Clock | undefined;
  private epoch = 0;
  private ms = 0;
  private number = 0;

  /** Somebody has come or gone; undefined: nobody is alive. */
  lend(lender: CardsLender | undefined): void {
    const { clock, limits } = lender ?? {};
    this.clock = clock;
    this.times.useClock(clock);
    this.sweep.lend(clock && limits && { clock, idleAfter: limits.cards.idleAfter, sweep: limits.cards.sweep });
  }

  now(): number {
    return this.clock?.now() ?? 0;
  }

  at(due: number, run: () => void): void {
    this.times.add(run, due);
  }

  idle(): void {
    this.sweep.arm();
  }

  topic(name: string): TopicCards {
    let topic = this.topics.get(name);
    if (topic === undefined) {
      topic = new TopicCards(name, this);
      this.topics.set(name, topic);
    }
    return topic;
  }

  /** A fencing token: greater than those before, and, as long as the clock goes forward, than those of earlier processes. */
  nextEpoch(): number {
    this.epoch = Math.max(this.epoch + 1, Math.floor(this.now() * 1_000));
    return this.epoch;
  }

  /** A place in a queue: greater than those before. */
  nextPlace(): readonly [ms: number, number: number] {
    const now = Math.floor(this.now());
    if (now > this.ms) {
      this.ms = now;
      this.number = 0;
    } else this.number++;
    return [this.ms, this.number];
  }
}

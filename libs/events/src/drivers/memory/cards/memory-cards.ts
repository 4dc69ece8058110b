import type { Clock } from '../../../core/clock.js';
import type { DeadLetterRow } from '../../../core/delivery.js';
import type { EventEnvelope } from '../../../core/envelope.js';
import { TopicInUseError } from '../../../core/card-errors.js';
import { BusClosedError, InvalidOptionError, StreamFullError } from '../../../core/errors.js';
import type {
  CardPage,
  CardRecord,
  CardRef,
  CardSink,
  CardSource,
  CardStore,
  CardStoreOptions,
  CardTopicSpec,
} from '../../../ports/cards.js';
import type { DriverWarning } from '../../../ports/driver.js';
import type { ResolvedCardOptions } from '../../../ports/options.js';
import type { Card } from './card.js';
import { CardEntry } from './card-entry.js';
import { begunAgain } from './card-past.js';
import { recordOf } from './card-record.js';
import type { CardsBroker } from './cards-broker.js';
import { MemoryCardLetters } from './memory-card-letters.js';
import { MemoryCardSource, type CardSourceHost } from './memory-card-source.js';
import type { TopicCards } from './topic-cards.js';

const CURSOR = /^\d{1,15}$/;

/** The driver, as its cards know it. */
export interface CardsHost {
  readonly bus: string;
  readonly service: string;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly broker: { readonly cards: CardsBroker };
  readonly limits: { readonly maxLength: number; readonly cards: ResolvedCardOptions };
  /** From `open` to `close`. */
  readonly isOpen: boolean;
  /** @throws (rejects) BusClosedError unless the driver is open */
  whenOpen<T>(run: () => T): Promise<T>;
  warn(warning: DriverWarning): void;
}

/** The cards of a memory broker, through one of its drivers. */
export class MemoryCards implements CardStore, CardSourceHost {
  readonly deadLetters = new MemoryCardLetters(this);
  private readonly sources = new Set<MemoryCardSource>();

  constructor(private readonly host: CardsHost) {}

  get cards(): CardsBroker {
    return this.host.broker.cards;
  }

  get bus(): string {
    return this.host.bus;
  }

  get instanceId(): string {
    return this.host.instanceId;
  }

  get lease(): number {
    return this.host.limits.cards.lease;
  }

  whenOpen<T>(run: () => T): Promise<T> {
    return this.host.whenOpen(run);
  }

  publish({ topic, cardId }: CardRef, event: EventEnvelope, options?: CardStoreOptions): number {
    if (!this.host.isOpen) throw new BusClosedError(this.bus);
    const { cards } = this;
    // No name has a line break in it.
    const identity = options?.deduplicate === true ? `${topic}\n${cardId}\n${event.id}` : undefined;
    const stored = identity === undefined ? undefined : cards.recentIds.find(identity, this.host.clock.now());
    if (stored !== undefined) return stored;
    this.append(cards.topic(topic), cardId, event);
    if (identity !== undefined) cards.recentIds.add(identity, event.time);
    return event.time;
  }

  register({ topic, cardId }: CardRef): Promise<void> {
    return this.whenOpen(() => {
      this.cards.topic(topic).register(cardId);
    });
  }

  unregister({ topic, cardId }: CardRef, pending: 'drain' | 'drop'): Promise<number> {
    return this.whenOpen(() => {
      const topicCards = this.cards.topics.get(topic);
      const card = topicCards?.registered.get(cardId);
      if (topicCards === undefined) return 0;
      if (card === undefined) topicCards.registered.remove(cardId);
      else if (pending === 'drop')
        return topicCards.drop(card, new Error(`Card '${topic}:${cardId}' was unregistered.`));
      else topicCards.retire(card);
      return 0;
    });
  }

  async consume(spec: CardTopicSpec, sink: CardSink): Promise<CardSource> {
    return await this.whenOpen(() => {
      const { bus, service, clock } = this.host;
      const other = this.cards.services.enter(spec.topic, service, clock.now());
      if (other !== undefined) throw new TopicInUseError(spec.topic, other, bus);
      const source = new MemoryCardSource(spec, sink, this);
      this.sources.add(source);
      return source;
    });
  }

  /** @throws (rejects) InvalidOptionError for what is no cursor of a page */
  async list(topic: string, cursor = '0', limit: number): Promise<CardPage> {
    return await this.whenOpen(() => {
      if (!CURSOR.test(cursor)) throw new InvalidOptionError('cursor', cursor, 'the cursor of the page before');
      const registered = this.cards.topics.get(topic)?.registered;
      const rows = registered?.page(Number(cursor), limit + 1) ?? [];
      const page = rows.slice(0, limit);
      const last = rows.length > limit ? page.at(-1)?.[1].ordinal : undefined;
      return {
        cards: page.map(([cardId, row]) => recordOf(topic, cardId, row)),
        cursor: last === undefined ? undefined : String(last),
      };
    });
  }

  inspect({ topic, cardId }: CardRef): Promise<CardRecord | undefined> {
    return this.whenOpen(() => {
      const row = this.cards.topics.get(topic)?.registered.row(cardId);
      return row && recordOf(topic, cardId, row);
    });
  }

  resume(ref: CardRef): Promise<boolean> {
    return this.whenOpen(() => this.withCard(ref, (card, topicCards) => topicCards.resume(card, begunAgain)));
  }

  skip(ref: CardRef): Promise<boolean> {
    return this.whenOpen(() =>
      this.withCard(ref, (card, topicCards) => {
        const head = topicCards.skip(card);
        if (head === undefined) return false;
        const error = head.past.error ?? 'skipped before its first attempt';
        this.file(ref, head, { reason: 'skipped', error, attempts: head.attempts });
        return true;
      }),
    );
  }

  /** The process ends: the cards that it still has in hand are free when its lease ends. */
  async close(): Promise<void> {
    for (const source of [...this.sources]) {
      source.abandon();
      await source.close();
    }
  }

  bury(topic: string, cardId: string, entry: CardEntry, row: DeadLetterRow): void {
    const { event } = entry;
    const { reason, handler, error } = row;
    this.file({ topic, cardId }, entry, row);
    this.host.warn({
      cause: 'dead-letter',
      message: `'${event.type}' (${event.id}) of card '${topic}:${cardId}' is a dead letter: ${reason}: ${error}`,
      details: { type: event.type, id: event.id, reason, handler, topic, cardId },
    });
  }

  left({ topicCards }: MemoryCardSource): void {
    this.cards.services.leave(topicCards.topic, this.host.clock.now());
  }

  detach(source: MemoryCardSource): void {
    this.sources.delete(source);
  }

  /** @throws StreamFullError */
  private append(topicCards: TopicCards, cardId: string, event: EventEnvelope): void {
    const { topic } = topicCards;
    const { maxLength } = this.host.limits;
    const length = topicCards.registered.get(cardId)?.length ?? 0;
    if (length >= maxLength) throw new StreamFullError(`${topic}:${cardId}`, maxLength);
    topicCards.append(topicCards.register(cardId), new CardEntry(event, topic, ...this.cards.nextPlace()));
  }

  private withCard({ topic, cardId }: CardRef, run: (card: Card, topicCards: TopicCards) => boolean): boolean {
    const topicCards = this.cards.topics.get(topic);
    const card = topicCards?.registered.get(cardId);
    return topicCards !== undefined && card !== undefined && run(card, topicCards);
  }

  private file({ topic, cardId }: CardRef, { event, past }: CardEntry, row: DeadLetterRow): void {
    const { reason, handler, attempts, error, stack } = row;
    const { operation } = past;
    const at = this.host.clock.now();
    const { dropped } = this.cards.letters.add({
      ...{ type: topic, cardId, at, reason, handler, group: undefined, attempts, error, stack, operation, event },
    });
    if (dropped === undefined) return;
    this.host.warn({
      cause: 'drop',
      message: `topic '${topic}' has too many dead letters; the oldest was dropped`,
      details: { topic, id: dropped.event.id },
    });
  }
}

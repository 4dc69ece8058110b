import type { DeadLetterRow } from '../../../core/delivery.js';
import { BusClosedError } from '../../../core/errors.js';
import type { CardSink, CardSource, CardTopicSpec } from '../../../ports/cards.js';
import type { Card } from './card.js';
import type { CardEntry } from './card-entry.js';
import type { CardsBroker } from './cards-broker.js';
import { MemoryTurn, type TurnHost } from './memory-turn.js';
import type { Taker, TopicCards } from './topic-cards.js';

/** How long a card that was given back is for others only, ms. */
const REFUSED_WAIT = 100;

/** The driver, as the sources of its topics know it. */
export interface CardSourceHost {
  readonly bus: string;
  readonly instanceId: string;
  readonly cards: CardsBroker;
  /** How long a silent process keeps its cards, ms. */
  readonly lease: number;
  bury(topic: string, cardId: string, entry: CardEntry, row: DeadLetterRow): void;
  /** The source takes no part any more. */
  left(source: MemoryCardSource): void;
  /** Nor has it anything in hand: nothing is to be given up with the process. */
  detach(source: MemoryCardSource): void;
}

/** The part that a process has in a topic. */
export class MemoryCardSource implements CardSource, Taker, TurnHost {
  readonly instanceId: string;
  readonly cards: CardsBroker;
  readonly topicCards: TopicCards;
  readonly most: number;
  /** From `begin` to `end`. */
  private readonly inHand = new Map<string, MemoryTurn>();
  private closed = false;
  /** Ends the wait of `pause`. */
  private drained: (() => void) | undefined;

  constructor(
    private readonly spec: CardTopicSpec,
    private readonly sink: CardSink,
    private readonly host: CardSourceHost,
  ) {
    this.instanceId = host.instanceId;
    this.cards = host.cards;
    this.most = Math.max(1, spec.take);
    this.topicCards = host.cards.topic(spec.topic);
    this.topicCards.join(this);
  }

  room(): number {
    return this.sink.room();
  }

  refuses(card: Card): boolean {
    return this.inHand.has(card.cardId);
  }

  take(card: Card): void {
    const turn = new MemoryTurn(this, card);
    this.inHand.set(card.cardId, turn);
    this.sink.begin(turn);
  }

  pull(): void {
    this.topicCards.look();
  }

  /** What waits for nobody else is handed over first: in memory there is no later. */
  async pause(): Promise<void> {
    if (!this.isDrained)
      await new Promise<void>((resolve) => {
        this.drained = resolve;
        this.topicCards.look();
      });
    this.topicCards.leave(this);
  }

  close(): Promise<void> {
    if (this.closed) return Promise.resolve();
    this.closed = true;
    this.drained?.();
    this.topicCards.leave(this);
    this.host.left(this);
    if (this.inHand.size === 0) this.host.detach(this);
    return Promise.resolve();
  }

  /** The process ends with cards in hand: they are its own until the lease ends. */
  abandon(): void {
    const due = this.cards.now() + this.host.lease;
    for (const turn of this.inHand.values()) {
      if (!turn.held) continue;
      this.topicCards.orphan(turn.card, due);
      turn.lose(new BusClosedError(this.host.bus));
    }
  }

  bury({ cardId }: Card, entry: CardEntry, row: DeadLetterRow): void {
    this.host.bury(this.spec.topic, cardId, entry, row);
  }

  givenBack(card: Card): void {
    card.avoid = this;
    this.cards.at(this.cards.now() + REFUSED_WAIT, () => {
      card.avoid = undefined;
      this.topicCards.look();
    });
  }

  ended({ cardId }: MemoryTurn): void {
    this.inHand.delete(cardId);
    this.topicCards.look();
    if (this.drained !== undefined && this.isDrained) this.drained();
  }

  private get isDrained(): boolean {
    return !this.topicCards.isAlone(this) || (this.inHand.size === 0 && this.topicCards.isQuiet);
  }
}

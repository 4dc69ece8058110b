import type { DeadLetterRow } from '../../../core/delivery.js';
import type { CardDelivery, CardFailure, CardTurn } from '../../../ports/cards.js';
import type { Card, Holder } from './card.js';
import type { CardEntry } from './card-entry.js';
import { failed, failedForGood } from './card-past.js';
import type { CardsBroker } from './cards-broker.js';
import type { TopicCards } from './topic-cards.js';

/** The part of a process, as its turns know it. */
export interface TurnHost {
  readonly cards: CardsBroker;
  readonly topicCards: TopicCards;
  readonly instanceId: string;
  /** Events of one card that are handed over together, at most. */
  readonly most: number;
  /** Files the head of a card with the dead letters. */
  bury(card: Card, entry: CardEntry, row: DeadLetterRow): void;
  /** The card was released, for others first. */
  givenBack(card: Card): void;
  ended(turn: MemoryTurn): void;
}

const NOTHING: readonly CardDelivery[] = Object.freeze([]);

/** A card in the hands of a process. */
export class MemoryTurn implements CardTurn, Holder {
  readonly entries: readonly CardDelivery[];
  private readonly epoch: number;
  private lost: Error | undefined = undefined;
  private onLoss: ((reason: Error) => void) | undefined = undefined;
  private isEnded = false;

  constructor(
    private readonly host: TurnHost,
    readonly card: Card,
  ) {
    this.epoch = host.cards.nextEpoch();
    card.holder = this;
    card.avoid = undefined;
    this.entries = this.hand();
  }

  get topic(): string {
    return this.host.topicCards.topic;
  }

  get cardId(): string {
    return this.card.cardId;
  }

  get owner(): string {
    return this.host.instanceId;
  }

  get fencingToken(): string {
    return String(this.epoch);
  }

  get held(): boolean {
    return this.card.holder === this && this.lost === undefined;
  }

  onLost(lost: (reason: Error) => void): void {
    if (this.lost === undefined) this.onLoss = lost;
    else lost(this.lost);
  }

  lose(reason: Error): void {
    this.lost = reason;
    this.onLoss?.(reason);
  }

  ack(count: number, then: 'keep' | 'next' | 'yield'): Promise<readonly CardDelivery[]> {
    if (!this.held) return Promise.resolve(NOTHING);
    for (let left = Math.min(count, this.card.pending); left > 0; left--) this.host.topicCards.shift(this.card);
    return this.go(then);
  }

  refill(): Promise<readonly CardDelivery[]> {
    return Promise.resolve(this.held ? this.card.hand(this.host.most) : NOTHING);
  }

  retry(failure: CardFailure): Promise<void> {
    const due = this.host.cards.now() + failure.delay;
    if (this.held) this.host.topicCards.wait(this.card, due, (past) => failed(past, failure));
    return Promise.resolve();
  }

  bury(row: DeadLetterRow, then: 'keep' | 'next' | 'yield'): Promise<readonly CardDelivery[]> {
    if (!this.held) return Promise.resolve(NOTHING);
    const entry = this.host.topicCards.shift(this.card);
    if (entry !== undefined) this.host.bury(this.card, entry, row);
    return this.go(then);
  }

  park({ attempts, error }: DeadLetterRow): Promise<void> {
    if (this.held) this.host.topicCards.wait(this.card, Infinity, (past) => failedForGood(past, attempts, error));
    return Promise.resolve();
  }

  alone(): Promise<number> {
    const { head } = this.card;
    if (!this.held || head === undefined) return Promise.resolve(0);
    head.past = { ...head.past, alone: true };
    return Promise.resolve(head.past.crashesAlone);
  }

  release(): Promise<void> {
    if (this.held) {
      this.host.givenBack(this.card);
      this.host.topicCards.release(this.card);
    }
    return Promise.resolve();
  }

  end(): void {
    if (this.isEnded) return;
    if (this.held) this.host.topicCards.release(this.card);
    this.isEnded = true;
    this.host.ended(this);
  }

  private go(then: 'keep' | 'next' | 'yield'): Promise<readonly CardDelivery[]> {
    if (then === 'next') return this.next();
    if (then === 'yield') this.host.topicCards.release(this.card);
    return Promise.resolve(NOTHING);
  }

  private next(): Promise<readonly CardDelivery[]> {
    const { pace } = this.host.cards;
    if (!pace.exhausted) return Promise.resolve(this.follow());
    return new Promise((resolve) => {
      pace.later(() => {
        resolve(this.held ? this.follow() : NOTHING);
      });
    });
  }

  /** What follows; nothing: the card is empty, and let go. */
  private follow(): readonly CardDelivery[] {
    if (this.card.length > 0) return this.hand();
    this.host.topicCards.release(this.card);
    return NOTHING;
  }

  private hand(): readonly CardDelivery[] {
    const entries = this.card.hand(this.host.most);
    this.host.cards.pace.spend(entries.length);
    return entries;
  }
}

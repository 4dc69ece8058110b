import type { EventEnvelope } from '../../../core/envelope.js';
import type { CardDelivery } from '../../../ports/cards.js';
import { NO_CARD_PAST, type CardPast } from './card-past.js';

/** An event in the queue of a card, and its delivery once handed over. */
export class CardEntry implements CardDelivery {
  constructor(
    readonly event: EventEnvelope,
    /** Its topic. */
    readonly type: string,
    private readonly ms: number,
    private readonly number: number,
    public past: CardPast = NO_CARD_PAST,
  ) {}

  /** The same event with another past: what was handed over before stays as it was. */
  with(past: CardPast): CardEntry {
    return past === this.past ? this : new CardEntry(this.event, this.type, this.ms, this.number, past);
  }

  get sequence(): string {
    return `${String(this.ms)}-${String(this.number)}`;
  }

  /** Attempts that it has behind it. */
  get attempts(): number {
    return this.past.failures + this.past.crashes;
  }

  get attempt(): number {
    return this.attempts + 1;
  }

  get redelivered(): boolean {
    return this.past.redelivered;
  }

  get failures(): number {
    return this.past.failures;
  }

  get crashes(): number {
    return this.past.crashes;
  }
}

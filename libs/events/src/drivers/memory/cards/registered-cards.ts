import { Card } from './card.js';

/** How long a card without events stays registered, ms. */
const REGISTERED = 24 * 60 * 60_000;

/** A card that has been idle for long: its registration, and nothing else. */
export interface RestingCard {
  readonly ordinal: number;
  readonly activeAt: number;
}

/** The cards of a topic that are registered, in the order in which they came. */
export class RegisteredCards {
  /** A card that wakes or rests keeps its place. */
  private readonly rows = new Map<string, Card | RestingCard>();
  private registered = 0;

  get size(): number {
    return this.rows.size;
  }

  /** The card; undefined where it rests, or is unknown. */
  get(cardId: string): Card | undefined {
    const row = this.rows.get(cardId);
    return row instanceof Card ? row : undefined;
  }

  row(cardId: string): Card | RestingCard | undefined {
    return this.rows.get(cardId);
  }

  /** The card, awake; registered now if it was not. */
  wake(cardId: string, now: number): Card {
    const row = this.rows.get(cardId);
    if (row instanceof Card) return row;
    const card = new Card(cardId, row?.ordinal ?? ++this.registered, now);
    this.rows.set(cardId, card);
    return card;
  }

  remove(cardId: string): void {
    this.rows.delete(cardId);
  }

  /** At most `limit` of those behind a place. */
  page(after: number, limit: number): readonly (readonly [string, Card | RestingCard])[] {
    const page: (readonly [string, Card | RestingCard])[] = [];
    for (const row of this.rows) {
      if (page.length >= limit) break;
      if (row[1].ordinal > after) page.push(row);
    }
    return page;
  }

  all(): IterableIterator<[string, Card | RestingCard]> {
    return this.rows.entries();
  }

  /** Lets a card rest, or forgets it, where its time has come. Gives when that will be; undefined: it is not idle, or gone. */
  reap(cardId: string, row: Card | RestingCard, idleAfter: number, now: number): number | undefined {
    const { ordinal, activeAt } = row;
    if (row instanceof Card) {
      if (row.state !== 'idle') return undefined;
      if (activeAt + idleAfter > now) return activeAt + idleAfter;
      this.rows.set(cardId, { ordinal, activeAt });
    }
    if (activeAt + REGISTERED > now) return activeAt + REGISTERED;
    this.rows.delete(cardId);
    return undefined;
  }
}

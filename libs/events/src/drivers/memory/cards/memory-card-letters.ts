import type { DeadLetterRow } from '../../../core/delivery.js';
import type { EventEnvelope } from '../../../core/envelope.js';
import { UnsupportedError } from '../../../core/errors.js';
import type { LetterStore, StoredLetter } from '../../../ports/stores.js';
import { CardEntry } from './card-entry.js';
import { replayedBy } from './card-past.js';
import type { CardsBroker } from './cards-broker.js';

/** The driver, as its view of the letters of cards knows it. */
export interface CardLettersHost {
  readonly cards: CardsBroker;
  /** @throws (rejects) BusClosedError unless the driver is open */
  whenOpen<T>(run: () => T): Promise<T>;
}

/** The dead letters of the cards of a memory broker, by topic, through one of its drivers. */
export class MemoryCardLetters implements LetterStore {
  constructor(private readonly host: CardLettersHost) {}

  types(): Promise<readonly string[]> {
    return this.host.whenOpen(() => this.host.cards.letters.types());
  }

  count(topic: string): Promise<number> {
    return this.host.whenOpen(() => this.host.cards.letters.count(topic));
  }

  read(topic: string, before: string | undefined, count: number): Promise<readonly StoredLetter[]> {
    return this.host.whenOpen(() => this.host.cards.letters.read(topic, before, count));
  }

  get(topic: string, position: string): Promise<StoredLetter | undefined> {
    return this.host.whenOpen(() => this.host.cards.letters.get(topic, position));
  }

  /** Appends the event to the end of its card: its place is gone. */
  replay(topic: string, position: string, operation: string): Promise<boolean> {
    return this.host.whenOpen(() => {
      const { cards } = this.host;
      const letter = cards.letters.take(topic, position);
      if (letter?.cardId === undefined) return false;
      const topicCards = cards.topic(topic);
      const card = topicCards.register(letter.cardId);
      topicCards.append(card, new CardEntry(letter.event, topic, ...cards.nextPlace(), replayedBy(operation)));
      return true;
    });
  }

  remove(topic: string, positions: readonly string[]): Promise<number> {
    const { letters } = this.host.cards;
    return this.host.whenOpen(() => positions.filter((each) => letters.take(topic, each) !== undefined).length);
  }

  /** @throws (rejects) UnsupportedError: a letter that is filed by hand is the head of no card */
  add(_event: EventEnvelope, _row: DeadLetterRow): Promise<string> {
    return Promise.reject(
      new UnsupportedError('A dead letter of a card cannot be filed by hand: publish to its card.'),
    );
  }

  outstanding(topic: string): Promise<number> {
    return this.host.whenOpen(() => this.host.cards.topics.get(topic)?.outstanding ?? 0);
  }
}

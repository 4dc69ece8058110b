import type { DeadLetterRow, Delivery } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import type { LetterStore } from './stores.js';

/** One card of a topic: the unit of order. Checked by `core/card`. */
export interface CardRef {
  readonly topic: string;
  readonly cardId: string;
}

/**
 * The driver's side of cards: their queues, and who owns them. At most one process holds a card; event n+1 is not handed
 * out before event n has been acknowledged, buried or skipped; every change of a card's state checks its holder's token.
 */
export interface CardStore {
  /**
   * Appends to the card's queue, and registers the card. Resolves with the time of storing, ms, when it is stored, and
   * never when it is not. Events of one card of one publisher keep their order.
   * @throws BackendUnavailableError, BackendError, StreamFullError, EventsOverloadedError
   */
  publish(card: CardRef, event: EventEnvelope, options?: CardStoreOptions): number | Promise<number>;
  /** Registers a card, and says so to other programs. Twice is once. */
  register(card: CardRef): Promise<void>;
  /**
   * Unregisters a card: at once with `drop`, else when what waits has been handled. A later event registers it again.
   * Resolves with how many events were dropped.
   */
  unregister(card: CardRef, pending: 'drain' | 'drop'): Promise<number>;
  /**
   * Begins to own cards of a topic in this process; nothing begins inside the call. Twice for one topic is an error of the
   * caller.
   * @throws TopicInUseError when another service consumes the topic
   */
  consume(spec: CardTopicSpec, sink: CardSink): Promise<CardSource>;
  /** Registered cards, in no order, `limit` at most; `cursor` from the page before. A card that comes or goes meanwhile may be missing. */
  list(topic: string, cursor: string | undefined, limit: number): Promise<CardPage>;
  /** Undefined for a card that is neither registered nor has events. */
  inspect(card: CardRef): Promise<CardRecord | undefined>;
  /** Ends the wait of a parked card, or of one in backoff: its head is tried again, its attempts begin again. False: it does not wait. */
  resume(card: CardRef): Promise<boolean>;
  /** Moves the head of a card that nobody holds to the dead letters (`skipped`). False: it is held, or empty. */
  skip(card: CardRef): Promise<boolean>;
  /** Letters by topic. */
  readonly deadLetters: LetterStore;
}

export interface CardStoreOptions {
  /** An event of this id that was stored for this card within the last 10 minutes is not stored again. */
  readonly deduplicate?: boolean;
}

/** What a process consumes. */
export interface CardTopicSpec {
  readonly topic: string;
  /** The handler's name. */
  readonly handler: string;
  /** Events of one card that are handed over together, at most. */
  readonly take: number;
}

/** The consumer's side of a topic. */
export interface CardSink {
  /** How many more cards are welcome now. A driver never begins more turns. */
  room(): number;
  /** This process holds a card. Never throws. Returns before any handler has run. */
  begin(turn: CardTurn): void;
}

/** The driver's side of a topic. */
export interface CardSource {
  /** Says that `room()` has grown. */
  pull(): void;
  /**
   * Takes no more cards; resolves when no more turns will begin. Turns under way go on. Where nothing outlives the process,
   * what waits for nobody else is taken first.
   */
  pause(): Promise<void>;
  /** Pauses, and ends the part of this process. Turns have ended before. */
  close(): Promise<void>;
}

/**
 * A card in the hands of this process, from `begin` to `end`. Its methods are called one after the other, never two at once.
 * Where the card is not held any more they do nothing: `ack` and `bury` hand over nothing then, and `held` is false.
 */
export interface CardTurn extends CardRef {
  /** Decimal; grows with every change of the card's owner. */
  readonly fencingToken: string;
  /** Consecutive events from the head on; at least one. */
  readonly entries: readonly CardDelivery[];
  /** False as soon as the card may be somebody else's: nothing more may begin. */
  readonly held: boolean;
  /** Calls once, when `held` becomes false before the end; at once where it is. */
  onLost(lost: (reason: Error) => void): void;
  /**
   * Acknowledges the first `count` of what was handed over and not acknowledged yet; answered by the backend when it resolves.
   * - `keep`: more is in hand, nothing is handed over (`[]`);
   * - `next`: everything in hand is acknowledged: hands over what follows; `[]`: the card is empty and no longer held;
   * - `yield`: the card goes to the end of those that wait, what is in hand with it (`[]`), and is no longer held.
   */
  ack(count: number, then: 'keep' | 'next' | 'yield'): Promise<readonly CardDelivery[]>;
  /** All that is in hand again, from the head on, and what has come since, up to `take` (for a batch that waits to be full). */
  refill(): Promise<readonly CardDelivery[]>;
  /** The head failed and waits; the card is no longer held, others go on. `counted: false`: the attempt does not count. */
  retry(failure: CardFailure): Promise<void>;
  /** Moves the head to the dead letters; then as `ack`. */
  bury(row: DeadLetterRow, then: 'keep' | 'next' | 'yield'): Promise<readonly CardDelivery[]>;
  /** The head failed for good, and the card waits with it for `resume` or `skip`; it is no longer held. */
  park(row: DeadLetterRow): Promise<void>;
  /**
   * Notes, for good, that the head is about to be handled alone in this process, because its holders have died with it.
   * Resolves with how many deaths so noted it has behind it.
   */
  alone(): Promise<number>;
  /** Gives the card to others at once; what is in hand comes again, uncounted. */
  release(): Promise<void>;
  /** Nothing of the turn runs any more. Called once, last, in every case: before it this process does not take the card again. */
  end(): void;
}

export interface CardFailure {
  /** ms */
  readonly delay: number;
  readonly counted: boolean;
  /** For `inspect`; bounded. */
  readonly error: string;
}

/** One event of a card, in its turn. Only the head has failures and crashes behind it. */
export interface CardDelivery extends Delivery {
  /** Its place in the card's queue: `<ms>-<number>`, grows within a card. */
  readonly sequence: string;
}

/**
 * - `idle`: no events; - `ready`: waits for a process; - `owned`: a process holds it; - `backoff`: its head waits for another
 * attempt; - `parked`: its head waits for `resume` or `skip`.
 */
export type CardState = 'idle' | 'ready' | 'owned' | 'backoff' | 'parked';

/** A card as the backend knows it. */
export interface CardRecord extends CardRef {
  readonly state: CardState;
  /** Events that are stored, handed over or not. */
  readonly length: number;
  /** Events that are handed over and not acknowledged. */
  readonly pending: number;
  /** The process that holds it. */
  readonly owner: string | undefined;
  /** Of its holder; of nobody, undefined. */
  readonly fencingToken: string | undefined;
  /** Attempts that its head has behind it, failed or crashed. */
  readonly attempts: number;
  readonly lastError: string | undefined;
  /** In backoff: when the head is tried again, ms since the epoch. */
  readonly retryAt: number | undefined;
  /** When something last happened to it, ms since the epoch. */
  readonly activeAt: number;
}

export interface CardPage {
  readonly cards: readonly CardRecord[];
  /** Where the next page begins; absent on the last. */
  readonly cursor: string | undefined;
}

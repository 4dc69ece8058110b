import { assertCardId, assertTopic } from '../core/card.js';
import type { PublishReceipt } from '../core/context.js';
import { InvalidOptionError } from '../core/errors.js';
import type { CardBatchHandler, CardHandler } from '../core/handler.js';
import { isPromise } from '../pipeline/compose.js';
import type { CardRecord, CardRef, CardStore } from '../ports/cards.js';
import { Breather } from './breather.js';
import type { CardEventToPublish, CardPublishOptions, CardSubscribeOptions } from './card-options.js';
import type { CardEvent, CardPublisher } from './card-publisher.js';
import type { Listenable } from './publish-options.js';
import { Receipt } from './receipt.js';
import { storeMany } from './store-many.js';
import type { Subscription } from './subscription.js';

export type { CardEventToPublish, CardPublishOptions, CardSubscribeOptions } from './card-options.js';
export type { CardBatchHandler, CardHandler } from '../core/handler.js';

/** A card, as it is now. */
export interface CardInfo extends Omit<CardRecord, 'retryAt' | 'activeAt'> {
  /** In backoff: when its head is tried again. */
  readonly retryAt: Date | undefined;
  /** When something last happened to it. */
  readonly activeAt: Date;
}

/** One page of a topic's cards, in no order. */
export interface CardList {
  readonly cards: readonly CardInfo[];
  /** Where the next page begins; absent on the last. */
  readonly cursor: string | undefined;
}

export interface CardListOptions {
  /** From the page before. Defaults to the first page. */
  readonly cursor?: string;
  /** 1 to 1,000. Defaults to 100. */
  readonly limit?: number;
}

export interface UnregisterOptions {
  /** What happens to the events that wait: they are handled first, or dropped. Defaults to `'drain'`. */
  readonly pending?: 'drain' | 'drop';
}

/** What stands behind the cards of a bus. */
export interface CardsHost {
  readonly store: CardStore;
  readonly publisher: CardPublisher;
  /** @throws BusClosedError */
  assertOpen(): void;
  subscribe(topic: Listenable, handler: unknown, options: CardSubscribeOptions): Promise<Subscription>;
}

const MAX_LIMIT = 1_000;
const CURSOR = /^[\x21-\x7e]{1,1024}$/;

/**
 * Cards: queues in strict order, one for each card of a topic (`events.cards`). The events of a card are handled one after
 * the other, by one process at a time, whichever it is; those of different cards at the same time. A topic is consumed by
 * the processes of one service, with one handler in each.
 *
 * A topic is text without `:`, a card id any text; neither has braces or control characters, and both have 1 to 512 bytes.
 */
export class Cards {
  private readonly breather = new Breather();

  constructor(private readonly host: CardsHost) {}

  /**
   * Appends an event to a card, and registers the card. Resolves when the backend has it, rejects when it has not. Works
   * from the moment the bus is connected, also in bootstrap hooks, until the end of the shutdown; nobody needs to consume
   * the topic yet. Events of a card that one process publishes keep the order of the calls.
   *
   * @param payload any JSON value, or an instance of a class with `@EventType`, which is checked by its rules. With
   * `cards.encoding: 'fields'` an object with at least one key.
   * @throws InvalidCardError, InvalidEventTypeError, InvalidOptionError, EventValidationError
   * @throws EventSerializationError, PayloadTooLargeError, EventLoopError beyond 32 hops
   * @throws BackendUnavailableError, BackendError, EventsOverloadedError
   * @throws StreamFullError where `maxLength` events of the card wait
   */
  publish(topic: string, cardId: string, payload?: unknown, options?: CardPublishOptions): Promise<PublishReceipt> {
    try {
      const event = this.event(topic, cardId, payload, options);
      const stored = this.host.publisher.store(event);
      if (isPromise(stored)) return stored.then((time) => new Receipt(event.envelope, time));
      return this.breather.pass(new Receipt(event.envelope, stored));
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as thrown
      return Promise.reject(error);
    }
  }

  /**
   * Publishes several events, each on its own: one that is refused does not hold back the others. Resolves with the
   * receipts, in order.
   * @throws PublishManyError when at least one was not stored; its `results` has each event's receipt or error
   */
  publishMany(events: readonly CardEventToPublish[]): Promise<PublishReceipt[]> {
    return storeMany(events, ({ topic, cardId, payload, options }) => {
      const event = this.event(topic, cardId, payload, options);
      return { envelope: event.envelope, time: this.host.publisher.store(event) };
    });
  }

  /**
   * Registers a card before its first event, and tells consumers in other languages. Publishing registers as well. Twice is
   * once.
   * @throws InvalidCardError
   */
  async register(topic: string, cardId: string): Promise<void> {
    await this.host.store.register(this.card(topic, cardId));
  }

  /**
   * Unregisters a card: when the events that wait have been handled, or at once with `pending: 'drop'`. A later event
   * registers it again. Resolves with how many events were dropped.
   * @throws InvalidCardError, InvalidOptionError
   */
  async unregister(topic: string, cardId: string, options: UnregisterOptions = {}): Promise<number> {
    const { pending = 'drain' } = options;
    if (!['drain', 'drop'].includes(pending)) throw new InvalidOptionError('pending', pending, "'drain' or 'drop'");
    return this.host.store.unregister(this.card(topic, cardId), pending);
  }

  /**
   * The registered cards of a topic, in no order, in pages: the last one has no `cursor`. A card that comes or goes
   * meanwhile may be missing, and one may come twice.
   * @throws InvalidCardError, InvalidOptionError
   */
  async list(topic: string, options: CardListOptions = {}): Promise<CardList> {
    this.host.assertOpen();
    assertTopic(topic);
    const { cursor, limit = 100 } = options;
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LIMIT)
      throw new InvalidOptionError('limit', limit, `a whole number from 1 to ${String(MAX_LIMIT)}`);
    if (cursor !== undefined && (typeof cursor !== 'string' || !CURSOR.test(cursor)))
      throw new InvalidOptionError('cursor', cursor, 'the cursor of the page before');
    const page = await this.host.store.list(topic, cursor, limit);
    return { cards: page.cards.map(infoOf), cursor: page.cursor };
  }

  /**
   * A card as it is now; undefined for one that is neither registered nor has events.
   * @throws InvalidCardError
   */
  async inspect(topic: string, cardId: string): Promise<CardInfo | undefined> {
    const record = await this.host.store.inspect(this.card(topic, cardId));
    return record && infoOf(record);
  }

  /**
   * Ends the wait of a parked card, or of one in backoff: its head is tried again at once, and its attempts begin again.
   * False: it does not wait.
   * @throws InvalidCardError
   */
  async resume(topic: string, cardId: string): Promise<boolean> {
    return this.host.store.resume(this.card(topic, cardId));
  }

  /**
   * Moves the head of a card to the dead letters (`skipped`), so that the next event has its turn. False: a process has it
   * in hand, or there is none.
   * @throws InvalidCardError
   */
  async skip(topic: string, cardId: string): Promise<boolean> {
    return this.host.store.skip(this.card(topic, cardId));
  }

  /**
   * Adds a handler of one or more topics at run time; an event class stands for the topic of its type. Resolves when it
   * takes part. What waits in the cards comes first. With `batch` it gets arrays of consecutive events of one card.
   * @throws InvalidCardError, InvalidOptionError
   * @throws InvalidHandlerError where a topic has a handler in this process already
   * @throws TopicInUseError where another service consumes a topic
   */
  subscribe<Payload = unknown>(
    topic: Listenable,
    handler: CardBatchHandler<Payload>,
    options: CardSubscribeOptions & { readonly batch: NonNullable<CardSubscribeOptions['batch']> },
  ): Promise<Subscription>;
  subscribe<Payload = unknown>(
    topic: Listenable,
    handler: CardHandler<Payload>,
    options?: CardSubscribeOptions,
  ): Promise<Subscription>;
  async subscribe(topic: Listenable, handler: unknown, options: CardSubscribeOptions = {}): Promise<Subscription> {
    this.host.assertOpen();
    return this.host.subscribe(topic, handler, options);
  }

  private event(topic: string, cardId: string, payload: unknown, options: CardPublishOptions | undefined): CardEvent {
    this.host.assertOpen();
    return this.host.publisher.event(topic, cardId, payload, options);
  }

  private card(topic: string, cardId: string): CardRef {
    this.host.assertOpen();
    assertTopic(topic);
    assertCardId(cardId);
    return { topic, cardId };
  }
}

function infoOf({ retryAt, activeAt, ...rest }: CardRecord): CardInfo {
  return { ...rest, retryAt: retryAt === undefined ? undefined : new Date(retryAt), activeAt: new Date(activeAt) };
}

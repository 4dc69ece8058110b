import { assertCardId, assertTopic } from '../core/card.js';
import { assertEventType } from '../core/event-type.js';
import { eventTypeOf, type EventClass, type EventTypeInfo } from '../core/event-class.js';
import type { EventEnvelope } from '../core/envelope.js';
import { InvalidOptionError } from '../core/errors.js';
import type { CardRef, CardStore } from '../ports/cards.js';
import type { EventsLogger } from '../ports/logger.js';
import type { CardEncoding } from '../ports/options.js';
import type { EventContracts } from '../validation/event-contracts.js';
import type { CardPublishOptions } from './card-options.js';
import type { EnvelopeFactory } from './envelope-factory.js';
import { publishRetryOf, type PublishRetries } from './publish-retry.js';
import { Turns } from './turns.js';

const OPTIONS: readonly string[] = ['id', 'type', 'source', 'correlationId', 'headers', 'retry'];
const DEDUPLICATE = Object.freeze({ deduplicate: true });

export interface CardPublisherOptions {
  readonly store: CardStore;
  readonly envelopes: EnvelopeFactory;
  readonly contracts: EventContracts;
  readonly retries: PublishRetries;
  readonly encoding: CardEncoding;
  /** Gets a line for each event that is stored; absent: none. */
  readonly debug: EventsLogger | undefined;
}

/** An event of a card, ready to be stored. */
export interface CardEvent {
  readonly card: CardRef;
  readonly envelope: EventEnvelope;
  readonly options: CardPublishOptions | undefined;
  /** Checks that take a while; reject with EventValidationError. */
  readonly checking: Promise<void> | undefined;
}

/** The storing half of a bus's cards. Events of one card are stored in the order of their calls. */
export class CardPublisher {
  private readonly turns = new Turns();

  constructor(private readonly host: CardPublisherOptions) {}

  /** Makes the event of a publish call. @throws every error of bad input */
  event(topic: string, cardId: string, payload: unknown, options: CardPublishOptions | undefined): CardEvent {
    assertTopic(topic);
    assertCardId(cardId);
    if (options !== undefined) checkOptions(options);
    const info = classOf(payload);
    const type = typeOf(topic, options?.type, info);
    const envelope = this.host.envelopes.make(type, info?.version ?? 1, payload, 'anycast', options);
    if (this.host.encoding === 'fields') assertFields(envelope);
    const target = info && ((payload as object).constructor as EventClass);
    const checking = target && this.host.contracts.of(target)?.check(payload as object, envelope);
    // Who stores the event hears of it.
    checking?.catch(() => undefined);
    return { card: { topic, cardId }, envelope, options, checking };
  }

  /** Stores the event, and gives the time of storing, ms. Synchronous where the driver is. */
  store(event: CardEvent): number | Promise<number> {
    const { card, options, checking } = event;
    const retry = options?.retry === undefined ? undefined : publishRetryOf(options.retry);
    const put = (): number | Promise<number> =>
      retry === undefined ? this.put(event) : this.host.retries.store(event.envelope, retry, () => this.put(event));
    if (checking === undefined && retry === undefined && this.turns.empty) return this.put(event);
    const key = `${card.topic}:${card.cardId}`;
    if (checking !== undefined || retry !== undefined)
      return this.turns.take(key, checking === undefined ? put : () => checking.then(put));
    return this.turns.after(key, put);
  }

  private put({ card, envelope, options }: CardEvent): number | Promise<number> {
    const { store, debug } = this.host;
    debug?.debug(
      `publish to card '${card.topic}:${card.cardId}' '${envelope.type}' ${envelope.id} correlation=${envelope.correlationId}`,
    );
    const once = options !== undefined && (options.id !== undefined || options.retry !== undefined);
    return store.publish(card, envelope, once ? DEDUPLICATE : undefined);
  }
}

/** What `@EventType` says of the class of an instance; undefined for any other value. */
function classOf(payload: unknown): EventTypeInfo | undefined {
  return typeof payload === 'object' && payload !== null ? eventTypeOf(payload.constructor) : undefined;
}

/** A topic serves as type whatever its characters. */
function typeOf(topic: string, given: string | undefined, info: EventTypeInfo | undefined): string {
  if (given === undefined) return info?.type ?? topic;
  if (info !== undefined && info.type !== given)
    throw new InvalidOptionError('type', given, `none beside an instance of a class of '${info.type}'`);
  assertEventType(given);
  return given;
}

/** The options of the bus that mean nothing for a card would be passed over in silence. */
function checkOptions(options: CardPublishOptions): void {
  for (const key in options)
    if (!OPTIONS.includes(key)) throw new InvalidOptionError('cards.publish() options', key, OPTIONS.join(', '));
}

/** With `cards.encoding: 'fields'` each key is a field of its own. */
function assertFields(envelope: EventEnvelope): void {
  const payload = envelope.payload();
  const fits = typeof payload === 'object' && payload !== null && !Array.isArray(payload);
  if (!fits || Object.keys(payload).length === 0)
    throw new InvalidOptionError(
      `payload of '${envelope.type}' with cards.encoding 'fields'`,
      Array.isArray(payload) ? 'an array' : payload,
      'an object with at least one key',
    );
}

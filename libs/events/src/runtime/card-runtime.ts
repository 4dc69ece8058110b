import { CardPublisher } from '../bus/card-publisher.js';
import type { CardSubscribeOptions } from '../bus/card-options.js';
import { Cards } from '../bus/cards.js';
import { declareCardHandler, type DeclareCardOptions } from '../bus/declare-card.js';
import { nameOfHandler } from '../bus/declare.js';
import type { EnvelopeFactory } from '../bus/envelope-factory.js';
import type { Listenable } from '../bus/publish-options.js';
import type { PublishRetries } from '../bus/publish-retry.js';
import { subscriptionOf, type Subscription } from '../bus/subscription.js';
import type { DrainOptions } from '../consumer/drain.js';
import { CardConsumer } from '../cards/card-consumer.js';
import type { LaneHost } from '../cards/card-lane.js';
import type { CardDeclaration } from '../core/declaration.js';
import type { DeadLetterRow } from '../core/delivery.js';
import type { Pipeline } from '../pipeline/compose.js';
import type { CardRef, CardStore } from '../ports/cards.js';
import type { DriverWarning } from '../ports/driver.js';
import type { EventsLogger } from '../ports/logger.js';
import type { ResolvedBusOptions } from '../ports/options.js';
import type { EventContracts } from '../validation/event-contracts.js';

/** The rest of the bus, as its cards need it. */
export interface CardRuntimeHost extends Omit<LaneHost, 'quantum' | 'parked'> {
  readonly options: ResolvedBusOptions;
  readonly store: CardStore;
  readonly envelopes: EnvelopeFactory;
  readonly contracts: EventContracts;
  readonly retries: PublishRetries;
  /** Gets a line for each event; absent: none. */
  readonly debug: EventsLogger | undefined;
  readonly pipeline: (declaration: CardDeclaration) => Pipeline;
  readonly warn: (warning: DriverWarning) => void;
  /** @throws BusClosedError */
  assertOpen(): void;
}

/** The cards of one bus of one process, put together: publisher, consumer, and what users see of them. */
export class CardRuntime {
  readonly cards: Cards;
  private readonly consumer: CardConsumer;

  constructor(private readonly host: CardRuntimeHost) {
    const { options, store, envelopes, contracts, retries, debug } = host;
    const { encoding, quantum } = options.cards;
    this.consumer = new CardConsumer(store, {
      ...host,
      quantum,
      take: Math.min(quantum, options.prefetch),
      parked: (card, row) => {
        this.parked(card, row);
      },
    });
    this.cards = new Cards({
      store,
      publisher: new CardPublisher({ store, envelopes, contracts, retries, encoding, debug }),
      assertOpen: () => {
        host.assertOpen();
      },
      subscribe: (topic, handler, subscribing) => this.subscribe(topic, handler, subscribing),
    });
  }

  /**
   * Registers a handler before the start.
   * @throws InvalidCardError, InvalidHandlerError, InvalidOptionError
   */
  declare(listenable: Listenable, handler: unknown, options: DeclareCardOptions, name: string): CardDeclaration {
    const declaration = this.declaration(listenable, handler, options, name);
    this.consumer.register(declaration);
    return declaration;
  }

  /** Begins to receive. */
  start(): Promise<void> {
    return this.consumer.start();
  }

  /** Takes no more cards, and lets what runs end. */
  drain(options: DrainOptions): Promise<void> {
    return this.consumer.drain(options);
  }

  private async subscribe(
    listenable: Listenable,
    handler: unknown,
    options: CardSubscribeOptions,
  ): Promise<Subscription> {
    const declaration = this.declaration(listenable, handler, options, nameOfHandler(handler));
    const entry = await this.consumer.add(declaration);
    const remove = (): Promise<void> => {
      this.consumer.remove(entry);
      return Promise.resolve();
    };
    return subscriptionOf(declaration, remove, options.signal, this.host.logger);
  }

  private declaration(
    listenable: Listenable,
    handler: unknown,
    options: DeclareCardOptions,
    name: string,
  ): CardDeclaration {
    const { concurrency, handlers, filters, cards } = this.host.options;
    return declareCardHandler(listenable, handler, options, {
      ...{ name, concurrency, filters },
      handlers: { ...handlers, stuckAfter: cards.stuckAfter },
    });
  }

  private parked({ topic, cardId }: CardRef, { reason, handler, error, attempts }: DeadLetterRow): void {
    this.host.warn({
      cause: 'parked',
      message: `card '${topic}:${cardId}' is parked until it is resumed or skipped: ${reason}: ${error}`,
      details: { topic, cardId, reason, handler, attempts },
    });
  }
}

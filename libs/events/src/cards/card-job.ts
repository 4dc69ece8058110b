import { EventJob, type EventJobHost } from '../consumer/event-job.js';
import type { CardContext } from '../core/context.js';
import type { Settlement } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import type { BatchCall } from '../pipeline/compose.js';
import type { CardDelivery, CardRef } from '../ports/cards.js';

/** What runs jobs of one card, as a job knows it. */
export interface CardJobHome {
  readonly card: CardRef & { readonly fencingToken: string };
  readonly handler: string;
  /** Why what runs shall end; absent while nothing has happened. */
  readonly abortReason: Error | undefined;
}

/** The batch that a job is part of. */
export interface JobBatch {
  /** The job has come through the pipeline and waits for the others; `call` is the handler. */
  join(job: CardJob, call: BatchCall): Promise<Settlement>;
}

/** One handler's run of one event of a card. */
export class CardJob extends EventJob implements CardContext {
  readonly ephemeral = false;
  readonly group = undefined;

  constructor(
    host: EventJobHost,
    event: EventEnvelope,
    readonly delivery: CardDelivery,
    private readonly home: CardJobHome,
    readonly batch?: JobBatch,
  ) {
    super(host, event, delivery.attempt, delivery.failures);
  }

  get card(): CardRef {
    return this.home.card;
  }
  get handler(): string {
    return this.home.handler;
  }
  get topic(): string {
    return this.home.card.topic;
  }
  get cardId(): string {
    return this.home.card.cardId;
  }
  get sequence(): string {
    return this.delivery.sequence;
  }
  get fencingToken(): string {
    return this.home.card.fencingToken;
  }

  override get isAborted(): boolean {
    return super.isAborted || this.home.abortReason !== undefined;
  }

  override toJSON(): Partial<CardContext> {
    const { topic, cardId, sequence, fencingToken } = this;
    return { ...super.toJSON(), topic, cardId, sequence, fencingToken };
  }

  /** Its home aborts it when that is asked for later. */
  protected override listen(): void {
    const { abortReason } = this.home;
    if (abortReason !== undefined) this.abort(abortReason);
  }
}

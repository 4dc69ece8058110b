import type { Clock } from '../../../core/clock.js';
import type { EventEnvelope } from '../../../core/envelope.js';
import { isEventsError, StreamFullError } from '../../../core/errors.js';
import type { CardRef } from '../../../ports/cards.js';
import type { Batch } from '../batch.js';
import { packAttributes, packOrigin } from '../codec.js';
import { GRACE, type Connection } from '../connection.js';
import { PublishBuffer } from '../publish-buffer.js';
import { PublishLane, type BatchReply, type LaneHost, type LaneTarget, type Waiting } from '../publish-lane.js';
import type { CardHost } from './card-host.js';
import { flatFields } from './flat-fields.js';
import { FIXED_TAG } from './slot-tags.js';

/** Idle lanes that are kept. */
const MAX_LANES = 1_000;

/** An event of a card that waits to be stored. */
interface WaitingOfCard extends Waiting {
  readonly cardId: string;
}

/** Stores events in the queues of their cards, one lane for the cards of a topic whose keys lie together. */
export class CardPublisher implements LaneHost {
  readonly batch = 500;
  readonly grace = GRACE;
  readonly bus: string;
  readonly clock: Clock;
  readonly connection: Connection;
  private readonly lanes = new Map<string, PublishLane<WaitingOfCard>>();
  private readonly buffer: PublishBuffer;
  private readonly origin: string;
  /** Of batches. */
  private sequence = 0;

  constructor(private readonly host: CardHost) {
    this.bus = host.bus;
    this.clock = host.clock;
    this.connection = host.connection;
    this.buffer = new PublishBuffer(host.bus);
    this.origin = packOrigin({ source: host.service, sourceInstance: host.instanceId });
  }

  publish({ topic, cardId }: CardRef, event: EventEnvelope, once: boolean): Promise<number> {
    const flat = this.host.options.encoding === 'fields';
    const ce = flat ? idOnly(event, once) : this.attributes(topic, event);
    const data = flat ? flatFields(event.text) : (event.text ?? '');
    const overload = this.buffer.admit(ce.length + data.length);
    if (overload !== undefined) return Promise.reject(overload);
    return new Promise((resolve, reject) => {
      this.lane(topic, cardId).push({ cardId, ce, data, once, resolve, reject });
    });
  }

  sent(events: number, size: number): void {
    this.buffer.sent(events, size);
  }

  serverIdNow(): string {
    return this.host.serverClock.idBefore();
  }

  private attributes(topic: string, event: EventEnvelope): string {
    return packAttributes(event, event.source === this.host.service ? this.origin : undefined, event.type !== topic);
  }

  private lane(topic: string, cardId: string): PublishLane<WaitingOfCard> {
    const tag = this.host.keys.tag(topic, cardId);
    // A topic has no colon.
    const name = tag === FIXED_TAG ? topic : `${topic}:${tag}`;
    let lane = this.lanes.get(name);
    if (lane === undefined) {
      lane = new PublishLane(this, this.target(topic, tag), () => {
        if (this.lanes.size > MAX_LANES) this.lanes.delete(name);
      });
      this.lanes.set(name, lane);
    }
    return lane;
  }

  private target(topic: string, tag: string): LaneTarget<WaitingOfCard> {
    const { maxLength } = this.host;
    const index = this.host.keys.index(topic, tag);
    let last: Batch | undefined;
    let sequence = 0;
    return {
      send: async (batch, _since, events) => {
        await this.noteTag(topic, tag);
        if (batch !== last) sequence = ++this.sequence;
        last = batch;
        return this.send(topic, tag, index, sequence, batch, events);
      },
      prepare: () => Promise.resolve(),
      refusal: (_reply, { cardId }) => new StreamFullError(`${topic}:${cardId}`, maxLength),
      dropped: () => undefined,
    };
  }

  /** Until the tag is noted nothing of the batch is sent. */
  private async noteTag(topic: string, tag: string): Promise<void> {
    try {
      await this.host.tags.note(topic, tag);
    } catch (error) {
      throw isEventsError(error, 'BACKEND_UNAVAILABLE') ? this.connection.unavailable('not-stored', error) : error;
    }
  }

  private send(
    topic: string,
    tag: string,
    index: readonly string[],
    sequence: number,
    [count, lengths, texts, once]: Batch,
    events: readonly WaitingOfCard[],
  ): Promise<BatchReply> {
    const { keys, options, maxLength, owner } = this.host;
    const numbers = new Map<string, number>();
    const ofEvents: number[] = [];
    for (const { cardId } of events) {
      let number = numbers.get(cardId);
      if (number === undefined) numbers.set(cardId, (number = numbers.size + 1));
      ofEvents.push(number);
    }
    const cards = [...numbers.keys()];
    const publisher = keys.publisher(tag, `${owner}:${topic}`);
    const encoding = options.encoding === 'fields' ? 'f' : 'c';
    return this.connection.script('cardPublish', [
      index.length + 2 + cards.length,
      ...index,
      publisher,
      once === '' ? publisher : keys.ids(topic, tag),
      ...cards.map((cardId) => keys.stream(topic, cardId)),
      ...[sequence, maxLength, encoding, keys.ready, topic],
      ...[count, lengths, texts, once, ofEvents.join(' ')],
      ...cards,
    ]) as Promise<BatchReply>;
  }
}

/** As fields of its own an event has no id; what is stored once is known by it. */
function idOnly(event: EventEnvelope, once: boolean): string {
  return once ? JSON.stringify([event.id]) : '';
}

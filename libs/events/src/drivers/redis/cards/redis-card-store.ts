import type { EventEnvelope } from '../../../core/envelope.js';
import { UnsupportedError } from '../../../core/errors.js';
import type {
  CardPage,
  CardRecord,
  CardRef,
  CardSink,
  CardSource,
  CardStore,
  CardStoreOptions,
  CardTopicSpec,
} from '../../../ports/cards.js';
import type { Argument } from '../commands.js';
import { GRACE } from '../connection.js';
import { CardLetters } from './card-letters.js';
import { CardRecords } from './card-records.js';
import { ownUnregister } from './notices.js';
import type { OpenCards } from './open-cards.js';

/** Cards in Redis: a stream a card; indexes of what is ready, held and waiting; scripts that change them as one. */
export class RedisCardStore implements CardStore {
  readonly deadLetters: CardLetters;
  private readonly records: CardRecords;

  /** @param open throws `BusClosedError` before the driver is open and after it is closed */
  constructor(private readonly open: () => OpenCards) {
    this.deadLetters = new CardLetters(() => open().host);
    this.records = new CardRecords(() => open().host);
  }

  publish(card: CardRef, event: EventEnvelope, options?: CardStoreOptions): Promise<number> {
    try {
      return this.open().publisher.publish(card, event, options?.deduplicate === true);
    } catch (error) {
      const closed = error as Error;
      return Promise.reject(closed);
    }
  }

  async register(card: CardRef): Promise<void> {
    const { connection, keys } = this.open().host;
    await connection.persistScript('cardRegister', [...(await this.about(card)), keys.ready], GRACE);
  }

  async unregister(card: CardRef, pending: 'drain' | 'drop'): Promise<number> {
    const { connection, keys } = this.open().host;
    const args = [...(await this.about(card)), pending, 1];
    await connection.persist((client) => client.publish(keys.ready, ownUnregister(card)), GRACE);
    return Number(await connection.persistScript('cardUnregister', args, GRACE));
  }

  async consume(spec: CardTopicSpec, sink: CardSink): Promise<CardSource> {
    return this.open().consume(spec, sink);
  }

  async list(topic: string, cursor: string | undefined, limit: number): Promise<CardPage> {
    return this.records.list(topic, cursor, limit);
  }

  async inspect(card: CardRef): Promise<CardRecord | undefined> {
    return this.records.inspect(card);
  }

  /** Not repeated when the answer is lost: it would say that the card does not wait. */
  async resume(card: CardRef): Promise<boolean> {
    const { connection, keys } = this.open().host;
    return (await connection.script('cardResume', [...(await this.about(card)), keys.ready])) === 1;
  }

  /** Not repeated when the answer is lost: it would skip another event. */
  async skip(card: CardRef): Promise<boolean> {
    const { connection, keys, record, letters } = this.open().host;
    const args = [...(await this.about(card)), keys.ready, 'anycast', 'skipped by hand'];
    await record.note(card.topic);
    const reply = await connection.script('cardSkip', args);
    if (reply === -1)
      throw new UnsupportedError(
        `The head of card '${card.cardId}' of topic '${card.topic}' has too many fields to be moved.`,
      );
    if (reply === 1) await letters.filed(card.topic, keys.tag(card.topic, card.cardId));
    return reply === 1;
  }

  /** What the scripts about one card begin with; its keys may be written from now on. */
  private async about({ topic, cardId }: CardRef): Promise<Argument[]> {
    const { keys, tags } = this.open().host;
    const tag = keys.tag(topic, cardId);
    await tags.note(topic, tag);
    return [...keys.index(topic, tag), keys.stream(topic, cardId), topic, cardId];
  }
}

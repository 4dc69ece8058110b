import type { CardSink, CardSource, CardTopicSpec } from '../../../ports/cards.js';
import { Repeater } from '../repeater.js';
import type { CardHost } from './card-host.js';
import { GROUP_CHANGE } from './card-keys.js';
import { CardPublisher } from './card-publisher.js';
import { CardSweeps } from './card-sweeps.js';
import { CardTopic } from './card-topic.js';
import { NoticeBoard } from './notice-board.js';

/** Between two rounds of the safety net for lost wake-ups, ms. */
const POLL = 1_000;

/** Cards while the driver is open: what is published, and the topics that this process takes. */
export class OpenCards {
  readonly publisher: CardPublisher;
  private readonly topics = new Map<string, CardTopic>();
  private readonly board: NoticeBoard;
  private readonly sweeps: CardSweeps;
  private readonly background: Repeater;

  constructor(readonly host: CardHost) {
    this.publisher = new CardPublisher(host);
    this.board = new NoticeBoard(host, this.topics);
    this.sweeps = new CardSweeps(host, this.topics);
    this.background = new Repeater(host.clock, (error) => {
      host.readFailed('the poll of cards', error);
    });
    this.background.every(POLL, () => {
      for (const topic of this.topics.values()) topic.poll();
      return Promise.resolve();
    });
    this.sweeps.start();
  }

  /** The topics whose cards this process takes now. */
  interests(): string[] {
    return [...this.topics.values()].filter((topic) => topic.isTaking()).map(({ topic }) => topic);
  }

  /** @throws TopicInUseError */
  async consume(spec: CardTopicSpec, sink: CardSink): Promise<CardSource> {
    const { connection, keys, record } = this.host;
    await record.claim(spec.topic);
    const topic = new CardTopic(this.host, spec, sink, (ended) => this.detach(ended));
    this.topics.set(spec.topic, topic);
    try {
      await connection.subscribe(GROUP_CHANGE, keys.ready);
      await topic.openSlots();
      await this.host.announce();
    } catch (error) {
      topic.stop();
      await this.detach(topic);
      throw error;
    }
    topic.start();
    this.lookFor(topic, true);
    return topic;
  }

  /** A message of the subscriber connection; false: it is not about cards. */
  heard(channel: string, message: string): boolean {
    if (channel === this.host.keys.ready) this.board.ready(message);
    else if (channel === GROUP_CHANGE) this.board.changed(message);
    else return false;
    return true;
  }

  /** The connection is there again: anything may have been missed. */
  restored(): void {
    this.board.restored();
    for (const topic of this.topics.values()) this.lookFor(topic, false);
  }

  /** Ends what is consumed; turns have ended before. */
  async close(): Promise<void> {
    this.sweeps.stop();
    await Promise.allSettled([...this.topics.values()].map((topic) => topic.close()));
  }

  /** Stops everything without a word. */
  stop(): void {
    this.background.stop();
    this.sweeps.stop();
    for (const topic of this.topics.values()) topic.stop();
  }

  /** Looks for what this process was not told of. */
  private lookFor(topic: CardTopic, scan: boolean): void {
    const look = async (): Promise<void> => {
      await topic.restored();
      await this.sweeps.sweep();
      if (scan) await this.sweeps.scan(topic);
    };
    look().catch((error: unknown) => {
      this.host.readFailed(`cards of topic '${topic.topic}'`, error);
    });
  }

  private async detach(topic: CardTopic): Promise<void> {
    const { connection, keys } = this.host;
    if (this.topics.get(topic.topic) === topic) this.topics.delete(topic.topic);
    if (this.topics.size === 0) await connection.unsubscribe(GROUP_CHANGE, keys.ready);
  }
}

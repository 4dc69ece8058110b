import type { CardHost } from './card-host.js';
import type { CardTopic } from './card-topic.js';
import { readGroupChange, readReady } from './notices.js';

/** Unregistrations of this library of which the other half is awaited, at most, and how long, ms. */
const MOST = 10_000;
const PATIENCE = 10_000;

/** Hands what is said of cards to the topics that this process takes. */
export class NoticeBoard {
  /** When it was said, ms, of a card that its foreign-looking `unregister` is this library's own. */
  private readonly own = new Map<string, number[]>();

  constructor(
    private readonly host: Pick<CardHost, 'clock' | 'readFailed'>,
    private readonly topics: ReadonlyMap<string, CardTopic>,
  ) {}

  /** A message of the channel of what is ready. */
  ready(message: string): void {
    const notice = readReady(message);
    const topic = this.topics.get(notice.topic);
    if (topic === undefined) return;
    if (notice.kind === 'ready') topic.woken(notice.cards);
    else this.expect(`${notice.topic}:${notice.cardId}`);
  }

  /** A message of the channel of other programs. */
  changed(message: string): void {
    const change = readGroupChange(message);
    const topic = change && this.topics.get(change.topic);
    if (change === undefined || topic === undefined) return;
    if (change.kind === 'unregister' && this.isOwn(`${change.topic}:${change.cardId}`)) return;
    topic.heard(change).catch((error: unknown) => {
      this.host.readFailed(`card '${change.cardId}' of topic '${change.topic}'`, error);
    });
  }

  /** The connection was lost: the other half may never come. */
  restored(): void {
    this.own.clear();
  }

  private expect(card: string): void {
    if (this.own.size >= MOST) this.own.clear();
    const times = this.own.get(card);
    if (times === undefined) this.own.set(card, [this.host.clock.now()]);
    else times.push(this.host.clock.now());
  }

  private isOwn(card: string): boolean {
    const times = this.own.get(card);
    if (times === undefined) return false;
    const edge = this.host.clock.now() - PATIENCE;
    let said = times.shift();
    // Of a card that nobody knew there was no other half.
    while (said !== undefined && said < edge) said = times.shift();
    if (times.length === 0) this.own.delete(card);
    return said !== undefined;
  }
}

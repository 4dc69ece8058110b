import type { CardTopic } from './card-topic.js';
import { readGroupChange, readReady } from './notices.js';

/** Unregistrations of this library of which the other half is awaited, at most. */
const MOST = 10_000;

/** Hands what is said of cards to the topics that this process takes. */
export class NoticeBoard {
  /** How many foreign-looking `unregister` of a card are this library's own. */
  private readonly own = new Map<string, number>();

  constructor(
    private readonly topics: ReadonlyMap<string, CardTopic>,
    private readonly failed: (what: string, error: unknown) => void,
  ) {}

  /** A message of the channel of what is ready. */
  ready(message: string): void {
    const notice = readReady(message);
    const topic = this.topics.get(notice.topic);
    if (topic === undefined) return;
    if (notice.kind === 'ready') topic.woken(notice.cards);
    else if (this.own.size < MOST) {
      const card = `${notice.topic}:${notice.cardId}`;
      this.own.set(card, (this.own.get(card) ?? 0) + 1);
    }
  }

  /** A message of the channel of other programs. */
  changed(message: string): void {
    const change = readGroupChange(message);
    const topic = change && this.topics.get(change.topic);
    if (change === undefined || topic === undefined) return;
    if (change.kind === 'unregister' && this.isOwn(`${change.topic}:${change.cardId}`)) return;
    topic.heard(change).catch((error: unknown) => {
      this.failed(`card '${change.cardId}' of topic '${change.topic}'`, error);
    });
  }

  /** The connection was lost: the other half may never come. */
  restored(): void {
    this.own.clear();
  }

  private isOwn(card: string): boolean {
    const count = this.own.get(card);
    if (count === undefined) return false;
    if (count > 1) this.own.set(card, count - 1);
    else this.own.delete(card);
    return true;
  }
}

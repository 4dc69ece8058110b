import { assertCardId, assertTopic } from '../../../core/card.js';
import type { CardRef } from '../../../ports/cards.js';

/** Channel of other programs: `register:<topic>:<card>`, `unregister:<topic>:<card>`. */
export const GROUP_CHANGE = 'group_change';

/**
 * Spells every key and channel of cards; nobody else does. They derive from the prefix of streams alone, so that all buses
 * on a server agree on who holds a card. What one script touches shares a slot: the stream's name is given, so the hash tag
 * of the other keys is chosen to hash like it. See docs/redis-keys.md.
 */
export class CardKeys {
  /** HASH topic → JSON of the service that consumes it, and when it was last seen. */
  readonly topics: string;
  /** Channel: `<topic>\n<card>\n<card>…`, cards that have become ready. */
  readonly ready: string;
  /** Glob of all streams of cards, for SCAN; other keys match it too: ask `cardOf`. */
  readonly anyStream: string;

  /**
   * @param prefix of streams, without braces
   * @param tagOf the hash tag of the keys beside a stream: one for all, or one that hashes to the stream's slot
   */
  constructor(
    readonly prefix: string,
    private readonly tagOf: (stream: string) => string,
  ) {
    this.topics = `${prefix}{cards}:topics`;
    this.ready = `${prefix}ready`;
    this.anyStream = `${prefix.replace(/[\\?*[\]^]/g, '\\$&')}*`;
  }

  /** STREAM of a card. */
  stream(topic: string, cardId: string): string {
    return `${this.prefix}${topic}:${cardId}`;
  }

  /** The group of a card's stream. */
  group(topic: string, cardId: string): string {
    return `${topic}:${cardId}`;
  }

  /** The hash tag of the keys beside a card's stream. */
  tag(topic: string, cardId: string): string {
    return this.tagOf(this.stream(topic, cardId));
  }

  /**
   * The keys that every script of cards begins with, in its order: `reg` ZSET card → last activity, ms; `rdy` ZSET card →
   * ready since, ms; `own` HASH card → token; `exp` ZSET card → end of the lease, ms; `blk` ZSET card → waits until, ms;
   * `att` HASH card → attempts of the head, JSON; `ep` STRING, number of the last token; `unr` SET of cards that are being
   * unregistered; `dead` STREAM of dead letters.
   */
  index(topic: string, tag: string): string[] {
    const start = this.ofTopic(topic, tag);
    return INDEX.map((name) => start + name);
  }

  /** ZSET card → last activity, ms. */
  registered(topic: string, tag: string): string {
    return `${this.ofTopic(topic, tag)}reg`;
  }

  /** STREAM of dead letters. */
  dead(topic: string, tag: string): string {
    return `${this.ofTopic(topic, tag)}dead`;
  }

  /** ZSET card and event id → ms: events that were stored to be stored once. */
  ids(topic: string, tag: string): string {
    return `${this.ofTopic(topic, tag)}ids`;
  }

  /** STRING with expiry: the last batch that a publisher stored, and what it was answered. */
  publisher(tag: string, publisher: string): string {
    return `${this.prefix}{${tag}}:pub:${publisher}`;
  }

  /** SET of tags in use by a topic, in a Cluster. */
  tags(topic: string): string {
    return `${this.prefix}{cards}:tags:${topic}`;
  }

  /** SET of tags under which a topic has dead letters, in a Cluster. */
  deadTags(topic: string): string {
    return `${this.prefix}{cards}:dead-tags:${topic}`;
  }

  /** The card whose stream a key is; undefined for other keys, and for names that no card has. */
  cardOf(key: string): CardRef | undefined {
    return key.startsWith(this.prefix) ? readCard(key.slice(this.prefix.length)) : undefined;
  }

  private ofTopic(topic: string, tag: string): string {
    return `${this.prefix}{${tag}}:${topic}:`;
  }
}

const INDEX = ['reg', 'rdy', 'own', 'exp', 'blk', 'att', 'ep', 'unr', 'dead'] as const;

/** Reads `<topic>:<card>`, the end of streams' names and of what other programs say; undefined where it is no card. */
export function readCard(name: string): CardRef | undefined {
  const at = name.indexOf(':');
  if (at < 0) return undefined;
  const card: CardRef = { topic: name.slice(0, at), cardId: name.slice(at + 1) };
  try {
    assertTopic(card.topic);
    assertCardId(card.cardId);
    return card;
  } catch {
    return undefined;
  }
}

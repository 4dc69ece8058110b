import { randomBytes } from 'node:crypto';
import type { ResolvedBusOptions } from '../../../ports/options.js';
import type { RedisHost } from '../redis-host.js';
import type { CardHost } from './card-host.js';
import { CardKeys } from './card-keys.js';
import { CardTags } from './card-tags.js';
import { LetterIndex } from './letter-index.js';
import { OpenCards } from './open-cards.js';
import { FIXED_TAG, SlotTags } from './slot-tags.js';
import { TopicRecord } from './topic-record.js';

/** Puts the cards of a driver together. */
export function assembleCards(redis: RedisHost, service: string, options: ResolvedBusOptions): OpenCards {
  const { bus, instanceId, clock, connection, membership, serverClock, warn, readFailed } = redis;
  const slotTags = new SlotTags();
  const tagOf = connection.cluster ? (stream: string) => slotTags.tagOf(stream) : () => FIXED_TAG;
  const keys = new CardKeys(options.cards.streamPrefix, tagOf);
  const host: CardHost = {
    ...{ bus, service, instanceId, clock, keys, connection, membership, serverClock, warn, readFailed },
    owner: `${instanceId}|${randomBytes(6).toString('base64url')}`,
    options: options.cards,
    maxLength: options.maxLength,
    tags: new CardTags(connection, keys),
    record: new TopicRecord(connection, serverClock, keys.topics, bus, service),
    letters: new LetterIndex(connection, keys, warn),
    announce: () => redis.announce(),
  };
  return new OpenCards(host);
}

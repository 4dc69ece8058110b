import type { CardRecord } from '../../../ports/cards.js';
import { Card } from './card.js';
import type { RestingCard } from './registered-cards.js';

/** What can be told of a card. */
export function recordOf(topic: string, cardId: string, row: Card | RestingCard): CardRecord {
  const { activeAt } = row;
  const card = row instanceof Card ? row : undefined;
  const state = card?.state ?? 'idle';
  return {
    topic,
    cardId,
    state,
    length: card?.length ?? 0,
    pending: card?.pending ?? 0,
    owner: card?.holder?.owner,
    fencingToken: card?.holder?.fencingToken,
    attempts: card?.head?.attempts ?? 0,
    lastError: card?.head?.past.error,
    retryAt: state === 'backoff' ? card?.wait?.due : undefined,
    activeAt,
  };
}

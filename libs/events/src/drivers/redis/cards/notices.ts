import type { CardRef } from '../../../ports/cards.js';
import { readCard } from './card-keys.js';

/** What other programs, and this library, say on the channel `group_change`. */
export interface GroupChange extends CardRef {
  readonly kind: 'register' | 'unregister';
}

/** Reads `register:<topic>:<card>` or `unregister:<topic>:<card>`; undefined for anything else. */
export function readGroupChange(message: string): GroupChange | undefined {
  const kind = message.slice(0, message.indexOf(':'));
  if (kind !== 'register' && kind !== 'unregister') return undefined;
  const card = readCard(message.slice(kind.length + 1));
  return card && { kind, ...card };
}

/** What is said on the channel of what is ready. */
export type ReadyNotice =
  | { readonly kind: 'ready'; readonly topic: string; readonly cards: readonly string[] }
  /** The `unregister` that follows on the other channel is this library's own. */
  | { readonly kind: 'own-unregister'; readonly topic: string; readonly cardId: string };

/** Reads a topic and its cards that are ready, one a line; after an empty line, what `ownUnregister` writes. */
export function readReady(message: string): ReadyNotice {
  const [topic = '', ...cards] = message.split('\n');
  if (topic !== '') return { kind: 'ready', topic, cards };
  const [named = '', cardId = ''] = cards;
  return { kind: 'own-unregister', topic: named, cardId };
}

/**
 * Is said before this library's own `unregister` of a card: whoever hears that has nothing to do, because it is done. Taken
 * for a foreign one it could undo a `register` that came after it.
 */
export function ownUnregister({ topic, cardId }: CardRef): string {
  return `\n${topic}\n${cardId}`;
}

import { InvalidCardError } from './card-errors.js';

/** Names of topics and cards have at most so many bytes of UTF-8. */
const MAX_BYTES = 512;
const FORBIDDEN = /[{}\p{C}]/u;

/**
 * A topic: any text without `:`, braces and control characters, 1 to 512 bytes.
 * @throws InvalidCardError
 */
export function assertTopic(topic: unknown): asserts topic is string {
  const why = problemOf(topic) ?? ((topic as string).includes(':') ? "it has a ':', which ends a topic" : undefined);
  if (why !== undefined) throw new InvalidCardError('topic', topic, why);
}

/**
 * A card id: any text without braces and control characters, 1 to 512 bytes; `:` is an ordinary character.
 * @throws InvalidCardError
 */
export function assertCardId(cardId: unknown): asserts cardId is string {
  const why = problemOf(cardId);
  if (why !== undefined) throw new InvalidCardError('card id', cardId, why);
}

function problemOf(name: unknown): string | undefined {
  if (typeof name !== 'string') return 'it is not a string';
  if (name === '') return 'it is empty';
  // A UTF-16 unit is at most 3 bytes of UTF-8, so most names need no count.
  if (name.length * 3 > MAX_BYTES && new TextEncoder().encode(name).length > MAX_BYTES)
    return `it is longer than ${String(MAX_BYTES)} bytes`;
  if (FORBIDDEN.test(name)) return 'it has a brace or a control character';
  return undefined;
}

import type { DeadLetterReason } from '../core/delivery.js';
import { matches, normalizePattern } from '../core/pattern.js';
import type { LetterStore, StoredLetter } from '../ports/stores.js';
import type { LetterPlace } from './letter-id.js';

/** Which dead letters: all that are given must fit. */
export interface DeadLetterFilter {
  /** An event type, or a pattern. Defaults to all. */
  readonly type?: string;
  /** Of this group; `''`: of handlers without a group. Defaults to all. */
  readonly group?: string;
  readonly handler?: string;
  readonly reason?: DeadLetterReason;
  /** Of the cards of this topic. Defaults to all, on cards or not. */
  readonly topic?: string;
}

/** Where the dead letters of a bus are kept. */
export interface LetterStores {
  /** Those of the bus's events, by type. */
  readonly letters: LetterStore;
  /** Those of cards, by topic. */
  readonly cardLetters: () => LetterStore;
}

/** The letters of one type, or of one topic. */
export interface Shelf {
  readonly store: LetterStore;
  readonly name: string;
}

/** Letters read at once. */
const CHUNK = 200;

export function placeOfLetter({ type: name, cardId, position }: StoredLetter): LetterPlace {
  return { ofCards: cardId !== undefined, name, position };
}

export function storeOf(stores: LetterStores, { ofCards }: LetterPlace): LetterStore {
  return ofCards ? stores.cardLetters() : stores.letters;
}

/** The shelves that may have letters which fit. */
export async function shelvesOf(stores: LetterStores, { topic, type }: DeadLetterFilter): Promise<Shelf[]> {
  const { letters } = stores;
  const cardLetters = stores.cardLetters();
  if (topic !== undefined) return [{ store: cardLetters, name: topic }];
  const [types, topics] = await Promise.all([letters.types(), cardLetters.types()]);
  const pattern = type === undefined ? undefined : normalizePattern(type);
  return [
    ...types
      .filter((each) => pattern === undefined || matches(pattern, each))
      .map((name) => ({ store: letters, name })),
    ...topics.map((name) => ({ store: cardLetters, name })),
  ];
}

export function fits(letter: StoredLetter, { type, group, handler, reason }: DeadLetterFilter): boolean {
  return (
    (type === undefined || matches(normalizePattern(type), letter.event?.type ?? letter.type)) &&
    (group === undefined || (letter.group ?? '') === group) &&
    (handler === undefined || letter.handler === handler) &&
    (reason === undefined || letter.reason === reason)
  );
}

/** A shelf from its newest letter on, so many at once. */
export async function* chunks(store: LetterStore, name: string): AsyncGenerator<readonly StoredLetter[]> {
  let before: string | undefined;
  for (;;) {
    const letters = await store.read(name, before, CHUNK);
    before = letters.at(-1)?.position;
    yield letters;
    if (letters.length < CHUNK) return;
  }
}

/** The letters of several shelves in order of time. */
export async function* newestFirst(shelves: readonly Shelf[]): AsyncGenerator<StoredLetter> {
  const flows = shelves.map(({ store, name }) => ({
    chunks: chunks(store, name),
    letters: [] as readonly StoredLetter[],
    next: 0,
    more: true,
  }));
  for (;;) {
    for (const flow of flows) {
      while (flow.next >= flow.letters.length && flow.more) {
        const chunk = await flow.chunks.next();
        flow.more = chunk.done !== true;
        flow.letters = chunk.done === true ? [] : chunk.value;
        flow.next = 0;
      }
    }
    let newest: (typeof flows)[number] | undefined;
    for (const flow of flows) {
      const letter = flow.letters[flow.next];
      if (letter !== undefined && letter.at > (newest?.letters[newest.next]?.at ?? -1)) newest = flow;
    }
    const letter = newest?.letters[newest.next];
    if (newest === undefined || letter === undefined) return;
    newest.next++;
    yield letter;
  }
}

/** Where a letter is. */
export interface LetterPlace {
  /** Among the letters of a card's topic, instead of those of an event type. */
  readonly ofCards: boolean;
  /** The type, or the topic. */
  readonly name: string;
  readonly position: string;
}

/** What the id of a card's letter begins with. No event type does. */
const CARDS = '~';

/** The id of a letter says where it is. A type has no `@`, and a topic is written so that it has none. */
export function idOf({ ofCards, name, position }: LetterPlace): string {
  return ofCards ? `${CARDS}${encodeURIComponent(name)}@${position}` : `${name}@${position}`;
}

/** Where a letter is; undefined for what is no id of one. */
export function placeOf(id: unknown): LetterPlace | undefined {
  const [, mark, name, position] = /^(~?)([^@\s]{1,1536})@([\w.:-]{1,128})$/.exec(String(id)) ?? [];
  if (name === undefined || position === undefined) return undefined;
  if (mark === '') return { ofCards: false, name, position };
  try {
    return { ofCards: true, name: decodeURIComponent(name), position };
  } catch {
    return undefined;
  }
}

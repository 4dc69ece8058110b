export const TOPIC = 'chaos';

/** What is published, by the library or, field by field, by a foreign XADD. */
export interface Payload {
  readonly card: string;
  /** From 1, grows by 1 within a card. */
  readonly number: number | string;
}

/** Names of keys of a run: all begin with its prefix. */
export interface Names {
  readonly bus: { readonly keyPrefix: string; readonly cards: { readonly streamPrefix: string } };
  /** Counts what Redis refused of processes that had lost their card. */
  readonly refused: string;
  /** Of the sink's keys. */
  readonly sink: string;
  /** Key of a card's events. */
  readonly stream: (card: string) => string;
  /** Matches the keys of the topic's indexes. */
  readonly indexes: string;
}

export function namesOf(prefix: string): Names {
  const streamPrefix = `${prefix}stream:`;
  return {
    bus: { keyPrefix: `${prefix}events:`, cards: { streamPrefix } },
    refused: `${prefix}refused`,
    sink: prefix,
    stream: (card) => `${streamPrefix}${TOPIC}:${card}`,
    indexes: `${streamPrefix}{*}:${TOPIC}:*`,
  };
}

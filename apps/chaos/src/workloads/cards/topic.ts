export const TOPIC = 'chaos';
/** Name of the sink. */
export const SINK = 'cards';
export const STREAM_PREFIX = 'event_stream:';

/** What is published, by the library or, field by field, by a foreign XADD. */
export interface Payload {
  readonly card: string;
  /** From 1, grows by 1 within a card. */
  readonly number: number | string;
}

export function streamOf(card: string): string {
  return `${STREAM_PREFIX}${TOPIC}:${card}`;
}

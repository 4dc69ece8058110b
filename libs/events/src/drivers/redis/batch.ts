/** Events as the publishing scripts take them: how many, the bytes of each text, and all texts in a row. */
export type Batch = readonly [count: number, lengths: string, texts: string];

/** An event's texts. `data` is empty where there is no payload. */
export interface Texts {
  readonly ce: string;
  readonly data: string;
}

/**
 * Puts the texts of several events into one argument: the client spends as much on an argument as on a hundred bytes.
 */
export function packBatch(events: readonly Texts[]): Batch {
  const pieces: string[] = [];
  for (const { ce, data } of events) pieces.push(ce, data);
  const texts = pieces.join('');
  // Where no character needs more than a byte, lengths are what the strings say.
  const measure = Buffer.byteLength(texts) === texts.length ? units : bytes;
  const lengths: string[] = [];
  for (const { ce, data } of events) lengths.push(`${String(measure(ce))} ${String(measure(data))}`);
  return [events.length, lengths.join(' '), texts];
}

function units(text: string): number {
  return text.length;
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}

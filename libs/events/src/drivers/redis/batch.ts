/**
 * Events as the publishing scripts take them: how many, the bytes of each text, all texts in a row, and the indexes of those
 * that are stored once.
 */
export type Batch = readonly [count: number, lengths: string, texts: string, once: string];

/** An event's texts. `data` is empty where there is no payload. */
export interface Texts {
  readonly ce: string;
  readonly data: string;
  /** Stored only where no event of this id was lately. */
  readonly once: boolean;
}

/**
 * Puts the texts of several events into one argument: the client spends as much on an argument as on a hundred bytes.
 */
export function packBatch(events: readonly Texts[]): Batch {
  const pieces: string[] = [];
  const once: number[] = [];
  for (const [index, event] of events.entries()) {
    pieces.push(event.ce, event.data);
    if (event.once) once.push(index);
  }
  const texts = pieces.join('');
  // Where no character needs more than a byte, lengths are what the strings say.
  const measure = Buffer.byteLength(texts) === texts.length ? units : bytes;
  const lengths: string[] = [];
  for (const { ce, data } of events) lengths.push(`${String(measure(ce))} ${String(measure(data))}`);
  return [events.length, lengths.join(' '), texts, once.join(' ')];
}

function units(text: string): number {
  return text.length;
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}

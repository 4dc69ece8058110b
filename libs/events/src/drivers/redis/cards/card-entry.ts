import type { EventEnvelope } from '../../../core/envelope.js';
import { messageOf } from '../../../core/message-of.js';
import type { CardDelivery } from '../../../ports/cards.js';
import { readCardEntry, type Fields } from '../codec.js';

/** An entry as the scripts give it. */
export type RawEntry = readonly [id: string, fields: Fields];

/** What a card's head has behind it: failures, and deaths of its holders. */
export interface Attempts {
  readonly failures: number;
  readonly crashes: number;
  readonly lastError: string | undefined;
}

const NONE_BEHIND: Attempts = Object.freeze({ failures: 0, crashes: 0, lastError: undefined });
/** The first field of an entry that comes back from the dead letters; its value is the operation. */
const REPLAYED = 'cardinal:replay';

/** One event of a card, handed over. */
export class CardEntry implements CardDelivery {
  constructor(
    readonly type: string,
    readonly sequence: string,
    readonly event: EventEnvelope | undefined,
    readonly malformed: string | undefined,
    readonly redelivered: boolean,
    readonly failures: number,
    readonly crashes: number,
  ) {}

  get attempt(): number {
    return 1 + this.failures + this.crashes;
  }
}

/**
 * Reads the entries of a card, the first of which is its head.
 * @param again how many of them, from the first on, may have been handed over before
 * @param attempts of the head, as the scripts give them: JSON, or '' for none
 */
export function readEntries(topic: string, raw: readonly RawEntry[], again: number, attempts: string): CardEntry[] {
  const head = attempts === '' ? NONE_BEHIND : readAttempts(attempts);
  const entries: CardEntry[] = [];
  for (const [id, found] of raw) {
    const { failures, crashes } = entries.length === 0 ? head : NONE_BEHIND;
    const redelivered = entries.length < again || failures + crashes > 0;
    const fields = withoutReplay(found);
    try {
      const event = readCardEntry(topic, id, fields);
      entries.push(new CardEntry(topic, id, event, undefined, redelivered, failures, crashes));
    } catch (error) {
      entries.push(new CardEntry(topic, id, undefined, messageOf(error), redelivered, failures, crashes));
    }
  }
  return entries;
}

/** Reads `[entry id, failures, crashes, crashes alone, noted, last error]`. Never throws: a foreign hand may have written it. */
export function readAttempts(text: string): Attempts {
  try {
    const row: unknown = JSON.parse(text);
    if (!Array.isArray(row)) return NONE_BEHIND;
    const [, failures, crashes, , , error] = row as unknown[];
    return {
      failures: countOf(failures),
      crashes: countOf(crashes),
      lastError: typeof error === 'string' && error !== '' ? error : undefined,
    };
  } catch {
    return NONE_BEHIND;
  }
}

function withoutReplay(fields: Fields): Fields {
  return fields[0] === REPLAYED ? fields.slice(2) : fields;
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

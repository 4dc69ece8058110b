import type { Clock } from '../core/clock.js';
import type { DeadLetterReason } from '../core/delivery.js';
import type { EventEnvelope, EventHeaders, EventMode } from '../core/envelope.js';
import { InvalidOptionError } from '../core/errors.js';
import { normalizePattern } from '../core/pattern.js';
import { redacted } from '../core/redacted.js';
import { assertTopic } from '../core/card.js';
import type { StoredLetter } from '../ports/stores.js';
import type { Page, PageOptions } from './page.js';
import { pageOf } from './page.js';
import { Replay, type ReplayResult } from './replay.js';
import { idOf, placeOf } from './letter-id.js';
import {
  chunks,
  fits,
  newestFirst,
  placeOfLetter,
  shelvesOf,
  storeOf,
  type DeadLetterFilter,
  type LetterStores,
} from './letter-shelves.js';

export type { DeadLetterFilter } from './letter-shelves.js';

/** A failure that no attempt will mend by itself, with the event as it was sent. */
export interface DeadLetter {
  readonly id: string;
  /** The event's type. Of an entry of a card that could not be read, its topic. */
  readonly type: string;
  /** The topic and the card whose head it was, where it was on a card. */
  readonly topic: string | undefined;
  readonly cardId: string | undefined;
  readonly reason: DeadLetterReason;
  /** The handler that failed; absent when the failure is the event's own. */
  readonly handler: string | undefined;
  readonly group: string | undefined;
  /** Attempts that were made. */
  readonly attempts: number;
  readonly error: string;
  readonly stack: string | undefined;
  /** When it was filed. */
  readonly time: Date;
  /** The replay that it comes back from, where it has been replayed. */
  readonly replay: string | undefined;
  /** Absent where the entry could not be read as an event. */
  readonly event: DeadEvent | undefined;
}

/** The event of a dead letter. */
export interface DeadEvent {
  readonly id: string;
  readonly source: string;
  readonly sourceInstance: string;
  readonly time: Date;
  readonly version: number;
  readonly mode: EventMode;
  readonly correlationId: string;
  readonly causationId: string | undefined;
  readonly headers: EventHeaders;
  /** Keys of the module's `redact` are hidden. Absent without a payload, and where it is not JSON. */
  readonly payload: unknown;
}

export interface ReplayOptions {
  /** Only count and list what would be replayed. Defaults to false. */
  readonly dryRun?: boolean;
  /** At most so many, the oldest first. Defaults to 10,000. */
  readonly limit?: number;
  /**
   * Stop when so many of the replayed ones have become dead letters again. It goes on in steps of 50 and waits after each
   * until they have ended, so that a fault that is still there does not fail everything once more. Defaults to no limit.
   */
  readonly maxFailures?: number;
}

const MAX_REPLAY = 10_000;
/** Letters beyond those wanted that are kept while the oldest are looked for. */
const SPARE = 200;

export interface DeadLettersHost extends LetterStores {
  readonly clock: Clock;
  readonly redact: (key: string) => boolean;
  /** Makes an event as `publish` would. */
  envelope(type: string, payload: unknown): EventEnvelope;
}

/** The dead letters of a bus, those of its cards among them: `events.deadLetters`. */
export class DeadLetters {
  constructor(private readonly host: DeadLettersHost) {}

  /**
   * The newest first. `page` from 1, `pageSize` 1 to 1,000, 20 by default.
   * @throws InvalidOptionError also for an unknown key, InvalidPatternError, InvalidCardError
   */
  async list(options: DeadLetterFilter & PageOptions = {}): Promise<Page<DeadLetter>> {
    const { page, pageSize, ...filter } = { ...options, ...pageOf(options) };
    checkFilter(filter);
    const first = (page - 1) * pageSize;
    const items: DeadLetter[] = [];
    let total = 0;
    for await (const letter of newestFirst(await shelvesOf(this.host, filter))) {
      if (!fits(letter, filter)) continue;
      if (total >= first && items.length < pageSize) items.push(this.show(letter));
      total++;
    }
    return { items, total, page, pageSize };
  }

  /** Undefined when there is none of this id. */
  async get(id: string): Promise<DeadLetter | undefined> {
    const [letter] = await this.one(id);
    return letter && this.show(letter);
  }

  /**
   * Hands events again to who failed, and to nobody else: the handler of the group, in whatever live process has it. Each
   * leaves the dead letters in the same step, so that two operators replay none twice. Attempts begin again. An event of a
   * card goes to the end of its card: the order among those that were handled meanwhile is gone.
   * @param which an id, or a filter; `{}` = all
   */
  async replay(which: string | DeadLetterFilter, options: ReplayOptions = {}): Promise<ReplayResult> {
    const { dryRun = false, limit = MAX_REPLAY, maxFailures } = options;
    checkFilter(which);
    const letters = typeof which === 'string' ? await this.one(which) : await this.oldest(which, count(limit, 'limit'));
    if (maxFailures !== undefined) count(maxFailures, 'maxFailures');
    const replay = new Replay(this.host, maxFailures);
    return dryRun ? replay.dry(letters) : replay.run(letters);
  }

  /** Drops dead letters for good; gives how many there were. */
  async discard(which: string | DeadLetterFilter): Promise<number> {
    checkFilter(which);
    if (typeof which === 'string') {
      const place = placeOf(which);
      return place === undefined ? 0 : storeOf(this.host, place).remove(place.name, [place.position]);
    }
    let gone = 0;
    for (const { store, name } of await shelvesOf(this.host, which)) {
      for await (const letters of chunks(store, name)) {
        const positions = letters.filter((letter) => fits(letter, which)).map(({ position }) => position);
        if (positions.length > 0) gone += await store.remove(name, positions);
      }
    }
    return gone;
  }

  /**
   * Files an event by hand, with a reason in words; gives the letter's id.
   * @throws the errors of `publish` for a bad event
   */
  async add(event: { readonly type: string; readonly payload?: unknown }, reason: string): Promise<string> {
    const envelope = this.host.envelope(event.type, event.payload);
    const row = { reason: 'added', error: reason.slice(0, 1_024), attempts: 0 } as const;
    const position = await this.host.letters.add(envelope, row);
    return idOf({ ofCards: false, name: envelope.type, position });
  }

  private async one(id: string): Promise<StoredLetter[]> {
    const place = placeOf(id);
    const letter = place && (await storeOf(this.host, place).get(place.name, place.position));
    return letter === undefined ? [] : [letter];
  }

  private async oldest(filter: DeadLetterFilter, limit: number): Promise<StoredLetter[]> {
    const letters: StoredLetter[] = [];
    for await (const letter of newestFirst(await shelvesOf(this.host, filter))) {
      if (fits(letter, filter)) letters.push(letter);
      if (letters.length > limit * 2 && letters.length > SPARE) letters.splice(0, letters.length - limit);
    }
    return letters.slice(-limit).reverse();
  }

  private show(letter: StoredLetter): DeadLetter {
    const { type, cardId, at, reason, handler, group, attempts, error, stack, operation, event } = letter;
    return {
      ...{ id: idOf(placeOfLetter(letter)), type: event?.type ?? type, cardId },
      ...{ reason, handler, group, attempts, error, stack },
      topic: cardId === undefined ? undefined : type,
      time: new Date(at),
      replay: operation,
      event: event && eventOf(event, this.host.redact),
    };
  }
}

function eventOf(event: EventEnvelope, hidden: (key: string) => boolean): DeadEvent {
  const { id, source, sourceInstance, version, mode, correlationId, causationId, headers } = event;
  return {
    ...{ id, source, sourceInstance, version, mode, correlationId, causationId, headers },
    time: new Date(event.time),
    payload: redacted(payloadOf(event), hidden),
  };
}

function payloadOf(event: EventEnvelope): unknown {
  try {
    return event.payload();
  } catch {
    return undefined;
  }
}

const FILTER_KEYS: readonly string[] = ['type', 'group', 'handler', 'reason', 'topic'];

/** A misspelt key must not widen what is discarded. */
function checkFilter(which: string | DeadLetterFilter): void {
  if (typeof which === 'string') return;
  const wrong = Object.keys(which).find((key) => !FILTER_KEYS.includes(key));
  if (wrong !== undefined)
    throw new InvalidOptionError('dead letter filter', wrong, `the keys ${FILTER_KEYS.join(', ')}`);
  if (which.type !== undefined) normalizePattern(which.type);
  if (which.topic !== undefined) assertTopic(which.topic);
}

function count(value: number, option: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidOptionError(option, value, 'a whole number from 1');
}

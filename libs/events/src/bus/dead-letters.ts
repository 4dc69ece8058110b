import type { Clock } from '../core/clock.js';
import type { DeadLetterReason } from '../core/delivery.js';
import type { EventEnvelope, EventHeaders, EventMode } from '../core/envelope.js';
import { InvalidOptionError } from '../core/errors.js';
import { matches, normalizePattern } from '../core/pattern.js';
import { redacted } from '../core/redacted.js';
import type { LetterStore, StoredLetter } from '../ports/stores.js';
import type { Page, PageOptions } from './page.js';
import { pageOf } from './page.js';
import { Replay, type ReplayResult } from './replay.js';
import { idOf, placeOf } from './letter-id.js';

/** A failure that no attempt will mend by itself, with the event as it was sent. */
export interface DeadLetter {
  readonly id: string;
  readonly type: string;
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

/** Which dead letters: all that are given must fit. */
export interface DeadLetterFilter {
  /** An event type, or a pattern. Defaults to all. */
  readonly type?: string;
  /** Of this group; `''`: of handlers without a group. Defaults to all. */
  readonly group?: string;
  readonly handler?: string;
  readonly reason?: DeadLetterReason;
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

/** Letters read at once. */
const CHUNK = 200;
const MAX_REPLAY = 10_000;

export interface DeadLettersHost {
  readonly store: LetterStore;
  readonly clock: Clock;
  readonly redact: (key: string) => boolean;
  /** Makes an event as `publish` would. */
  envelope(type: string, payload: unknown): EventEnvelope;
}

/** The dead letters of a bus: `events.deadLetters`. */
export class DeadLetters {
  constructor(private readonly host: DeadLettersHost) {}

  /**
   * The newest first. `page` from 1, `pageSize` 1 to 1,000, 20 by default.
   * @throws InvalidOptionError also for an unknown key, InvalidPatternError
   */
  async list(options: DeadLetterFilter & PageOptions = {}): Promise<Page<DeadLetter>> {
    const { page, pageSize, ...filter } = { ...options, ...pageOf(options) };
    checkFilter(filter);
    const first = (page - 1) * pageSize;
    const items: DeadLetter[] = [];
    let total = 0;
    for await (const letter of this.newestFirst(filter)) {
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
   * leaves the dead letters in the same step, so that two operators replay none twice. Attempts begin again.
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
    const { store } = this.host;
    checkFilter(which);
    if (typeof which === 'string') {
      const place = placeOf(which);
      return place === undefined ? 0 : store.remove(place.type, [place.position]);
    }
    let gone = 0;
    for (const type of await this.types(which)) {
      let before: string | undefined;
      for (;;) {
        const letters = await store.read(type, before, CHUNK);
        const positions = letters.filter((letter) => fits(letter, which)).map(({ position }) => position);
        if (positions.length > 0) gone += await store.remove(type, positions);
        before = letters.at(-1)?.position;
        if (letters.length < CHUNK) break;
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
    return idOf(envelope.type, await this.host.store.add(envelope, row));
  }

  private async one(id: string): Promise<StoredLetter[]> {
    const place = placeOf(id);
    const letter = place && (await this.host.store.get(place.type, place.position));
    return letter === undefined ? [] : [letter];
  }

  private async oldest(filter: DeadLetterFilter, limit: number): Promise<StoredLetter[]> {
    const letters: StoredLetter[] = [];
    for await (const letter of this.newestFirst(filter)) {
      letters.push(letter);
      if (letters.length > limit * 2 && letters.length > CHUNK) letters.splice(0, letters.length - limit);
    }
    return letters.slice(-limit).reverse();
  }

  /** Letters of all types in order of time. */
  private async *newestFirst(filter: DeadLetterFilter): AsyncGenerator<StoredLetter> {
    const { store } = this.host;
    const flows = (await this.types(filter)).map((type) => ({
      type,
      letters: [] as readonly StoredLetter[],
      next: 0,
      before: undefined as string | undefined,
      more: true,
    }));
    for (;;) {
      for (const flow of flows) {
        if (flow.next < flow.letters.length || !flow.more) continue;
        flow.letters = await store.read(flow.type, flow.before, CHUNK);
        flow.next = 0;
        flow.before = flow.letters.at(-1)?.position;
        flow.more = flow.letters.length === CHUNK;
      }
      let newest: (typeof flows)[number] | undefined;
      for (const flow of flows) {
        const letter = flow.letters[flow.next];
        if (letter !== undefined && letter.at > (newest?.letters[newest.next]?.at ?? -1)) newest = flow;
      }
      const letter = newest?.letters[newest.next];
      if (newest === undefined || letter === undefined) return;
      newest.next++;
      if (fits(letter, filter)) yield letter;
    }
  }

  private async types({ type }: DeadLetterFilter): Promise<string[]> {
    const types = await this.host.store.types();
    if (type === undefined) return [...types];
    const pattern = normalizePattern(type);
    return types.filter((each) => matches(pattern, each));
  }

  private show(letter: StoredLetter): DeadLetter {
    const { type, position, at, reason, handler, group, attempts, error, stack, operation, event } = letter;
    return {
      ...{ id: idOf(type, position), type, reason, handler, group, attempts, error, stack },
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

function fits(letter: StoredLetter, { group, handler, reason }: DeadLetterFilter): boolean {
  return (
    (group === undefined || (letter.group ?? '') === group) &&
    (handler === undefined || letter.handler === handler) &&
    (reason === undefined || letter.reason === reason)
  );
}

const FILTER_KEYS: readonly string[] = ['type', 'group', 'handler', 'reason'];

/** A misspelt key must not widen what is discarded. */
function checkFilter(which: string | DeadLetterFilter): void {
  if (typeof which === 'string') return;
  const wrong = Object.keys(which).find((key) => !FILTER_KEYS.includes(key));
  if (wrong !== undefined)
    throw new InvalidOptionError('dead letter filter', wrong, `the keys ${FILTER_KEYS.join(', ')}`);
}

function count(value: number, option: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidOptionError(option, value, 'a whole number from 1');
}

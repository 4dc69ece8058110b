import type { EventMode } from '../../core/envelope.js';
import type { Fields } from './codec.js';

/** What a redelivery says of itself: the JSON array in its first field, `re`. Specified in docs/redis-keys.md. */
export interface RedoMark {
  /** Absent: any handler that the subscriber picks. */
  readonly handler: string | undefined;
  /** Without the deaths of consumers. */
  readonly attempt: number;
  readonly failures: number;
  /** ms of the server's clock */
  readonly since: number | undefined;
  /** Id of the entry that the event was published as; '' = the entry itself. */
  readonly origin: string;
  /** Of the replay that it comes from; '' = none. */
  readonly operation: string;
  /** Absent: that of the source. */
  readonly mode: EventMode | undefined;
  /** Deaths of consumers that this attempt has behind it, and how many of them while it was handled alone. */
  readonly crashes: number;
  readonly crashesAlone: number;
}

/** The mark of what comes for the first time. */
export const FIRST: RedoMark = Object.freeze({
  handler: undefined,
  attempt: 1,
  failures: 0,
  since: undefined,
  origin: '',
  operation: '',
  mode: undefined,
  crashes: 0,
  crashesAlone: 0,
});

const MODES: readonly unknown[] = ['broadcast', 'anycast', 'unicast'] satisfies readonly EventMode[];
const ENTRY_ID = /^\d+-\d+$/;

/** Takes the mark off a redelivery's fields. Never throws: what the mark does not say is as for a first delivery. */
export function readMark(fields: Fields): readonly [mark: RedoMark, fields: Fields] {
  if (fields[0] !== 're') return [{ ...FIRST }, fields];
  const [handler, attempt, failures, since, origin, operation, mode, crashes, crashesAlone] = parse(fields[1] ?? '');
  return [
    {
      handler: typeof handler === 'string' && handler !== '' ? handler : undefined,
      attempt: count(attempt, 1),
      failures: count(failures, 0),
      since: typeof since === 'number' ? since : undefined,
      origin: typeof origin === 'string' && ENTRY_ID.test(origin) ? origin : '',
      operation: typeof operation === 'string' ? operation : '',
      mode: readMode(mode),
      crashes: count(crashes, 0),
      crashesAlone: count(crashesAlone, 0),
    },
    fields.slice(2),
  ];
}

/** The mode by its name; undefined for anything that is not stored. */
export function readMode(name: unknown): EventMode | undefined {
  return MODES.includes(name) ? (name as EventMode) : undefined;
}

function parse(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? (value as unknown[]) : [];
  } catch {
    return [];
  }
}

function count(value: unknown, least: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least ? value : least;
}

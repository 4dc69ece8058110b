import { DURATION_ACCEPTED, parseDuration } from '../core/duration.js';
import type { Backend, CardEncoding, DriverFactory, ExchangeType, Overflow } from '../ports/options.js';
import { BACKOFFS, DEFAULT_RETRY, MAX_ATTEMPTS } from '../core/retry-policy.js';
import { show } from './secrets.js';

/** One option: where it stands, which variable sets it, what it takes. */
export interface Field<Value, Fallback extends Value | undefined = Value | undefined> {
  /** The path of the option, sections with a dot: `cards.lease`. */
  readonly path: string;
  /** The end of its variable, `CARDS_LEASE`. */
  readonly suffix: string;
  /** What is accepted, for messages. */
  readonly accepted: string;
  /** The default, or undefined where it depends on other options: then `resolve` has it. */
  readonly fallback: Fallback;
  /** Reads a value from code or text from the environment, by the same rules; undefined = not acceptable. */
  readonly parse: (given: unknown) => Value | undefined;
}

/** A value as it was given, and the variable or option that gave it. */
export interface Given {
  readonly value: unknown;
  readonly origin: string;
}

/** What one source (the environment, or code) says, by option path. */
export type Layer = ReadonlyMap<string, Given>;

type Kind<Value> = Pick<Field<Value>, 'accepted' | 'parse'>;

function row<Value>(path: string, kind: Kind<Value>): Field<Value, undefined>;
function row<Value>(path: string, kind: Kind<Value>, fallback: Value): Field<Value, Value>;
function row<Value>(path: string, kind: Kind<Value>, fallback?: Value): Field<Value> {
  return { path, suffix: suffixOf(path), accepted: kind.accepted, fallback, parse: kind.parse };
}

/** The path in upper snake case, a section before its option: a rule, so that no row can break it. */
function suffixOf(path: string): string {
  return path
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase();
}

/** Names go into keys of Redis: printable, and without braces, which would choose a cluster slot. */
const SANE = /^[^\s\p{C}{}]+$/u;
const MAX_NAME_BYTES = 128;
const MIB = 2 ** 20;

const name: Kind<string> = {
  accepted: `text of 1 to ${String(MAX_NAME_BYTES)} bytes without white space, control characters, '{' and '}'`,
  parse: (given) =>
    typeof given === 'string' && SANE.test(given) && Buffer.byteLength(given) <= MAX_NAME_BYTES ? given : undefined,
};

const flag: Kind<boolean> = {
  accepted: "true or false (in the environment also 1, 0, 'yes', 'no', 'on', 'off')",
  parse(given) {
    if (typeof given === 'boolean') return given;
    const word = typeof given === 'string' ? given.trim().toLowerCase() : '';
    if (['true', '1', 'yes', 'on'].includes(word)) return true;
    return ['false', '0', 'no', 'off'].includes(word) ? false : undefined;
  },
};

const backend: Kind<Backend | DriverFactory> = {
  accepted: "'memory', 'redis', or (in code) a function that makes a driver",
  parse: (given) =>
    typeof given === 'function' ? (given as DriverFactory) : choice(['memory', 'redis', 'rabbitmq']).parse(given),
};

const url: Kind<string> = {
  accepted:
    'redis://host:6379, rediss://host:6379, redis+cluster://h1:6379,h2:6379, redis+sentinel://h1:26379,h2:26379/master-name',
  parse: (given) => (typeof given === 'string' && given.trim() !== '' ? given.trim() : undefined),
};

function choice<const Value extends string>(values: readonly Value[]): Kind<Value> {
  return {
    accepted: values.map((value) => `'${value}'`).join(' or '),
    parse(given) {
      const word = typeof given === 'string' ? given.trim().toLowerCase() : undefined;
      return values.find((value) => value === word);
    },
  };
}

function whole(max: number, unit = ''): Kind<number> {
  return {
    accepted: `a whole number${unit} from 1 to ${String(max)}`,
    parse(given) {
      const text = typeof given === 'string' && /^\s*\d+\s*$/.test(given);
      const number = text ? Number(given) : given;
      return typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= max
        ? number
        : undefined;
    },
  };
}

function duration(min: number): Kind<number> {
  return {
    accepted: `${DURATION_ACCEPTED}${min > 0 ? `; at least ${String(min)} ms` : ''}`,
    parse(given) {
      try {
        const ms = parseDuration(given as number | string);
        return ms >= min ? ms : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

/** Every field of a bus: `EVENT_<SUFFIX>`, `EVENT_<INSTANCE>_<SUFFIX>`. A new option, also one of a section, is a new row. */
export const BUS_FIELDS = {
  backend: row('backend', backend),
  url: row('url', url),
  keyPrefix: row('keyPrefix', name),
  exchangeName: row('exchangeName', name),
  exchangeType: row('exchangeType', choice<ExchangeType>(['topic', 'direct', 'fanout', 'headers'])),
  group: row('group', name),
  isolate: row('isolate', flag, true),
  concurrency: row('concurrency', whole(100_000), 10),
  prefetch: row('prefetch', whole(1_000_000), 64),
  maxPayload: row('maxPayload', whole(512 * MIB, ' of bytes'), MIB),
  retention: row('retention', duration(1), 300_000),
  maxLength: row('maxLength', whole(Number.MAX_SAFE_INTEGER, ' of events'), 1_000_000),
  overflow: row('overflow', choice<Overflow>(['reject', 'drop-oldest']), 'reject'),
  streamTtl: row('streamTtl', duration(1), 3_600_000),
  reclaimAfter: row('reclaimAfter', duration(1_000), 30_000),
  cardsLease: row('cards.lease', duration(1_000), 10_000),
  cardsQuantum: row('cards.quantum', whole(1_000_000, ' of events'), 32),
  cardsIdleAfter: row('cards.idleAfter', duration(1_000), 600_000),
  cardsSweep: row('cards.sweep', duration(100), 30_000),
  cardsScan: row('cards.scan', duration(100), 300_000),
  cardsStreamPrefix: row('cards.streamPrefix', name, 'event_stream:'),
  cardsEncoding: row('cards.encoding', choice<CardEncoding>(['cloudevents', 'fields']), 'cloudevents'),
  cardsStuckAfter: row('cards.stuckAfter', duration(0), 60_000),
  handlersTimeout: row('handlers.timeout', duration(0), 30_000),
  handlersStuckAfter: row('handlers.stuckAfter', duration(0), 60_000),
  handlersRetryAttempts: row('handlers.retry.attempts', whole(MAX_ATTEMPTS), DEFAULT_RETRY.attempts),
  handlersRetryDelay: row('handlers.retry.delay', duration(0), DEFAULT_RETRY.delay),
  handlersRetryBackoff: row('handlers.retry.backoff', choice(BACKOFFS), DEFAULT_RETRY.backoff),
  handlersRetryMaxDelay: row('handlers.retry.maxDelay', duration(0), DEFAULT_RETRY.maxDelay),
  handlersRetryJitter: row('handlers.retry.jitter', flag, DEFAULT_RETRY.jitter),
} as const;

/** The fields of the module, whose variables are whole names: `EVENT_SERVICE`. */
export const MODULE_FIELDS = {
  service: row('service', name),
  instanceId: row('instanceId', name),
  shutdownTimeout: row('shutdownTimeout', duration(0), 10_000),
  debug: row('debug', flag, false),
} as const;

/** Options that only code can set. */
export const CODE_OPTIONS = {
  bus: ['redis', 'connection', 'filters'],
  module: ['instances', 'env', 'enhancers', 'redact', 'logger', 'system'],
} as const;

/** Sections of a bus that are announced but not part of this release: said so, rather than taken for something else. */
export const LATER_SECTIONS: readonly string[] = ['schedule', 'history'];

/** Bytes of payload that one subscriber holds in a process, whatever `prefetch` says. */
export const PREFETCH_BYTES = 8 * MIB;

/** The value of a field; a bad one becomes a problem and undefined. */
export function parse<Value>(field: Field<Value>, given: Given | undefined, problems: string[]): Value | undefined {
  if (given === undefined) return undefined;
  const value = field.parse(given.value);
  if (value === undefined) problems.push(`${given.origin}: got ${show(given.value)}; accepted: ${field.accepted}.`);
  return value;
}

/** What code says of some options, by path; undefined is the same as not said. */
export function layerOf(
  options: Readonly<Record<string, unknown>>,
  rows: Iterable<{ readonly path: string }>,
  at: (path: string) => string,
): Layer {
  const layer = new Map<string, Given>();
  for (const { path } of rows) {
    let value: unknown = options;
    for (const key of path.split('.')) value = isRecord(value) ? value[key] : undefined;
    if (value !== undefined) layer.set(path, { value, origin: at(path) });
  }
  return layer;
}

/** Options that nobody knows, with the nearest name; inside sections too. */
export function unknownOptions(
  options: Readonly<Record<string, unknown>>,
  table: Readonly<Record<string, { readonly path: string }>>,
  others: readonly string[],
  at: (path: string) => string,
  section = '',
): string[] {
  const known = [...Object.values(table).map((row) => row.path), ...others];
  return Object.entries(options).flatMap(([key, value]) => {
    const path = section + key;
    if (value === undefined || known.includes(path)) return [];
    if (known.some((one) => one.startsWith(`${path}.`)))
      return isRecord(value)
        ? unknownOptions(value, table, others, at, `${path}.`)
        : [`${at(path)}: got ${show(value)}; accepted: an object.`];
    if (LATER_SECTIONS.includes(path)) return [`${at(path)}: this option is not part of this release yet; remove it.`];
    const moved = table === MODULE_FIELDS && isOfBus(path);
    const name = moved ? `instances.default.${path}` : at(nearest(path, known) ?? '');
    return [`${at(path)} is not an option; the nearest known name is ${name}. Accepted: ${known.join(', ')}.`];
  });
}

/** An option, or a section, of a bus. */
function isOfBus(path: string): boolean {
  const fields = Object.values(BUS_FIELDS).map((field): string => field.path);
  return [...fields, ...CODE_OPTIONS.bus].some((each) => each === path || each.startsWith(`${path}.`));
}

/** The candidate that takes the fewest changes of a character (Levenshtein), at most `limit`; the first of several. */
export function nearest(text: string, candidates: Iterable<string>, limit = Infinity): string | undefined {
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of candidates) {
    const changes = distance(text, candidate);
    if (changes < least && changes <= limit) [best, least] = [candidate, changes];
  }
  return best;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** An object that is not an array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The schemes of a redis URL, with the port where a host names none. */
const PORTS: Readonly<Record<string, number>> = {
  redis: 6379,
  rediss: 6379,
  'redis+cluster': 6379,
  'redis+sentinel': 26379,
};
const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/(?:([^@/?#\s]*)@)?([^@/?#\s]*)(\/[^@?#\s]*)?(?:\?[^@#\s]*)?$/i;
const HOST = /^(\[[0-9a-f:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/i;

/** The backend that the scheme of a URL stands for; undefined for a scheme that none has. */
export function backendOfUrl(url: string): Backend | undefined {
  const scheme = /^\s*([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? '';
  if (scheme === 'amqp' || scheme === 'amqps') return 'rabbitmq';
  return Object.hasOwn(PORTS, scheme) ? 'redis' : undefined;
}

/**
 * Checks a redis URL. Gives the servers that it leads to, as texts that are equal for the same server however it is
 * spelled (a database number makes no other server: channels do not know databases), or why it cannot be used.
 */
export function readRedisUrl(url: string): { readonly servers: readonly string[] } | { readonly why: string } {
  if (backendOfUrl(url) !== 'redis') return { why: 'its scheme is none of these' };
  const [, scheme = '', user = '', list = '', path = ''] = URL_PARTS.exec(url) ?? [];
  if (scheme === '')
    return { why: 'it cannot be read; percent-encode what is not a letter or digit in name and password' };
  if (!decodable(user)) return { why: 'name or password has a % that does not encode a character' };
  const kind = scheme.toLowerCase();
  const hosts = list.split(',').map((host) => serverName(host, PORTS[kind]));
  if (hosts.includes(undefined)) return { why: 'a host is empty, or a port is not a number from 1 to 65535' };
  if (hosts.length > 1 && !kind.includes('+'))
    return { why: 'several hosts need redis+cluster:// or redis+sentinel://' };
  const rest = path.slice(1);
  if (kind === 'redis+sentinel')
    return /^[^/]+$/.test(rest)
      ? { servers: hosts.map((host) => `${String(host)}/${rest}`) }
      : { why: 'a sentinel URL ends with the name of its master, such as /mymaster' };
  if (kind === 'redis+cluster' && !/^0?$/.test(rest)) return { why: 'a cluster has no databases but 0' };
  if (!/^\d*$/.test(rest)) return { why: 'what follows the host is not the number of a database' };
  return { servers: hosts.map(String) };
}

/** `host:port` in lower case, all names of this machine alike; undefined for what is not a host. */
export function serverName(host: string, port = 6379): string | undefined {
  const [, text = '', said] = HOST.exec(host) ?? [];
  const number = said === undefined ? port : Number(said);
  if (text === '' || number < 1 || number > 65_535) return undefined;
  const lower = text.toLowerCase();
  return `${['127.0.0.1', '[::1]'].includes(lower) ? 'localhost' : lower}:${String(number)}`;
}

function decodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

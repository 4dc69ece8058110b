import type { Batching, HandlerDeclaration, Idempotence } from '../core/declaration.js';
import { DURATION_ACCEPTED, parseDuration } from '../core/duration.js';
import { describe, InvalidOptionError } from '../core/errors.js';
import type { Filter } from '../core/filter.js';
import { matches } from '../core/pattern.js';
import { BACKOFFS, MAX_ATTEMPTS, type RetryPolicy } from '../core/retry-policy.js';
import type { ResolvedHandlerDefaults } from '../ports/options.js';
import type { HandlingOptions } from './handling-options.js';

const MAX_CONCURRENCY = 100_000;
const MAX_BATCH = 10_000;
const IDEMPOTENT_TTL = 24 * 3_600_000;

/** What applies where the handler says nothing. */
export interface HandlingDefaults {
  readonly concurrency: number;
  readonly handlers: ResolvedHandlerDefaults;
  /** Filters of the bus, by pattern. */
  readonly filters: ReadonlyMap<string, Filter>;
}

type Handling = Pick<
  HandlerDeclaration,
  'concurrency' | 'timeout' | 'stuckAfter' | 'retry' | 'filters' | 'idempotent' | 'batch'
>;

/**
 * How a handler is run, every option resolved.
 * @throws InvalidOptionError
 */
export function handlingOf(options: HandlingOptions, defaults: HandlingDefaults, name: string): Handling {
  const batch = batchOf(options.batch, name);
  return {
    batch,
    concurrency: whole(
      options.concurrency ?? (batch === undefined ? defaults.concurrency : 1),
      `concurrency of handler ${name}`,
      MAX_CONCURRENCY,
    ),
    timeout: options.timeout === undefined ? defaults.handlers.timeout : duration(options.timeout, 'timeout', name),
    stuckAfter: defaults.handlers.stuckAfter,
    retry: retryOf(options.retry, defaults.handlers.retry, name),
    filters: [...busFilters(defaults.filters), ...filtersOf(options.filter, name)],
    idempotent: idempotenceOf(options.idempotent, name),
  };
}

function retryOf(given: HandlingOptions['retry'], fallback: RetryPolicy, name: string): RetryPolicy {
  if (given === undefined) return fallback;
  const { attempts, delay, backoff, maxDelay, jitter } = record(given, `retry of handler ${name}`, fallback);
  const policy: RetryPolicy = {
    attempts:
      attempts === undefined ? fallback.attempts : whole(attempts, `retry.attempts of handler ${name}`, MAX_ATTEMPTS),
    delay: delay === undefined ? fallback.delay : duration(delay, 'retry.delay', name),
    backoff: (backoff ?? fallback.backoff) as RetryPolicy['backoff'],
    maxDelay: maxDelay === undefined ? fallback.maxDelay : duration(maxDelay, 'retry.maxDelay', name),
    jitter: (jitter ?? fallback.jitter) as boolean,
  };
  if (!BACKOFFS.includes(policy.backoff))
    throw new InvalidOptionError(
      `retry.backoff of handler ${name}`,
      backoff,
      BACKOFFS.map((each) => `'${each}'`).join(', '),
    );
  if (typeof policy.jitter !== 'boolean')
    throw new InvalidOptionError(`retry.jitter of handler ${name}`, jitter, 'true or false');
  return Object.freeze({
    ...policy,
    maxDelay: maxDelay === undefined ? Math.max(policy.maxDelay, policy.delay) : policy.maxDelay,
  });
}

function filtersOf(given: HandlingOptions['filter'], name: string): Filter[] {
  const filters: readonly unknown[] = given === undefined ? [] : Array.isArray(given) ? given : [given];
  for (const each of filters)
    if (typeof each !== 'function')
      throw new InvalidOptionError(`filter of handler ${name}`, each, 'a function, or an array of functions');
  return filters as Filter[];
}

/** The bus's filters, each for the types of its pattern. */
function busFilters(filters: ReadonlyMap<string, Filter>): Filter[] {
  return [...filters].map(
    ([pattern, filter]): Filter =>
      (payload, context) =>
        !matches(pattern, context.type) || filter(payload, context),
  );
}

function idempotenceOf(given: HandlingOptions['idempotent'], name: string): Idempotence | undefined {
  if (given === undefined) return undefined;
  if (given === true) return { key: undefined, ttl: IDEMPOTENT_TTL };
  const { key, ttl } = record(given, `idempotent of handler ${name}`, { key: 0, ttl: 0 });
  if (key !== undefined && typeof key !== 'function')
    throw new InvalidOptionError(`idempotent.key of handler ${name}`, key, 'a function that gives a text');
  return {
    key: key as Idempotence['key'],
    ttl: ttl === undefined ? IDEMPOTENT_TTL : Math.max(1, duration(ttl, 'idempotent.ttl', name)),
  };
}

function batchOf(given: HandlingOptions['batch'], name: string): Batching | undefined {
  if (given === undefined) return undefined;
  const { size, maxWait } = record(given, `batch of handler ${name}`, { size: 0, maxWait: 0 });
  return {
    size: whole(size, `batch.size of handler ${name}`, MAX_BATCH),
    maxWait: duration(maxWait, 'batch.maxWait', name),
  };
}

/** An object with these keys and no other. */
function record(given: unknown, option: string, keys: object): Readonly<Record<string, unknown>> {
  const known = Object.keys(keys);
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new InvalidOptionError(option, given, `an object with ${known.join(', ')}`);
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new InvalidOptionError(option, unknown, known.join(', '));
  return given as Readonly<Record<string, unknown>>;
}

function whole(value: unknown, option: string, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  throw new InvalidOptionError(option, value, `a whole number from 1 to ${String(most)}`);
}

function duration(value: unknown, option: string, name: string): number {
  if (typeof value !== 'number' && typeof value !== 'string')
    throw new InvalidOptionError(`${option} of handler ${name}`, describe(value), DURATION_ACCEPTED);
  return parseDuration(value, `${option} of handler ${name}`);
}

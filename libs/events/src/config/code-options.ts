import type { Filter } from '../core/filter.js';
import { messageOf } from '../core/message-of.js';
import { normalizePattern } from '../core/pattern.js';
import type { EventsLogger } from '../ports/logger.js';
import type { EventsModuleOptions, RedisLike } from '../ports/options.js';
import { isRecord, type Given } from './fields.js';
import { redactor, show } from './secrets.js';

/** Options that only code can set: what is wrong with them, in words, and what they come to. */

export type Options = Readonly<Record<string, unknown>>;
export type Enhancer = NonNullable<EventsModuleOptions['enhancers']>[number];

const ENHANCERS: readonly Enhancer[] = ['guards', 'interceptors', 'pipes', 'filters'];

export function filtersOf(given: Given | undefined, problems: string[]): ReadonlyMap<string, Filter> {
  const filters = new Map<string, Filter>();
  if (given === undefined) return fixed(filters);
  for (const [pattern, filter] of Object.entries(recordOf(given.value, given.origin, problems))) {
    const origin = `${given.origin}['${pattern}']`;
    if (typeof filter !== 'function') problems.push(`${origin}: got ${show(filter)}; accepted: a function.`);
    try {
      const normal = normalizePattern(pattern);
      if (filters.has(normal))
        problems.push(`${origin}: there is a filter for '${normal}' already, which is the same.`);
      filters.set(normal, filter as Filter);
    } catch (error) {
      problems.push(`${origin}: ${messageOf(error)}`);
    }
  }
  return fixed(filters);
}

export function publishesSystemEvents(given: unknown, problems: string[]): boolean {
  if (given === undefined) return false;
  const publish: unknown = isRecord(given) ? given['publish'] : given;
  if (typeof publish === 'boolean' && Object.keys(given as object).length === 1) return publish;
  problems.push(`system: got ${show(given)}; accepted: { publish: true } or { publish: false }.`);
  return false;
}

export function enhancersOf(given: unknown, problems: string[]): Set<Enhancer> {
  const list: readonly unknown[] = Array.isArray(given) ? given : given === undefined ? [] : [given];
  const known = list.filter((one): one is Enhancer => ENHANCERS.some((enhancer) => enhancer === one));
  if (known.length < list.length || (given !== undefined && !Array.isArray(given)))
    problems.push(
      `enhancers: got ${list.map(show).join(', ')}; accepted: an array of ${ENHANCERS.map(show).join(', ')}.`,
    );
  return new Set(known);
}

export function redactOf(given: unknown, problems: string[]): (key: string) => boolean {
  if (typeof given === 'function') return given as (key: string) => boolean;
  if (given === undefined) return redactor();
  if (Array.isArray(given) && given.every((key): key is string => typeof key === 'string' && key !== ''))
    return redactor(given);
  problems.push(`redact: got ${show(given)}; accepted: an array of keys of payloads, or a function that tells them.`);
  return redactor();
}

export function loggerOf(given: unknown, problems: string[]): EventsLogger | undefined {
  if (given === undefined) return undefined;
  const lacking = ['log', 'warn', 'error', 'debug'].filter((method) => !hasMethod(given, method));
  if (lacking.length > 0)
    problems.push(
      `logger: got ${show(given)} without ${lacking.join(', ')}; accepted: an object with log, warn, error and debug.`,
    );
  return given as EventsLogger;
}

/** `Object.freeze` leaves the content of a map or set open. */
export function fixed<Collection extends object>(collection: Collection): Collection {
  const refuse = (): never => {
    throw new TypeError('Resolved options cannot be changed.');
  };
  for (const method of ['set', 'add', 'delete', 'clear']) Object.defineProperty(collection, method, { value: refuse });
  return Object.freeze(collection);
}

export function recordOf(given: unknown, origin: string, problems: string[]): Options {
  if (given === undefined || isRecord(given)) return given ?? {};
  problems.push(`${origin}: got ${show(given)}; accepted: an object.`);
  return {};
}

export function isClient(value: unknown): value is RedisLike {
  return hasMethod(value, 'duplicate');
}

function hasMethod(value: unknown, method: string): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Options)[method] === 'function';
}

import { eventTypeOf, type EventClass } from '../core/event-class.js';
import { describe, InvalidHandlerError, InvalidOptionError } from '../core/errors.js';
import type { Filter } from '../core/filter.js';
import type { EventHandler } from '../core/handler.js';
import { hasWildcard, normalizePattern } from '../core/pattern.js';
import type { HandlerDeclaration } from '../core/declaration.js';
import type { ResolvedHandlerDefaults } from '../ports/options.js';
import { handlingOf } from './declare-handling.js';
import type { HandlingOptions } from './handling-options.js';
import type { Listenable } from './publish-options.js';

/** What a handler may say of itself, in a decorator or in `subscribe`. */
export interface DeclareOptions extends HandlingOptions {
  readonly name?: string | undefined;
  readonly group?: string | true | undefined;
  readonly startFrom?: 'new' | 'earliest' | undefined;
  readonly reply?: boolean | undefined;
  readonly once?: boolean | undefined;
  /** By `stream`. */
  readonly pulled?: boolean | undefined;
}

export interface DeclareDefaults {
  readonly name: string;
  /** What `group: true` means. */
  readonly group: string;
  readonly concurrency: number;
  readonly handlers: ResolvedHandlerDefaults;
  /** Filters of the bus, by pattern. */
  readonly filters: ReadonlyMap<string, Filter>;
}

const NAME = /^[^\p{C}{}\s]{1,128}$/u;

/**
 * Checks what a handler says of itself and fills in the defaults.
 * @throws InvalidPatternError, InvalidHandlerError, InvalidOptionError
 */
export function declareHandler(
  listenable: Listenable,
  handler: EventHandler,
  options: DeclareOptions,
  defaults: DeclareDefaults,
): HandlerDeclaration {
  assertHandler(handler);
  const name = nameOf(options.name ?? defaults.name);
  const patterns = patternsOf(listenable, name);
  const group = options.group === true ? defaults.group : options.group;
  if (group !== undefined && (typeof group !== 'string' || !NAME.test(group))) {
    throw new InvalidOptionError(
      `group of handler ${name}`,
      group,
      'true, or 1 to 128 characters without spaces, braces or control characters',
    );
  }
  const startFrom = options.startFrom ?? 'new';
  if (!['new', 'earliest'].includes(startFrom))
    throw new InvalidOptionError(`startFrom of handler ${name}`, startFrom, "'new' or 'earliest'");
  const once = options.once ?? false;
  if (options.batch !== undefined && (once || options.reply === true))
    throw new InvalidHandlerError(
      `Handler ${name} is a batch handler and ${once ? "'once'" : 'answers requests'}: it gets arrays of events, not one. Leave one out.`,
    );
  if (once && group !== undefined)
    throw new InvalidHandlerError(
      `Handler ${name} is 'once' and in group '${group}': a group is durable, so neither would mean anything. Leave one out.`,
    );
  return {
    name,
    patterns,
    group,
    startFrom,
    once,
    pulled: options.pulled ?? false,
    answers: options.reply ?? (options.batch === undefined && !patterns.some(hasWildcard)),
    classes: classesOf(listenable),
    ...handlingOf(options, defaults, name),
    invoke: handler,
  };
}

/** @throws InvalidHandlerError */
export function assertHandler(handler: unknown): asserts handler is EventHandler {
  if (typeof handler !== 'function')
    throw new InvalidHandlerError(`A handler must be a function, not ${describe(handler)}.`);
}

/** @throws InvalidOptionError */
export function nameOf(name: unknown): string {
  if (typeof name === 'string' && NAME.test(name)) return name;
  throw new InvalidOptionError(
    'handler name',
    name,
    '1 to 128 characters without spaces, braces or control characters',
  );
}

/** The event classes in it, by type. */
export function classesOf(listenable: Listenable): Map<string, EventClass> {
  const classes = new Map<string, EventClass>();
  for (const each of Array.isArray(listenable) ? (listenable as readonly unknown[]) : [listenable]) {
    const info = eventTypeOf(each);
    if (info !== undefined) classes.set(info.type, each as EventClass);
  }
  return classes;
}

/** The default name of a handler that is a function, whatever the function is called. */
export function nameOfHandler(handler: unknown): string {
  const name: unknown = typeof handler === 'function' ? handler.name : '';
  const usable = typeof name === 'string' ? name.replaceAll(/[\p{C}{}\s]+/gu, '-').slice(0, 128) : '';
  return usable === '' || usable === '-' ? 'anonymous' : usable;
}

function patternsOf(listenable: Listenable, name: string): string[] {
  const given = Array.isArray(listenable) ? (listenable as readonly unknown[]) : [listenable];
  if (given.length === 0)
    throw new InvalidHandlerError(`Handler ${name} listens to an empty list and would never be called.`);
  return [
    ...new Set(given.map((each) => (typeof each === 'function' ? patternOfClass(each, name) : normalizePattern(each)))),
  ];
}

function patternOfClass(target: { readonly name: string }, name: string): string {
  const info = eventTypeOf(target);
  if (info === undefined)
    throw new InvalidHandlerError(
      `Handler ${name} listens to the class ${target.name}, which has no @EventType. Add @EventType('…') to it.`,
    );
  return info.type;
}

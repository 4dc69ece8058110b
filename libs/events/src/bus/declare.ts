import { eventTypeOf } from '../core/event-class.js';
import { describe, InvalidHandlerError, InvalidOptionError } from '../core/errors.js';
import type { EventHandler } from '../core/handler.js';
import { hasWildcard, normalizePattern } from '../core/pattern.js';
import type { HandlerDeclaration } from '../core/declaration.js';
import type { Listenable } from './publish-options.js';

/** What a handler may say of itself, in a decorator or in `subscribe`. */
export interface DeclareOptions {
  readonly name?: string | undefined;
  readonly group?: string | true | undefined;
  readonly startFrom?: 'new' | 'earliest' | undefined;
  readonly concurrency?: number | undefined;
  readonly reply?: boolean | undefined;
  readonly once?: boolean | undefined;
}

export interface DeclareDefaults {
  readonly name: string;
  /** What `group: true` means. */
  readonly group: string;
  readonly concurrency: number;
}

const NAME = /^[^\p{C}{}\s]{1,128}$/u;
const MAX_CONCURRENCY = 100_000;

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
  if (typeof handler !== 'function')
    throw new InvalidHandlerError(`A handler must be a function, not ${describe(handler)}.`);
  const name = options.name ?? defaults.name;
  if (typeof name !== 'string' || !NAME.test(name))
    throw new InvalidOptionError(
      'handler name',
      name,
      '1 to 128 characters without spaces, braces or control characters',
    );
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
  const concurrency = options.concurrency ?? defaults.concurrency;
  if (!Number.isSafeInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY) {
    throw new InvalidOptionError(
      `concurrency of handler ${name}`,
      concurrency,
      `a whole number from 1 to ${String(MAX_CONCURRENCY)}`,
    );
  }
  const once = options.once ?? false;
  if (once && group !== undefined)
    throw new InvalidHandlerError(
      `Handler ${name} is 'once' and in group '${group}': a group is durable, so neither would mean anything. Leave one out.`,
    );
  return {
    name,
    patterns,
    group,
    startFrom,
    concurrency,
    once,
    answers: options.reply ?? !patterns.some(hasWildcard),
    invoke: withInstances(handler, listenable),
  };
}

/** Gives the handler of an event class instances of it, frozen as the payload is. */
function withInstances(handler: EventHandler, listenable: Listenable): EventHandler {
  const classes = new Map<string, object>();
  for (const each of Array.isArray(listenable) ? (listenable as readonly unknown[]) : [listenable]) {
    const info = eventTypeOf(each);
    if (info !== undefined) classes.set(info.type, (each as { prototype: object }).prototype);
  }
  if (classes.size === 0) return handler;
  return (payload: unknown, context) => {
    const prototype = classes.get(context.type);
    const instance = prototype !== undefined && typeof payload === 'object' && payload !== null;
    return handler(
      instance ? Object.freeze(Object.assign(Object.create(prototype) as object, payload)) : payload,
      context,
    );
  };
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

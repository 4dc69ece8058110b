import { assertTopic } from '../core/card.js';
import { ON_EXHAUSTED, type CardDeclaration, type OnExhausted } from '../core/declaration.js';
import { InvalidHandlerError, InvalidOptionError } from '../core/errors.js';
import { eventTypeOf, type EventClass } from '../core/event-class.js';
import type { CardHandlingOptions } from './card-options.js';
import { assertHandler, classesOf, nameOf } from './declare.js';
import { handlingOf, type HandlingDefaults } from './declare-handling.js';
import type { HandlingOptions } from './handling-options.js';
import type { Listenable } from './publish-options.js';

/** What a handler of cards may say of itself, in a decorator or in `cards.subscribe`. */
export interface DeclareCardOptions extends CardHandlingOptions {
  readonly name?: string | undefined;
}

export interface DeclareCardDefaults extends HandlingDefaults {
  readonly name: string;
}

/**
 * Checks what a handler of cards says of itself and fills in the defaults.
 * @throws InvalidCardError, InvalidHandlerError, InvalidOptionError
 */
export function declareCardHandler(
  listenable: Listenable,
  handler: unknown,
  options: DeclareCardOptions,
  defaults: DeclareCardDefaults,
): CardDeclaration {
  assertHandler(handler);
  const name = nameOf(options.name ?? defaults.name);
  const patterns = topicsOf(listenable, name);
  const handling = handlingOf(options as HandlingOptions, defaults, name);
  return {
    name,
    patterns,
    group: undefined,
    startFrom: 'new',
    answers: false,
    once: false,
    pulled: false,
    classes: new Map([...classesOf(listenable), ...eventsOf(options.events, name)]),
    onExhausted: onExhaustedOf(options.onExhausted, name),
    ...handling,
    cards: options.concurrency ?? Math.max(defaults.concurrency, handling.concurrency),
    invoke: handler,
  };
}

function topicsOf(listenable: Listenable, name: string): string[] {
  const given = Array.isArray(listenable) ? (listenable as readonly unknown[]) : [listenable];
  if (given.length === 0)
    throw new InvalidHandlerError(`Handler ${name} listens to an empty list of topics and would never be called.`);
  return [...new Set(given.map((each) => topicOf(each, name)))];
}

function topicOf(given: unknown, name: string): string {
  const topic = typeof given === 'function' ? typeOf(given, name) : given;
  assertTopic(topic);
  return topic;
}

function eventsOf(given: unknown, name: string): [string, EventClass][] {
  if (given === undefined) return [];
  if (!Array.isArray(given))
    throw new InvalidOptionError(`events of handler ${name}`, given, 'a list of event classes');
  return (given as unknown[]).map((each) => [typeOf(each, name), each as EventClass]);
}

/** @throws InvalidHandlerError for what is no event class */
function typeOf(target: unknown, name: string): string {
  const info = eventTypeOf(target);
  if (info !== undefined) return info.type;
  const what = typeof target === 'function' ? `the class ${target.name}, which` : 'something that';
  throw new InvalidHandlerError(`Handler ${name} names ${what} has no @EventType. Add @EventType('…') to a class.`);
}

function onExhaustedOf(given: unknown, name: string): OnExhausted {
  if (given === undefined) return 'dead-letter';
  if (ON_EXHAUSTED.includes(given as OnExhausted)) return given as OnExhausted;
  throw new InvalidOptionError(
    `onExhausted of handler ${name}`,
    given,
    ON_EXHAUSTED.map((each) => `'${each}'`).join(', '),
  );
}

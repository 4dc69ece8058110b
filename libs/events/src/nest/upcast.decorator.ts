import type { EventClass } from '../core/event-class.js';
import { addDeclaration, WHOLE_CLASS, type DeclaredHandler } from './handler-metadata.js';
import { isCardHandler } from './on-card-topic.decorator.js';

/** Between which versions an upcast leads. */
export interface UpcastOptions {
  /** Version of the payload that it gets, from 1. */
  readonly from: number;
  /** Version of the payload that it returns, at most that of the class. Defaults to `from + 1`. */
  readonly to?: number;
}

/** What one `@Upcast` says; it is found where handlers are. */
export interface DeclaredUpcast extends DeclaredHandler {
  readonly listenable: EventClass;
  /** As it was given: nothing is checked yet. */
  readonly upcast: Partial<UpcastOptions> | undefined;
}

/**
 * Makes a method of a provider bring payloads of an older version to a newer one, for handlers of the event class on every bus:
 *
 * ```ts
 * @Upcast(OrderCreated, { from: 1 })
 * addCurrency(payload: { amount: number }) {
 *   return { ...payload, currency: 'EUR' };
 * }
 * ```
 *
 * It gets the payload as JSON, deep-frozen, and returns the newer one, or a promise of it. Upcasts follow one another until the
 * version of the class is reached; its rules apply to the result. What an upcast throws is the handler's failure, with
 * its retries. Handlers that listen by text get the payload as it came, and its version in `context.version`.
 *
 * An error at start: two upcasts of one type from the same version, versions that the class does not have, a class
 * without `@EventType`, a request-scoped or transient provider, and whatever would leave an `@OnEvent` deaf.
 */
export function Upcast(event: EventClass, options: UpcastOptions): MethodDecorator {
  return (target, key: string | symbol | undefined, descriptor?: PropertyDescriptor) => {
    const declared: DeclaredUpcast = { listenable: event, options: {}, upcast: options };
    addDeclaration(target, key ?? WHOLE_CLASS, descriptor?.value, declared);
  };
}

export function isUpcast(declared: DeclaredHandler): declared is DeclaredUpcast {
  return 'upcast' in declared;
}

/** The decorator that says this, for messages. */
export function decoratorOf(declarations: readonly DeclaredHandler[]): '@OnEvent' | '@OnCardTopic' | '@Upcast' {
  if (declarations.length > 0 && declarations.every(isUpcast)) return '@Upcast';
  return declarations.some(isCardHandler) ? '@OnCardTopic' : '@OnEvent';
}

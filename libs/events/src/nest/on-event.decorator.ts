import type { Listenable } from '../bus/publish-options.js';
import { addDeclaration, WHOLE_CLASS } from './handler-metadata.js';
import type { OnEventOptions } from './on-event-options.js';

/**
 * Makes a method of a provider or controller handle events. It is called with the payload (deep-frozen) and the context;
 * what it returns answers a request, and throwing is failing. Several decorators on one method are several handlers.
 *
 * ```ts
 * @OnEvent('user.*')
 * async onUser(user: User, context: EventContext) {}
 *
 * @OnEvent([OrderPaid, 'invoice.#'], { group: 'accounting' })
 * async account(payload: unknown, context: EventContext) {}
 * ```
 *
 * Request-scoped and transient providers get an instance for each event. Guards, interceptors, pipes and exception filters
 * on the method or its class run, global ones where the module's option `enhancers` has their kind; the type of their
 * execution context is `'event'` and its arguments are payload and context. What they throw, a refusing guard's
 * `ForbiddenException` among it, is the handler's failure. Pipes get the payload, as the argument type `'body'`. What an
 * exception filter returns, or its promise or observable gives, is the handler's result, and the event is handled;
 * `undefined` leaves the failure as it is, so that a filter can merely look on.
 *
 * Whatever is wrong with the declaration is an error at start, not here.
 *
 * @param listenable a type, a pattern (`*` is one word, `#` or `**` zero or more), an `@EventType` class, or a list of them
 */
export function OnEvent(listenable: Listenable, options: OnEventOptions = {}): MethodDecorator {
  return (target, key: string | symbol | undefined, descriptor?: PropertyDescriptor) => {
    addDeclaration(target, key ?? WHOLE_CLASS, descriptor?.value, { listenable, options });
  };
}

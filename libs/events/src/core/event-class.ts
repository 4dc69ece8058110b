import { assertEventType } from './event-type.js';
import { InvalidEventError, InvalidOptionError } from './errors.js';

const EVENT_TYPE: unique symbol = Symbol.for('nestjs-cardinal.event-type') as never;

/** What `@EventType` says of a class. */
export interface EventTypeInfo {
  readonly type: string;
  /** Version of the payload's shape, from 1. */
  readonly version: number;
}

/** A class of events. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any constructor can be an event class
export type EventClass<T extends object = object> = abstract new (...args: any[]) => T;

/**
 * Declares the type and version of an event class: `@EventType('order.created', { version: 2 })`.
 * Instances can be published as they are; `@OnEvent(TheClass)` listens to the type. `version` defaults to 1.
 * @throws InvalidEventTypeError, InvalidOptionError
 */
export function EventType(type: string, options: { readonly version?: number } = {}): ClassDecorator {
  assertEventType(type);
  const version = options.version ?? 1;
  if (!Number.isSafeInteger(version) || version < 1)
    throw new InvalidOptionError(`@EventType('${type}') version`, version, 'a whole number from 1');
  const info: EventTypeInfo = Object.freeze({ type, version });
  return (target) => {
    Object.defineProperty(target, EVENT_TYPE, { value: info, configurable: true });
  };
}

/** What `@EventType` said of this class itself (not of a parent), or undefined. */
export function eventTypeOf(target: unknown): EventTypeInfo | undefined {
  if (typeof target !== 'function' || !Object.hasOwn(target, EVENT_TYPE)) return undefined;
  return (target as unknown as { [EVENT_TYPE]: EventTypeInfo })[EVENT_TYPE];
}

/**
 * The type of an instance of an event class.
 * @throws InvalidEventError when its class has no `@EventType`
 */
export function eventTypeOfInstance(event: object): EventTypeInfo {
  const { constructor } = event;
  const info = eventTypeOf(constructor);
  if (info !== undefined) return info;
  const name = typeof constructor === 'function' ? constructor.name : 'an object';
  throw new InvalidEventError(
    `${name} is not an event: publish an instance of a class with @EventType('…'), or publish(type, payload).`,
  );
}

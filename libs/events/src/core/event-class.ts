import { assertEventType } from './event-type.js';
import { InvalidEventError, InvalidOptionError } from './errors.js';
import { isStandardSchema, type StandardSchema } from './standard-schema.js';

const EVENT_TYPE: unique symbol = Symbol.for('nestjs-cardinal.event-type') as never;

/** What `@EventType` says of a class. */
export interface EventTypeInfo {
  readonly type: string;
  /** Version of the payload's shape, from 1. */
  readonly version: number;
  /** What the payload must look like, as JSON; undefined where `@EventType` names none. */
  readonly schema: StandardSchema | undefined;
}

/** What can be said of an event class beside its type. */
export interface EventTypeOptions {
  /** Version of the payload's shape, a whole number from 1. Defaults to 1. */
  readonly version?: number;
  /** Any Standard Schema v1 (Zod, Valibot, ArkType, …). Defaults to none. */
  readonly schema?: StandardSchema;
}

/** A class of events. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any constructor can be an event class
export type EventClass<T extends object = object> = abstract new (...args: any[]) => T;

/**
 * Declares the type and version of an event class: `@EventType('order.created', { version: 2 })`. Instances can be published
 * as they are; `@OnEvent(TheClass)` listens to the type. The class may be no more than a holder of the name.
 *
 * A class has rules when it has class-validator decorators, or a `schema`, or both. A broken one is an `EventValidationError`:
 * `publish` of an instance rejects with it and sends nothing, and a payload that comes for a handler of the class becomes a
 * dead letter `invalid` at once. `publish(type, payload)` knows no class and checks nothing.
 *
 * A `schema` is asked about the payload as JSON, at publish and at consume; what it gives (Dates, defaults, unknown keys left
 * out) is what handlers get. Where it is asynchronous, such events of one publisher are stored in the order in which their
 * checks end. class-validator comes after it and sees the instance; its asynchronous constraints are not run. Groups,
 * where the class has some, are all checked.
 *
 * Handlers of the class get an instance, deep-frozen, one in the process for all of them, made without a constructor call.
 * Where class-transformer is installed and the class has its decorators, `plainToInstance` makes the instance, with
 * the constructor: so `@Type` restores dates, nested classes and arrays of them. `@ValidateNested` and `@IsDate` need
 * their `@Type`, for JSON knows neither classes nor dates.
 *
 * Payloads of older versions go through `@Upcast` first. One of a newer version, or one from which no chain leads
 * to this version, becomes a dead letter `unsupported-version`.
 *
 * @throws InvalidEventTypeError, InvalidOptionError
 */
export function EventType(type: string, options: EventTypeOptions = {}): ClassDecorator {
  assertEventType(type);
  const { version = 1, schema } = options;
  if (!Number.isSafeInteger(version) || version < 1)
    throw new InvalidOptionError(`@EventType('${type}') version`, version, 'a whole number from 1');
  if (schema !== undefined && !isStandardSchema(schema))
    throw new InvalidOptionError(`@EventType('${type}') schema`, schema, 'a schema that follows Standard Schema v1');
  const info: EventTypeInfo = Object.freeze({ type, version, schema });
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

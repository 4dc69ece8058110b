import { InvalidEventTypeError } from './errors.js';

/** Types and patterns are at most this long, as AMQP 0-9-1 short strings are. They are ASCII, so bytes are characters. */
export const MAX_TYPE_LENGTH = 255;

const TYPE = /^[A-Za-z0-9_:-]+(?:\.[A-Za-z0-9_:-]+)*$/;
const REMEMBERED = 10_000;

/** Checks event types, remembering those that passed. One checker a bus: nothing is shared between buses. */
export class EventTypeChecker {
  private readonly passed = new Set<string>();

  /**
   * Returns when `type` is an event type.
   * @throws InvalidEventTypeError otherwise
   */
  check(type: string): void {
    if (this.passed.has(type)) return;
    assertEventType(type);
    if (this.passed.size >= REMEMBERED) this.passed.clear();
    this.passed.add(type);
  }
}

/**
 * Words of `[A-Za-z0-9_:-]` joined by `.`, none empty, at most 255 bytes; `:` is an ordinary character.
 * @throws InvalidEventTypeError otherwise
 */
export function assertEventType(type: unknown): asserts type is string {
  if (typeof type !== 'string') throw new InvalidEventTypeError(type, 'it is not a string');
  if (type === '') throw new InvalidEventTypeError(type, 'it is empty');
  if (type.length > MAX_TYPE_LENGTH)
    throw new InvalidEventTypeError(type, `it is ${String(type.length)} characters long`);
  if (TYPE.test(type)) return;
  if (/[*#]/.test(type)) throw new InvalidEventTypeError(type, 'wildcards are for patterns, not for what is published');
  if (type.split('.').includes('')) throw new InvalidEventTypeError(type, 'it has an empty word');
  throw new InvalidEventTypeError(type, 'it has a character outside [A-Za-z0-9_:-]');
}

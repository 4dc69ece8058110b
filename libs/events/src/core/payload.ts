import { describe, EventSerializationError, PayloadTooLargeError } from './errors.js';

/** Matches a `__proto__` key in JSON text, also in its escaped spellings. */
const SUSPECT =
  /"(?:_|\\u005[Ff]){2}(?:p|\\u0070)(?:r|\\u0072)(?:o|\\u006[Ff])(?:t|\\u0074)(?:o|\\u006[Ff])(?:_|\\u005[Ff]){2}"/;

/**
 * Writes a payload as JSON text; `undefined` (no payload) stays `undefined`.
 * @param limit bytes of UTF-8 that the text may have
 * @throws EventSerializationError when it cannot be written
 * @throws PayloadTooLargeError when it is over the limit
 */
export function encodePayload(type: string, payload: unknown, limit: number): string | undefined {
  if (payload === undefined) return undefined;
  let text: string | undefined;
  try {
    text = stringify(payload);
  } catch (error) {
    throw new EventSerializationError(type, error);
  }
  if (text === undefined)
    throw new EventSerializationError(type, new TypeError(`${describe(payload)} has no JSON form`));
  // A UTF-16 unit is at most 3 bytes of UTF-8, so most texts need no count.
  if (text.length * 3 > limit) {
    const size = Buffer.byteLength(text);
    if (size > limit) throw new PayloadTooLargeError(type, size, limit);
  }
  return text;
}

/**
 * Reads JSON text into a deep-frozen value. `__proto__` keys are dropped, so that a careless copy of the payload cannot
 * change a prototype.
 * @throws SyntaxError when the text is not JSON
 */
export function decodePayload(text: string): unknown {
  const suspect = (text.includes('__proto__') || text.includes('\\u')) && SUSPECT.test(text);
  return freeze(JSON.parse(text) as unknown, suspect);
}

/** What JSON.stringify really returns: functions, symbols and a `toJSON` without a result have no text. */
const stringify = (value: unknown): string | undefined => JSON.stringify(value);

/** Freezes a JSON value and everything in it, in place. */
export function deepFreeze<T>(value: T): T {
  return freeze(value, false);
}

/** Walks with a list of its own: a value that JSON.parse can read may be nested far deeper than the call stack allows. */
function freeze<T>(value: T, dropProto: boolean): T {
  if (typeof value !== 'object' || value === null) return value;
  let pending: object[] | undefined;
  let next: object | undefined = value;
  while (next !== undefined) {
    if (Array.isArray(next)) {
      for (const item of next as unknown[]) if (typeof item === 'object' && item !== null) (pending ??= []).push(item);
    } else {
      if (dropProto && Object.hasOwn(next, '__proto__')) Reflect.deleteProperty(next, '__proto__');
      for (const key in next) {
        const item = (next as Record<string, unknown>)[key];
        if (typeof item === 'object' && item !== null) (pending ??= []).push(item);
      }
    }
    Object.freeze(next);
    next = pending?.pop();
  }
  return value;
}

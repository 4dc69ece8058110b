import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EventSerializationError, isEventsError, PayloadTooLargeError } from './errors.js';
import { decodePayload, deepFreeze, encodePayload } from './payload.js';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const MiB = 1024 * 1024;

const encode = (payload: unknown, limit = MiB): string | undefined => encodePayload('order.created', payload, limit);

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** True when the value and everything in it is frozen. Counts with a list, to bear any depth. */
function frozenThroughout(value: unknown): boolean {
  const pending = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null) continue;
    if (!Object.isFrozen(next)) return false;
    for (const key of Reflect.ownKeys(next)) pending.push(Reflect.get(next, key));
  }
  return true;
}

/** A copy without `__proto__` keys, made another way than the code under test does. */
function withoutProto(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutProto);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => key !== '__proto__');
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutProto(item)]));
}

describe('encodePayload', () => {
  it.each([
    [null, 'null'],
    [0, '0'],
    [false, 'false'],
    ['', '""'],
    [[], '[]'],
    [{}, '{}'],
    [{ a: undefined, b: 1 }, '{"b":1}'],
    [[undefined, Number.NaN], '[null,null]'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ['\ud800', '"\\ud800"'],
  ])('writes %j', (payload, text) => {
    expect(encode(payload)).toBe(text);
  });

  it('leaves no payload as none', () => {
    expect(encode(undefined)).toBeUndefined();
  });

  it('writes class instances by their own fields', () => {
    class OrderCreated {
      readonly orderId = 'o-1';
      get derived(): string {
        return `${this.orderId}, not a field`;
      }
    }
    expect(encode(new OrderCreated())).toBe('{"orderId":"o-1"}');
  });

  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  it.each<[string, unknown, string]>([
    ['a BigInt', 1n, 'BigInt'],
    ['a BigInt inside', { rows: [{ id: 1n }] }, 'BigInt'],
    ['a cycle', cycle, 'circular'],
    ['a function', () => 1, 'a value of type function has no JSON form'],
    ['a symbol', Symbol('x'), 'a value of type symbol has no JSON form'],
    ['a toJSON that gives nothing', { toJSON: () => undefined }, 'has no JSON form'],
  ])('refuses %s', (_what, payload, why) => {
    const error = caught(() => encode(payload));
    expect(error).toBeInstanceOf(EventSerializationError);
    expect(isEventsError(error, 'SERIALIZATION')).toBe(true);
    expect((error as Error).message).toContain("'order.created'");
    expect((error as Error).message).toContain(why);
    expect((error as Error).message).not.toContain('\n');
    expect((error as Error).cause).toBeInstanceOf(TypeError);
  });

  it.each([
    ['an error', new RangeError('no luck'), 'no luck'],
    ['a string', 'no luck', 'no luck'],
    ['nothing', undefined, 'nothing'],
    ['an object that has no text', Object.create(null) as unknown, 'a value of type object'],
  ])('keeps what a toJSON throws as cause: %s', (_what, thrown, why) => {
    const toJSON = (): never => {
      throw thrown;
    };
    const error = caught(() => encode({ toJSON }));
    expect(error).toBeInstanceOf(EventSerializationError);
    expect((error as Error).cause).toBe(thrown);
    expect((error as Error).message).toContain(why);
  });

  it('refuses what is nested too deep to be written', () => {
    let payload: unknown[] = [];
    for (let depth = 0; depth < 200_000; depth++) payload = [payload];
    expect(caught(() => encode(payload))).toBeInstanceOf(EventSerializationError);
  });

  it.each([
    ['ascii', 'a'.repeat(98), 100],
    ['two bytes a character', '\u00fc'.repeat(49), 100],
    ['three bytes a character', '\u20ac'.repeat(33), 101],
    ['four bytes a character', '\u{1f600}'.repeat(25), 102],
  ])('counts bytes of UTF-8: %s', (_what, payload, size) => {
    expect(Buffer.byteLength(encode(payload, size) ?? '')).toBe(size);
    const error = caught(() => encode(payload, size - 1));
    expect(error).toBeInstanceOf(PayloadTooLargeError);
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', size, limit: size - 1 });
    expect((error as Error).message).toContain('maxPayload');
  });

  it(`draws the line at the limit for any text (seed ${String(seed)})`, () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (payload) => {
        const size = Buffer.byteLength(JSON.stringify(payload));
        expect(encode(payload, size)).toBe(JSON.stringify(payload));
        expect(caught(() => encode(payload, size - 1))).toMatchObject({ size, limit: size - 1 });
      }),
      { seed, numRuns: 1_000 },
    );
  });
});

describe('decodePayload', () => {
  it.each(['', '{', '{"a":1,}', 'undefined', '\u0000', '"\n"', '{"__proto__":'])('refuses %j', (text) => {
    expect(caught(() => decodePayload(text))).toBeInstanceOf(SyntaxError);
  });

  it('freezes everything', () => {
    const value = decodePayload('{"a":{"b":[{"c":[[]]}]},"d":null,"e":[{},1]}');
    expect(value).toEqual({ a: { b: [{ c: [[]] }] }, d: null, e: [{}, 1] });
    expect(frozenThroughout(value)).toBe(true);
    expect(() => (value as { e: unknown[] }).e.push(1)).toThrow(TypeError);
  });

  it('reads and freezes what is nested deeper than the call stack', () => {
    const depth = 50_000;
    for (const [open, inner, close] of [
      ['[', '', ']'],
      ['{"a":', '1', '}'],
      ['[{"__proto__":1,"a":', '1', '}]'],
    ] as const) {
      const value = decodePayload(open.repeat(depth) + inner + close.repeat(depth));
      expect(frozenThroughout(value)).toBe(true);
    }
  });

  it.each([
    '{"__proto__":{"polluted":1},"a":1}',
    '{"a":1,"__proto__":null}',
    '{"__proto__":1,"a":1,"__proto__":{"polluted":1}}',
    '{"\\u005f_proto__":{"polluted":1},"a":1}',
    '{"__pr\\u006Fto__":{"polluted":1},"a":1}',
    '{"__pr\\u006fto\\u005F_":{"polluted":1},"a":1}',
    '{"\\u005f\\u005F\\u0070\\u0072\\u006f\\u0074\\u006F\\u005f\\u005f" : {"polluted":1}, "a":1}',
  ])('drops the key of %s', (text) => {
    const value = decodePayload(text);
    expect(Object.keys(value as object)).toEqual(['a']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.assign({}, value)).toEqual({ a: 1 });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('drops the key at any depth, also inside dropped and kept neighbours', () => {
    const text = '[{"a":{"__proto__":[{"__proto__":1}],"b":[{"__proto__":{}}]}},{"__proto__":2}]';
    expect(JSON.stringify(decodePayload(text))).toBe('[{"a":{"b":[{}]}},{}]');
  });

  it('keeps what only looks like it', () => {
    const text =
      '{"proto":"__proto__","__proto":1,"__proto__ ":2,"_\\u005Fproto_":3,"x\\"__proto__":4,"constructor":5}';
    const value = decodePayload(text);
    expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)));
    expect(frozenThroughout(value)).toBe(true);
  });

  it(`drops every spelling (seed ${String(seed)})`, () => {
    const spelled = fc
      .array(fc.nat(2), { minLength: 9, maxLength: 9 })
      .map((ways) =>
        Array.from('__proto__', (letter, index) => {
          const hex = letter.charCodeAt(0).toString(16).padStart(4, '0');
          return ways[index] === 0 ? letter : `\\u${ways[index] === 1 ? hex : hex.toUpperCase()}`;
        }),
      )
      .map((letters) => letters.join(''));
    fc.assert(
      fc.property(spelled, (key) => {
        expect(JSON.stringify(decodePayload(`{"a":[{"${key}":{"polluted":1},"b":1}]}`))).toBe('{"a":[{"b":1}]}');
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it(`gives back what JSON makes of any value, frozen (seed ${String(seed)})`, () => {
    const key = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 4 }),
      fc.constantFrom('__proto__', 'toJSON', '"__proto__'),
    );
    const anything = fc.anything({
      key,
      withDate: true,
      withMap: true,
      withSet: true,
      withBoxedValues: true,
      withNullPrototype: true,
      withSparseArray: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(
        fc.oneof(anything, fc.jsonValue()).filter((value) => value !== undefined),
        (payload) => {
          const text = encode(payload) ?? '';
          const expected = withoutProto(JSON.parse(JSON.stringify(payload)));
          const value = decodePayload(text);
          expect(value).toStrictEqual(expected);
          expect(JSON.stringify(value)).toBe(JSON.stringify(expected));
          expect(frozenThroughout(value)).toBe(true);
        },
      ),
      { seed, numRuns: 4_000 },
    );
  });
});

describe('deepFreeze', () => {
  it('freezes in place and returns the value', () => {
    const value = { a: [{ b: {} }] };
    expect(deepFreeze(value)).toBe(value);
    expect(frozenThroughout(value)).toBe(true);
  });

  it.each([undefined, null, 1, 'text', true])('lets %s pass', (value) => {
    expect(deepFreeze(value)).toBe(value);
  });
});

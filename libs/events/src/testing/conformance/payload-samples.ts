import { numbers } from './stage.js';

/** Texts of JSON that would change prototypes where a parser is careless. */
export const POLLUTING: readonly string[] = [
  '{"__proto__":{"polluted":true},"a":1}',
  '{"a":1,"inner":{"\\u005f_proto__":{"polluted":true}}}',
];

/** Values that JSON turns into others. */
export function values(): unknown[] {
  return [
    new Date(0),
    { a: undefined, b: NaN, c: Infinity, d: -0, e: Symbol('s'), f: () => 1 },
    [undefined, () => 1, , 3], // eslint-disable-line no-sparse-arrays -- a hole, as JSON sees it
    new Map([[1, 2]]),
    { toJSON: () => ({ own: true }) },
    '\u2028 \u0000 \ud800 ü 😀',
    1e308,
    Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true } }),
    new Uint8Array([1, 2]),
    { '': 1, 'a.b': 2, constructor: 3, toString: 4 },
  ];
}

/** A random value of JSON, nested `depth` deep at most. */
export function randomJson(next: () => number, depth: number): unknown {
  const pick = Math.floor(next() * (depth > 0 ? 8 : 6));
  const text = (): string =>
    String.fromCharCode(...numbers(Math.floor(next() * 8)).map(() => Math.floor(next() * 0xd800)));
  switch (pick) {
    case 0:
      return null;
    case 1:
      return next() < 0.5;
    case 2:
      return Math.floor((next() - 0.5) * Number.MAX_SAFE_INTEGER);
    case 3:
      return (next() - 0.5) * 10 ** Math.floor(next() * 40 - 20);
    case 4:
    case 5:
      return text();
    case 6:
      return numbers(Math.floor(next() * 5)).map(() => randomJson(next, depth - 1));
    default:
      return Object.fromEntries(numbers(Math.floor(next() * 5)).map(() => [`k${text()}`, randomJson(next, depth - 1)]));
  }
}

import { describe, expect, it } from '@jest/globals';
import { parseDuration } from './duration.js';
import { InvalidOptionError, isEventsError } from './errors.js';

describe('parseDuration', () => {
  it.each<[number | string, number]>([
    [0, 0],
    [-0, 0],
    [250, 250],
    [1.4, 1],
    [0.2, 1],
    ['0', 0],
    ['1500', 1_500],
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['0.1ms', 1],
    ['2.3h', 8_280_000],
    [' 30 s ', 30_000],
    ['007s', 7_000],
  ])('reads %p as %d ms', (value, expected) => {
    expect(Object.is(parseDuration(value), expected)).toBe(true);
  });

  it.each([
    ...[-1, -0.5, NaN, Infinity, -Infinity, 2 ** 53],
    ...[
      '',
      ' ',
      's',
      '-1s',
      '+1s',
      '1e3',
      '0x10',
      'Infinity',
      'NaN',
      '1.',
      '1..5s',
      '1,5s',
      '5 minutes',
      '1w',
      '5M',
      '30S',
    ],
    ...['1h30m', '1s 2', '9999999999999999d', `${'9'.repeat(400)}s`],
  ])('refuses %p', (value) => {
    expect(() => parseDuration(value)).toThrow(InvalidOptionError);
  });

  it.each([null, undefined, true, {}, [], ['5s'], 5n, Symbol('s')])(
    'refuses what the types do not allow: %p',
    (value) => {
      expect(() => parseDuration(value as never)).toThrow(InvalidOptionError);
    },
  );

  it('names the option, what was given and what is accepted', () => {
    expect(() => parseDuration('soon', 'timeout')).toThrow(/^timeout: got 'soon'; accepted: .*'250ms'/);
    expect(() => parseDuration('')).toThrow(/^duration: got ''; accepted/);
  });

  it('throws an error of the library', () => {
    let thrown: unknown;
    try {
      parseDuration(-5);
    } catch (error) {
      thrown = error;
    }
    expect(isEventsError(thrown, 'INVALID_OPTION')).toBe(true);
  });
});

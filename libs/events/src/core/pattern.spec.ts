import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { keys, patterns, slowlyMatches } from '../../../../test/support/topic-rule.js';
import { InvalidPatternError, isEventsError } from './errors.js';
import { hasWildcard, matches, normalizePattern, splitWords } from './pattern.js';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);

describe('normalizePattern', () => {
  it.each([
    'order',
    'order.created',
    'order.*',
    '*',
    '#',
    '#.created',
    'a.#.b.#',
    '*.*.*',
    'cron.task.executed',
    'Card:Moved.v-2.snake_case.9',
    '::.-._',
    'a'.repeat(255),
  ])('takes %s as it is', (pattern) => {
    expect(normalizePattern(pattern)).toBe(pattern);
  });

  it.each([
    ['**', '#'],
    ['user.**', 'user.#'],
    ['**.created', '#.created'],
    ['**.**', '#.#'],
    ['*.**.*', '*.#.*'],
    [`${'**.'.repeat(84)}a`, `${'#.'.repeat(84)}a`],
  ])('spells %s as %s', (given, spelled) => {
    expect(normalizePattern(given)).toBe(spelled);
    expect(normalizePattern(spelled)).toBe(spelled);
  });

  it.each([
    [undefined, 'it is not a string'],
    [null, 'it is not a string'],
    [7, 'it is not a string'],
    [['user.*'], 'it is not a string'],
    [{ toString: () => 'user.*' }, 'it is not a string'],
    ['', 'it is empty'],
    ['a'.repeat(256), 'it is 256 characters long'],
    [`${'**.'.repeat(85)}a`, 'it is 256 characters long'],
    ['.', 'it has an empty word'],
    ['.a', 'it has an empty word'],
    ['a.', 'it has an empty word'],
    ['a..b', 'it has an empty word'],
    ['user*', 'a wildcard must be a whole word'],
    ['us*er.created', 'a wildcard must be a whole word'],
    ['user.#created', 'a wildcard must be a whole word'],
    ['***', 'a wildcard must be a whole word'],
    ['##', 'a wildcard must be a whole word'],
    ['*#', 'a wildcard must be a whole word'],
    ['a b', 'it has a character outside'],
    ['a/b', 'it has a character outside'],
    ['user.{id}', 'it has a character outside'],
    ['user.created\n', 'it has a character outside'],
    ['\u00fcser', 'it has a character outside'],
    ['user.\0', 'it has a character outside'],
  ])('refuses %j: %s', (pattern, why) => {
    let error: unknown;
    try {
      normalizePattern(pattern);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(InvalidPatternError);
    expect(isEventsError(error, 'INVALID_PATTERN')).toBe(true);
    expect((error as Error).message).toContain(why);
  });
});

describe('hasWildcard', () => {
  it.each(['*', '#', 'a.*', '*.a', 'a.#.b', '#.#'])('says yes to %s', (pattern) => {
    expect(hasWildcard(pattern)).toBe(true);
  });

  it.each(['a', 'a.b', 'a:b.c-d_e', ''])('says no to %j', (pattern) => {
    expect(hasWildcard(pattern)).toBe(false);
  });
});

describe('splitWords', () => {
  it.each([
    ['', []],
    ['a', ['a']],
    ['a.b', ['a', 'b']],
    ['.', ['', '']],
    ['a..b', ['a', '', 'b']],
  ])('reads %j as %j', (text, expected) => {
    expect(splitWords(text)).toEqual(expected);
  });
});

describe('matches', () => {
  it.each([
    // The examples of AMQP 0-9-1 §3.1.3.3.
    ['*.stock.#', 'usd.stock', true],
    ['*.stock.#', 'eur.stock.db', true],
    ['*.stock.#', 'stock.nasdaq', false],
    ['user.created', 'user.created', true],
    ['user.created', 'user', false],
    ['user.created', 'user.created.now', false],
    ['user.created', 'User.created', false],
    ['user.*', 'user.created', true],
    ['user.*', 'user', false],
    ['user.*', 'user.a.b', false],
    ['*', 'user', true],
    ['*', 'user.created', false],
    ['*', '', false],
    ['#', '', true],
    ['#', 'user', true],
    ['#', 'a.b.c.d', true],
    ['user.#', 'user', true],
    ['user.#', 'user.a.b.c', true],
    ['user.#', 'users.a', false],
    ['#.created', 'created', true],
    ['#.created', 'a.created', true],
    ['#.created', 'created.created', true],
    ['#.created', 'created.a', false],
    ['a.#.z', 'a.z', true],
    ['a.#.z', 'a.b.z.c.z', true],
    ['a.#.z', 'a.z.b', false],
    ['a.#.#.z', 'a.z', true],
    ['#.a.#', 'b.a.c', true],
    ['#.a.#', 'b.c', false],
    ['#.a.#.a.#', 'a', false],
    ['#.a.#.a.#', 'a.a', true],
    ['#.a.#.a.#', 'x.a.y.y.a.z', true],
    ['#.*', '', false],
    ['#.*', 'a', true],
    ['*.#.*', 'a', false],
    ['*.#.*', 'a.b', true],
    ['#.a.b', 'a.a.b', true],
    ['card:1.*', 'card:1.moved', true],
    ['card:*', 'card:1', false],
    // Keys that other brokers' publishers may send.
    ['a.*.b', 'a..b', true],
    ['a.#.b', 'a..b', true],
    ['*.*', '.', true],
    ['', '', true],
    ['', 'a', false],
  ])('%j, %j: %s', (pattern, type, expected) => {
    expect(matches(pattern, type)).toBe(expected);
    expect(slowlyMatches(pattern, type)).toBe(expected);
  });

  it(`agrees with the rule tried out in every way (seed ${String(seed)})`, () => {
    fc.assert(
      fc.property(patterns(8), keys(8), (pattern, type) => matches(pattern, type) === slowlyMatches(pattern, type)),
      { seed, numRuns: 30_000 },
    );
  });

  it('is not slowed down by a pattern made for that', () => {
    const type = Array<string>(128).fill('a').join('.');
    expect(matches(normalizePattern(`${'#.a.'.repeat(62)}#.b`), type)).toBe(false);
    expect(matches(normalizePattern(`${'**.*.'.repeat(50)}b`), type)).toBe(false);
    expect(matches(normalizePattern(`#.${'a.'.repeat(126)}a`), `${type}.b`)).toBe(false);
  });
});

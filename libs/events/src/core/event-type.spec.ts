import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InvalidEventTypeError, isEventsError } from './errors.js';
import { assertEventType, EventTypeChecker, MAX_TYPE_LENGTH } from './event-type.js';
import { matches, normalizePattern } from './pattern.js';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);

const check = (type: unknown): void => {
  assertEventType(type);
};

function messageOf(run: () => void): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidEventTypeError);
    expect(isEventsError(error, 'INVALID_EVENT_TYPE')).toBe(true);
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

describe('assertEventType', () => {
  it.each([
    'a',
    'order.created',
    'cron.task.executed',
    'card:42.moved',
    ':',
    '-._.:',
    'A.9.b_c-d:e',
    '__proto__',
    'a'.repeat(MAX_TYPE_LENGTH),
    `${'a.'.repeat(127)}a`,
  ])('takes %s', (type) => {
    expect(() => {
      check(type);
    }).not.toThrow();
  });

  it.each<[unknown, string]>([
    [undefined, 'it is not a string'],
    [null, 'it is not a string'],
    [1, 'it is not a string'],
    [{}, 'it is not a string'],
    [Symbol('a'), 'it is not a string'],
    [new String('a'), 'it is not a string'],
    ['', 'it is empty'],
    ['a'.repeat(256), 'it is 256 characters long'],
    ['order.*', 'wildcards are for patterns'],
    ['#', 'wildcards are for patterns'],
    ['.', 'it has an empty word'],
    ['.a', 'it has an empty word'],
    ['a.', 'it has an empty word'],
    ['a..b', 'it has an empty word'],
    ['a b', 'it has a character outside'],
    ['a\n', 'it has a character outside'],
    ['\na', 'it has a character outside'],
    ['a.b\0', 'it has a character outside'],
    ['order/created', 'it has a character outside'],
    ['\u00fc', 'it has a character outside'],
    ['\u0430', 'it has a character outside'],
    ['{a}', 'it has a character outside'],
  ])('refuses %j: %s', (type, why) => {
    expect(
      messageOf(() => {
        check(type);
      }),
    ).toContain(why);
  });

  it('says in its message what a type looks like, and not more of a long one than needed', () => {
    const message = messageOf(() => {
      check('a'.repeat(100_000));
    });
    expect(message).toContain("'order.created'");
    expect(message.length).toBeLessThan(400);
  });

  it('takes no longer for text made to slow it down', () => {
    const type = `${'a.'.repeat(127)}!`;
    expect(
      messageOf(() => {
        check(type);
      }),
    ).toContain('it has a character outside');
  });

  it(`takes just those patterns that have no wildcard (seed ${String(seed)})`, () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'Z', '0', '_', ':', '-', '.', '*', '#', ' '), maxLength: 6 });
    fc.assert(
      fc.property(text, (type) => {
        const passes = (run: () => void): boolean => {
          try {
            run();
            return true;
          } catch {
            return false;
          }
        };
        const literal = passes(() => normalizePattern(type)) && !/[*#]/.test(type);
        expect(
          passes(() => {
            check(type);
          }),
        ).toBe(literal);
        if (literal) expect(matches(normalizePattern(type), type)).toBe(true);
      }),
      { seed, numRuns: 5_000 },
    );
  });
});

describe('EventTypeChecker', () => {
  it('takes what is a type, and again', () => {
    const checker: EventTypeChecker = new EventTypeChecker();
    checker.check('order.created');
    checker.check('order.created');
  });

  it('refuses what is not, and again', () => {
    const checker: EventTypeChecker = new EventTypeChecker();
    for (const type of ['order.*', 'order.*', undefined, undefined, '']) {
      messageOf(() => {
        checker.check(type!);
      });
    }
  });

  it('stays right, and bounded, when there are more types than it remembers', () => {
    const checker: EventTypeChecker = new EventTypeChecker();
    for (let index = 0; index < 25_000; index++) checker.check(`order.${String(index)}`);
    checker.check('order.0');
    messageOf(() => {
      checker.check('order.#');
    });
    expect((checker as unknown as { passed: Set<string> }).passed.size).toBeLessThanOrEqual(10_000);
  });

  it('remembers for itself only', () => {
    const one: EventTypeChecker = new EventTypeChecker();
    const other: EventTypeChecker = new EventTypeChecker();
    one.check('order.created');
    expect((other as unknown as { passed: Set<string> }).passed.size).toBe(0);
  });
});

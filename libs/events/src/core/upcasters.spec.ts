import { describe, expect, it } from '@jest/globals';
import { EventType } from './event-class.js';
import { Upcasters } from './upcasters.js';

@EventType('order.created', { version: 4 })
class Order {}

const step = (name: string) => (payload: string) => `${payload} ${name}`;

function upcasters(): Upcasters {
  const all = new Upcasters();
  all.add(Order, 1, undefined, step('1-2'));
  all.add(Order, 2, 4, step('2-4'));
  return all;
}

const run = (all: Upcasters, version: number, target: number): unknown =>
  all.chain('order.created', version, target).reduce<unknown>((value, upcast) => upcast(value), 'p');

describe('a chain of upcasts', () => {
  it('leads from version to version, over gaps that one upcast bridges', () => {
    expect(run(upcasters(), 1, 4)).toBe('p 1-2 2-4');
    expect(run(upcasters(), 1, 2)).toBe('p 1-2');
    expect(run(upcasters(), 2, 4)).toBe('p 2-4');
  });

  it('is empty where nothing is to be done', () => {
    expect(new Upcasters().chain('x', 3, 3)).toEqual([]);
  });

  it('does not lead back, over the target, or from where there is none', () => {
    const cases: [number, number, RegExp][] = [
      [5, 4, /version 5; this process knows 4: upgrade/],
      [3, 4, /version 3; there is no @Upcast from version 3/],
      [2, 3, /version 2; there is no @Upcast/],
      [4, 2, /version 4; this process knows 2: upgrade/],
    ];
    for (const [from, to, message] of cases) {
      expect(() => run(upcasters(), from, to)).toThrow(
        expect.objectContaining({ code: 'UNSUPPORTED_VERSION', message: expect.stringMatching(message) as unknown }),
      );
    }
    expect(() => upcasters().chain('other', 1, 2)).toThrow('@Upcast');
  });
});

describe('an upcast that cannot be', () => {
  class Plain {
    readonly id = 1;
  }
  const add = (...[target, from, to, upcast]: [unknown, unknown, unknown?, unknown?]) => {
    upcasters().add(target as typeof Order, from as number, to as number | undefined, (upcast ?? step('x')) as () => 0);
  };

  it.each([
    [
      'a second one from a version',
      () => {
        add(Order, 1);
      },
      'INVALID_HANDLER',
      /two upcasts from version 1/,
    ],
    [
      'a class without @EventType',
      () => {
        add(Plain, 1);
      },
      'INVALID_HANDLER',
      /@EventType, not Plain/,
    ],
    [
      'no class',
      () => {
        add('order.created', 1);
      },
      'INVALID_HANDLER',
      /'order.created'/,
    ],
    [
      'no function',
      () => {
        add(Order, 3, 4, 7);
      },
      'INVALID_HANDLER',
      /must be a function/,
    ],
    [
      'no from',
      () => {
        add(Order, undefined);
      },
      'INVALID_OPTION',
      /from: got nothing; accepted: a whole number from 1 to 3/,
    ],
    [
      'from the class version',
      () => {
        add(Order, 4);
      },
      'INVALID_OPTION',
      /from: got 4/,
    ],
    [
      'from 0',
      () => {
        add(Order, 0);
      },
      'INVALID_OPTION',
      /from: got 0/,
    ],
    [
      'from half a version',
      () => {
        add(Order, 1.5);
      },
      'INVALID_OPTION',
      /from: got 1.5/,
    ],
    [
      'backwards',
      () => {
        add(Order, 3, 3);
      },
      'INVALID_OPTION',
      /to: got 3; accepted: a whole number from 4 to 4/,
    ],
    [
      'over the class version',
      () => {
        add(Order, 3, 5);
      },
      'INVALID_OPTION',
      /to: got 5/,
    ],
  ] as const)('%s', (_, attempt, code, message) => {
    expect(attempt).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) as unknown }));
  });

  it('for a class of version 1: nothing is older', () => {
    @EventType('first')
    class First {}
    expect(() => {
      new Upcasters().add(First, 1, undefined, step('x'));
    }).toThrow('First has version 1, and nothing is older');
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Deque } from './deque.js';

describe('Deque', () => {
  it('gives back in order, and nothing when empty', () => {
    const deque = new Deque<number>();
    expect([deque.length, deque.peek(), deque.shift(), deque.length]).toEqual([0, undefined, undefined, 0]);
    deque.push(1);
    deque.push(2);
    deque.unshift(0);
    expect([deque.peek(), deque.length, [...deque]]).toEqual([0, 3, [0, 1, 2]]);
    expect([deque.shift(), deque.shift(), deque.shift(), deque.shift()]).toEqual([0, 1, 2, undefined]);
  });

  it('does what an array does, whatever is called', () => {
    const call = fc.oneof(fc.constant('shift' as const), fc.integer(), fc.record({ unshift: fc.integer() }));
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), (calls) => {
        const deque = new Deque<number>();
        const array: number[] = [];
        for (const each of calls) {
          if (each === 'shift') expect(deque.shift()).toBe(array.shift());
          else if (typeof each === 'number') {
            deque.push(each);
            array.push(each);
          } else {
            deque.unshift(each.unshift);
            array.unshift(each.unshift);
          }
          expect([deque.length, deque.peek()]).toEqual([array.length, array[0]]);
        }
        expect([...deque]).toEqual(array);
      }),
    );
  });

  it('stays right across the places where it gives memory back', () => {
    const deque = new Deque<number>();
    for (let number = 0; number < 20_000; number++) deque.push(number);
    for (let number = 0; number < 19_990; number++) expect(deque.shift()).toBe(number);
    deque.unshift(-1);
    expect([...deque]).toEqual([-1, ...Array.from({ length: 10 }, (_, index) => 19_990 + index)]);
  });
});

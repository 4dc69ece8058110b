import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DueQueue } from './due-queue.js';

describe('DueQueue', () => {
  it('gives nothing when empty, and nothing before its time', () => {
    const queue = new DueQueue<string>();
    expect([queue.length, queue.next, queue.take(Infinity)]).toEqual([0, undefined, undefined]);
    queue.add('a', 10);
    expect([queue.next, queue.take(9), queue.length]).toEqual([10, undefined, 1]);
    expect([queue.take(10), queue.length, queue.next]).toEqual(['a', 0, undefined]);
  });

  it('gives what is due in the order of time, of one moment in the order of adding, whatever is called', () => {
    const call = fc.oneof(fc.record({ due: fc.nat(20) }), fc.record({ now: fc.nat(20) }));
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), (calls) => {
        const queue = new DueQueue<number>();
        let rows: { due: number; item: number }[] = [];
        for (const [item, each] of calls.entries()) {
          if ('due' in each) {
            queue.add(item, each.due);
            rows = [...rows, { due: each.due, item }].sort((a, b) => a.due - b.due || a.item - b.item);
          } else {
            const first = rows[0];
            const isDue = first !== undefined && first.due <= each.now;
            expect(queue.take(each.now)).toBe(isDue ? first.item : undefined);
            if (isDue) rows = rows.slice(1);
          }
          expect([queue.length, queue.next]).toEqual([rows.length, rows[0]?.due]);
        }
      }),
    );
  });
});

import { describe, expect, it } from '@jest/globals';
import { EventEnvelope } from '../../core/envelope.js';
import { LetterShelf, type MemoryLetter } from './letter-shelf.js';

function filing(type: string, id: string): Omit<MemoryLetter, 'position'> {
  const origin = { source: 's', sourceInstance: 'i', time: 0, mode: 'broadcast' as const };
  const row = { reason: 'rejected' as const, handler: 'h', group: 'g', attempts: 1, error: 'no', stack: undefined };
  return { ...row, type, at: 0, operation: undefined, event: new EventEnvelope({ type, id, ...origin }) };
}

const positions = (letters: readonly MemoryLetter[]): string[] => letters.map(({ position }) => position);

function shelfOf(count: number, capacity?: number): LetterShelf {
  const shelf = new LetterShelf(capacity);
  for (let number = 1; number <= count; number++) shelf.add(filing('a', String(number)));
  return shelf;
}

describe('LetterShelf', () => {
  it('reads the newest first, page by page; positions compare as numbers', () => {
    const shelf = shelfOf(12);
    expect(positions(shelf.read('a', undefined, 4))).toEqual(['12', '11', '10', '9']);
    expect(positions(shelf.read('a', '9', 4))).toEqual(['8', '7', '6', '5']);
    expect(positions(shelf.read('a', '3', 4))).toEqual(['2', '1']);
    expect(positions(shelf.read('a', '1', 4))).toEqual([]);
    expect(positions(shelf.read('b', undefined, 4))).toEqual([]);
  });

  it('keeps types apart, and forgets a type with its last letter', () => {
    const shelf = shelfOf(1);
    const { position } = shelf.add(filing('b', 'x'));
    expect([shelf.types(), shelf.count('a'), shelf.count('b'), shelf.count('c')]).toEqual([['a', 'b'], 1, 1, 0]);
    expect(shelf.take('a', position)).toBeUndefined();
    expect(shelf.take('b', position)?.event.id).toBe('x');
    expect(shelf.types()).toEqual(['a']);
  });

  it('gives a letter to one taker, wherever it lies', () => {
    const shelf = shelfOf(5);
    for (const position of ['3', '1', '5', '2', '4']) {
      expect(shelf.get('a', position)?.position).toBe(position);
      expect(shelf.take('a', position)?.event.id).toBe(position);
      expect(shelf.take('a', position)).toBeUndefined();
    }
    expect(shelf.types()).toEqual([]);
  });

  it.each(['', '0', '6', '03', '3.0', '3-0', 'x', 'NaN'])('has no letter at %j', (position) => {
    const shelf = shelfOf(5);
    expect([shelf.get('a', position), shelf.take('a', position), shelf.count('a')]).toEqual([undefined, undefined, 5]);
  });

  it('drops the oldest of a type beyond its capacity, and says which; others are not touched', () => {
    const shelf = shelfOf(3, 3);
    shelf.add(filing('b', 'other'));
    expect(shelf.add(filing('a', '4')).dropped?.event.id).toBe('1');
    expect(shelf.read('a', undefined, 9).map(({ event }) => event.id)).toEqual(['4', '3', '2']);
    expect(shelf.count('b')).toBe(1);
  });
});

import { describe, expect, it } from '@jest/globals';
import { CardBook, type CardEntry } from './card-book.js';

const entry = (seq: number, changes: Partial<CardEntry> = {}): CardEntry => ({
  file: 'a.js',
  lines: 1,
  seq,
  fencingToken: '1',
  sequence: `${String(seq)}-0`,
  ...changes,
});

describe('CardBook', () => {
  it('adds up', () => {
    const book = new CardBook();
    for (const each of [entry(1), entry(2), entry(3, { lines: -2 })]) book.add(each);
    expect(book).toMatchObject({ entries: 3, repeats: 0, stale: 0, disorder: 0, negative: 0, files: 1 });
    expect(book.linesOf('a.js')).toBe(0);
  });

  it('takes an entry once, also from another owner', () => {
    const book = new CardBook();
    book.add(entry(1));
    book.add(entry(1, { fencingToken: '2' }));
    expect(book).toMatchObject({ entries: 1, repeats: 1 });
    expect(book.linesOf('a.js')).toBe(1);
  });

  it('refuses an owner of before, however new its entry looks', () => {
    const book = new CardBook();
    book.add(entry(1, { fencingToken: '10' }));
    book.add(entry(2, { fencingToken: '9' }));
    expect(book).toMatchObject({ entries: 1, stale: 1 });
  });

  it('compares tokens and sequences as numbers', () => {
    const book = new CardBook();
    book.add(entry(1, { fencingToken: '9', sequence: '9-9' }));
    book.add(entry(2, { fencingToken: '10', sequence: '9-10' }));
    book.add(entry(3, { fencingToken: '10', sequence: '10-0' }));
    expect(book).toMatchObject({ entries: 3, stale: 0, repeats: 0 });
  });

  it('sees a change that came too late, and a file with less than no lines', () => {
    const book = new CardBook();
    book.add(entry(2, { sequence: '1-0', lines: -1 }));
    book.add(entry(1, { sequence: '2-0' }));
    expect(book).toMatchObject({ disorder: 1, negative: 1 });
  });
});

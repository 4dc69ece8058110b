import type { EventEnvelope } from '../../core/envelope.js';
import type { StoredLetter } from '../../ports/stores.js';

/** Letters that a type keeps; beyond them the oldest is dropped. */
const CAPACITY = 10_000;

/** In memory the event is always there. */
export interface MemoryLetter extends StoredLetter {
  readonly event: EventEnvelope;
}

/** The dead letters that the drivers of a broker share, by type. Positions are whole numbers as text. */
export class LetterShelf {
  private readonly byType = new Map<string, MemoryLetter[]>();
  private filed = 0;

  constructor(private readonly capacity = CAPACITY) {}

  /** Files a letter behind the others; `dropped` is the one that had to go for it. */
  add(filing: Omit<MemoryLetter, 'position'>): {
    readonly position: string;
    readonly dropped: MemoryLetter | undefined;
  } {
    const letter: MemoryLetter = { ...filing, position: String(++this.filed) };
    const letters = this.byType.get(letter.type);
    if (letters === undefined) this.byType.set(letter.type, [letter]);
    else letters.push(letter);
    const full = letters !== undefined && letters.length > this.capacity;
    return { position: letter.position, dropped: full ? letters.shift() : undefined };
  }

  /** Types that have some. */
  types(): string[] {
    return [...this.byType.keys()];
  }

  count(type: string): number {
    return this.of(type).length;
  }

  /** At most `count`, newest first, of those before a position. */
  read(type: string, before: string | undefined, count: number): MemoryLetter[] {
    const letters = this.of(type);
    const end = before === undefined ? letters.length : lowerBound(letters, Number(before));
    return letters.slice(Math.max(0, end - count), end).reverse();
  }

  get(type: string, position: string): MemoryLetter | undefined {
    const letters = this.of(type);
    const letter = letters[lowerBound(letters, Number(position))];
    return letter?.position === position ? letter : undefined;
  }

  /** Takes a letter out; undefined when it is gone. */
  take(type: string, position: string): MemoryLetter | undefined {
    const letter = this.get(type, position);
    const letters = this.byType.get(type);
    if (letter === undefined || letters === undefined) return undefined;
    if (letters.length === 1) this.byType.delete(type);
    else letters.splice(lowerBound(letters, Number(position)), 1);
    return letter;
  }

  private of(type: string): readonly MemoryLetter[] {
    return this.byType.get(type) ?? [];
  }
}

/** Index of the first letter that is not before a position. */
function lowerBound(letters: readonly MemoryLetter[], position: number): number {
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Number(letters[middle]?.position) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

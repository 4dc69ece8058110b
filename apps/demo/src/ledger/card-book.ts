/** What a card handler did: lines more or less in a file, and what the sink needs to tell stale and repeated work. */
export interface CardEntry {
  readonly file: string;
  readonly lines: number;
  /** The number of the change in the history. */
  readonly seq: number;
  readonly fencingToken: string;
  readonly sequence: string;
}

interface Page {
  lines: number;
  token: bigint;
  sequence: string;
  seq: number;
}

/**
 * A fenced sink: takes an entry unless a later owner of its card has written before (the token), or the entry has been taken
 * (the sequence). Counts what could not be if each card is in order.
 */
export class CardBook {
  /** Entries taken. */
  entries = 0;
  /** Entries that were there already: delivery is at least once. */
  repeats = 0;
  /** Entries of an owner that went on after its lease. */
  stale = 0;
  /** Entries that came after a later one of their file. */
  disorder = 0;
  /** Times that a file had less than no lines. */
  negative = 0;
  private readonly pages = new Map<string, Page>();

  add({ file, lines, seq, fencingToken, sequence }: CardEntry): void {
    const token = BigInt(fencingToken);
    const page = this.pages.get(file);
    if (page === undefined) {
      this.pages.set(file, { lines, token, sequence, seq });
      this.entries += 1;
      if (lines < 0) this.negative += 1;
      return;
    }
    if (token < page.token) {
      this.stale += 1;
      return;
    }
    page.token = token;
    if (!isAfter(sequence, page.sequence)) {
      this.repeats += 1;
      return;
    }
    this.entries += 1;
    if (seq <= page.seq) this.disorder += 1;
    page.lines += lines;
    if (page.lines < 0) this.negative += 1;
    page.sequence = sequence;
    page.seq = seq;
  }

  get files(): number {
    return this.pages.size;
  }

  linesOf(file: string): number | undefined {
    return this.pages.get(file)?.lines;
  }
}

/** Sequences are `<milliseconds>-<number>`. */
function isAfter(one: string, other: string): boolean {
  const [ms = 0, number = 0] = one.split('-').map(Number);
  const [otherMs = 0, otherNumber = 0] = other.split('-').map(Number);
  return ms === otherMs ? number > otherNumber : ms > otherMs;
}

interface Row<T> {
  readonly due: number;
  /** Order of adding, for those that are due together. */
  readonly turn: number;
  readonly item: T;
}

/** A queue by time: what is due first comes out first, of one moment what was added first. */
export class DueQueue<T> {
  /** A binary heap. */
  private readonly rows: Row<T>[] = [];
  private turns = 0;

  get length(): number {
    return this.rows.length;
  }

  /** When the first is due; undefined when there is none. */
  get next(): number | undefined {
    return this.rows[0]?.due;
  }

  add(item: T, due: number): void {
    const { rows } = this;
    const row = { due, turn: this.turns++, item };
    let index = rows.push(row) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = rows[parent];
      if (above === undefined || isBefore(above, row)) break;
      rows[index] = above;
      index = parent;
    }
    rows[index] = row;
  }

  /** Takes out the first if it is due at `now`. */
  take(now: number): T | undefined {
    const { rows } = this;
    const first = rows[0];
    if (first === undefined || first.due > now) return undefined;
    const last = rows.pop();
    if (last !== undefined && last !== first) this.sink(last);
    return first.item;
  }

  private sink(row: Row<T>): void {
    const { rows } = this;
    let index = 0;
    for (;;) {
      const [left, right] = [rows[index * 2 + 1], rows[index * 2 + 2]];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const below = isRight ? right : left;
      if (below === undefined || isBefore(row, below)) break;
      rows[index] = below;
      index = index * 2 + (isRight ? 2 : 1);
    }
    rows[index] = row;
  }
}

function isBefore<T>(a: Row<T>, b: Row<T>): boolean {
  return a.due < b.due || (a.due === b.due && a.turn < b.turn);
}

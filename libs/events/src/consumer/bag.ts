/** Something that can be in one bag. */
export interface BagItem {
  /** Its place in the bag; -1 outside. The bag's business. */
  place: number;
}

/** A set without order, for what comes and goes with every event: adding and removing cost no hashing. */
export class Bag<T extends BagItem> implements Iterable<T> {
  private readonly items: T[] = [];

  add(item: T): void {
    item.place = this.items.length;
    this.items.push(item);
  }

  delete(item: T): void {
    if (item.place < 0) return;
    const last = this.items.pop();
    if (last !== undefined && last !== item) {
      this.items[item.place] = last;
      last.place = item.place;
    }
    item.place = -1;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.items[Symbol.iterator]();
  }
}

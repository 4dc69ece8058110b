/** Counts what a handler got, and checks that it was every event once. */
export class Tally {
  private next = 0;
  private expected = 0;
  private handled = 0;
  private sum = 0;
  private expectedSum = 0;
  private done: () => void = () => undefined;

  /** Announces the next `count` events; `first` is the number of the first one. `all` resolves when each was handled. */
  expect(count: number): { first: number; all: Promise<void> } {
    const first = this.next;
    this.next += count;
    this.expected = count;
    this.handled = 0;
    this.sum = 0;
    this.expectedSum = count * first + (count * (count - 1)) / 2;
    const all = new Promise<void>((resolve) => {
      this.done = resolve;
    });
    return { first, all };
  }

  count(i: number): void {
    this.sum += i;
    if (++this.handled === this.expected) this.done();
  }

  get missing(): number {
    return this.expected - this.handled;
  }

  /** @throws Error unless every event was handled exactly once */
  check(): void {
    if (this.handled === this.expected && this.sum === this.expectedSum) return;
    throw new Error(
      `${this.handled} events handled with the sum ${this.sum}; wanted: ${this.expected}, ${this.expectedSum}`,
    );
  }
}

/** An event that a subscriber has handled. */
export interface Handled {
  /** The handler's group, or its name. */
  readonly subscriber: string;
  readonly id: string;
  /** Absent for an event that was published by hand. */
  readonly seq?: number;
}

/** What one subscriber has handled, told apart by event id. */
export class Account {
  /** Deliveries of an event that had been handled before. */
  repeats = 0;
  /** Events of the history. */
  history = 0;
  /** Their numbers. */
  readonly seqs = new Set<number>();
  private readonly ids = new Set<string>();

  has(id: string): boolean {
    return this.ids.has(id);
  }

  add({ id, seq }: Handled): void {
    if (this.ids.has(id)) {
      this.repeats += 1;
      return;
    }
    this.ids.add(id);
    if (seq === undefined) return;
    this.history += 1;
    this.seqs.add(seq);
  }

  /** Events, each counted once. */
  get events(): number {
    return this.ids.size;
  }

  /** Every change of a history of this length, each as one event, and none handled twice. */
  isExactly(changes: number): boolean {
    return this.repeats === 0 && this.history === changes && this.seqs.size === changes;
  }
}

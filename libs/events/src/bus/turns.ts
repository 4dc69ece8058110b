/** Lets work of one key begin in the order of the calls where some of it takes a while before it begins. */
export class Turns {
  /** The last that others have to wait for, by key. It never rejects. */
  private readonly last = new Map<string, Promise<unknown>>();

  /** Nothing has to wait for anything. */
  get empty(): boolean {
    return this.last.size === 0;
  }

  /** Runs when it is its turn; those of the key that come later wait until it has ended. */
  take<T>(key: string, run: () => T | Promise<T>): Promise<T> {
    const work = Promise.resolve(this.last.get(key)).then(run);
    const ended = work.then(
      () => undefined,
      () => undefined,
    );
    this.last.set(key, ended);
    void ended.then(() => {
      if (this.last.get(key) === ended) this.last.delete(key);
    });
    return work;
  }

  /** Runs when it is its turn, at once where that is now. Those that come later need not wait for its end. */
  after<T>(key: string, run: () => T | Promise<T>): T | Promise<T> {
    const before = this.last.get(key);
    return before === undefined ? run() : before.then(run);
  }
}

interface Waiter {
  readonly reached: () => boolean;
  readonly resolve: () => void;
}

/** Something that can be waited for without looking at the clock: whoever changes the state says so. */
export class Condition {
  private readonly waiters = new Set<Waiter>();

  changed(): void {
    for (const waiter of this.waiters) if (waiter.reached()) waiter.resolve();
  }

  /** Resolves as soon as `reached` holds; rejects with the signal's reason when that aborts before. */
  async until(reached: () => boolean, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (reached()) return;
    let onAbort = (): void => {};
    let waiter: Waiter | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.waiters.add((waiter = { reached, resolve }));
        onAbort = () => {
          reject(signal?.reason as Error);
        };
        signal?.addEventListener('abort', onAbort);
      });
    } finally {
      if (waiter) this.waiters.delete(waiter);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

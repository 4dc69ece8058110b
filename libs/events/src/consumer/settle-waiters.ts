/** The failures of this process's ungrouped handlers on one event. */
export type Failures = { handler: string; error: unknown }[];

/** A publisher with `settle` that waits for its event. */
export class SettleWaiter<Origin = unknown> {
  /** Deliveries that have come and not ended. */
  private running = 0;
  private readonly failures: Failures = [];

  constructor(
    readonly type: string,
    /** Where deliveries of the event will still come from. */
    private readonly awaited: Set<Origin>,
    private readonly ended: (failures: Failures) => void,
  ) {}

  /** A delivery came; false when it is not this waiter's. */
  claim(origin: Origin): boolean {
    if (!this.awaited.delete(origin)) return false;
    this.running++;
    return true;
  }

  /** A delivery that was claimed has had its first attempt. */
  settled(failures: Failures | undefined): void {
    this.running--;
    if (failures !== undefined) this.failures.push(...failures);
    this.check();
  }

  /** Only these will still deliver. */
  keep(origins: ReadonlySet<Origin>): void {
    for (const origin of this.awaited) if (!origins.has(origin)) this.awaited.delete(origin);
    this.check();
  }

  private check(): void {
    if (this.awaited.size === 0 && this.running === 0) this.ended(this.failures);
  }
}

/** Those who published with `settle` and wait for this process's ungrouped handlers. */
export class SettleWaiters<Origin = unknown> {
  private readonly waiting = new Map<string, SettleWaiter<Origin>[]>();

  get empty(): boolean {
    return this.waiting.size === 0;
  }

  /** Begins to wait for a delivery from each origin. Call it before the event is published. */
  expect(id: string, type: string, origins: Iterable<Origin>): Promise<Failures> {
    const awaited = new Set(origins);
    if (awaited.size === 0) return Promise.resolve([]);
    const key = keyOf(type, id);
    return new Promise((resolve) => {
      const waiter: SettleWaiter<Origin> = new SettleWaiter<Origin>(type, awaited, (failures) => {
        const left = (this.waiting.get(key) ?? []).filter((each) => each !== waiter);
        if (left.length === 0) this.waiting.delete(key);
        else this.waiting.set(key, left);
        resolve(failures);
      });
      this.waiting.set(key, [...(this.waiting.get(key) ?? []), waiter]);
    });
  }

  /** A delivery came: whose it is. Of two events with one id, that published first comes first. */
  claim(id: string, type: string, origin: Origin): SettleWaiter<Origin> | undefined {
    return this.waiting.get(keyOf(type, id))?.find((waiter) => waiter.claim(origin));
  }

  /** The event was not stored: nothing will come. */
  forget(id: string, type: string): void {
    this.waiting.get(keyOf(type, id))?.at(-1)?.keep(new Set());
  }

  /** Who listens has changed: nobody waits for deliveries that will not come. */
  recheck(origins: (type: string) => Iterable<Origin>): void {
    for (const waiters of [...this.waiting.values()]) {
      for (const waiter of waiters) waiter.keep(new Set(origins(waiter.type)));
    }
  }

  forgetAll(): void {
    this.recheck(() => []);
  }
}

function keyOf(type: string, id: string): string {
  return `${type} ${id}`;
}

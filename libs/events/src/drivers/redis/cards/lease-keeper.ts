import type { Clock, Timer } from '../../../core/clock.js';

/** A lease that is kept while its holder works. */
export interface Leased {
  /** When the call began that granted or renewed it, ms. */
  readonly since: number;
  /** It may be somebody else's from now on. */
  lose(reason: string): void;
}

/** Renewed when this part of the lease is over, and given up this part before its end: clocks and calls take time. */
const RENEW_AFTER = 1 / 3;
export const MARGIN = 1 / 10;
/** Looks at all leases so often in one. */
const LOOKS = 10;

/** Renews leases that are getting old, and tells holders whose lease could not be renewed in time. One timer for all. */
export class LeaseKeeper<Held extends Leased> {
  private readonly leases = new Set<Held>();
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly lease: number,
    private readonly renew: (leases: readonly Held[]) => void,
  ) {}

  add(held: Held): void {
    this.leases.add(held);
    this.timer ??= this.arm();
  }

  delete(held: Held): void {
    this.leases.delete(held);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.leases.clear();
  }

  private arm(): Timer {
    return this.clock.after(this.lease / LOOKS, () => {
      this.look();
      this.timer = this.leases.size > 0 ? this.arm() : undefined;
    });
  }

  private look(): void {
    const now = this.clock.now();
    const old: Held[] = [];
    for (const held of this.leases) {
      const age = now - held.since;
      if (age >= this.lease * (1 - MARGIN)) {
        this.leases.delete(held);
        held.lose(`its lease of ${String(this.lease)} ms was not renewed in time`);
      } else if (age >= this.lease * RENEW_AFTER) old.push(held);
    }
    if (old.length > 0) this.renew(old);
  }
}

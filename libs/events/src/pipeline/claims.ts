import type { Clock, Timer } from '../core/clock.js';
import type { Claim, IdempotencyStore } from '../ports/stores.js';

/** Renewals in the time that a claim lasts. */
const BEATS_A_LEASE = 3;

const BUSY: Claim = Object.freeze({ state: 'busy' });

export interface ClaimsOptions {
  readonly store: IdempotencyStore;
  /** This process on this bus, in this life: a process that takes its name later is somebody else. */
  readonly owner: string;
  /** How long a claim outlives its process, ms. */
  readonly lease: number;
  readonly clock: Clock;
}

/** What the idempotent handlers of one bus are at in this process. One heartbeat renews it all, while there is any. */
export class Claims {
  private readonly live = new Set<string>();
  private timer: Timer | undefined;

  constructor(private readonly options: ClaimsOptions) {}

  /** To the store all runs of this process are one owner's: who of them has a key is known here. */
  async claim(key: string): Promise<Claim> {
    if (this.live.has(key)) return BUSY;
    const { store, owner, lease } = this.options;
    this.live.add(key);
    this.arm();
    try {
      const claim = await store.claim(key, owner, lease);
      if (claim.state !== 'claimed') this.drop(key);
      return claim;
    } catch (error) {
      this.drop(key);
      throw error;
    }
  }

  /** Done, for `ttl` ms. Rejects where the store refuses to keep it, or is closed. */
  async commit(key: string, outcome: string | undefined, ttl: number): Promise<void> {
    const { store, owner } = this.options;
    try {
      await store.commit(key, owner, outcome, ttl);
    } finally {
      this.drop(key);
    }
  }

  /** Not done. Where the store cannot be told, the claim runs out by itself. */
  async abort(key: string): Promise<void> {
    const { store, owner } = this.options;
    await store.abort(key, owner).catch(() => undefined);
    this.drop(key);
  }

  private drop(key: string): void {
    this.live.delete(key);
    if (this.live.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private arm(): void {
    const { store, owner, lease, clock } = this.options;
    this.timer ??= clock.after(lease / BEATS_A_LEASE, () => {
      this.timer = undefined;
      this.arm();
      // What is lost is lost, and what could not be renewed now may be at the next beat.
      store.renew([...this.live], owner, lease).catch(() => undefined);
    });
  }
}

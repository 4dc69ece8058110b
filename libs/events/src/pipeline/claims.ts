import type { Clock, Timer } from '../core/clock.js';
import type { Claim, IdempotencyStore } from '../ports/stores.js';
import { isPromise } from './compose.js';

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

/** What the idempotent handlers of one bus are at in this process. One heartbeat renews it all. */
export class Claims {
  private readonly live = new Set<string>();
  private timer: Timer | undefined;

  constructor(private readonly options: ClaimsOptions) {}

  /** To the store all runs of this process are one owner's: who of them has a key is known here. */
  claim(key: string): Claim | Promise<Claim> {
    if (this.live.has(key)) return BUSY;
    const { store, owner, lease } = this.options;
    this.live.add(key);
    this.arm();
    const claim = store.claim(key, owner, lease);
    if (!isPromise(claim)) return this.claimed(key, claim);
    return claim.then(
      (made) => this.claimed(key, made),
      (error: unknown) => {
        this.live.delete(key);
        throw error;
      },
    );
  }

  /** Done, for `ttl` ms. Rejects where the store refuses to keep it, or is closed. */
  commit(key: string, outcome: string | undefined, ttl: number): void | Promise<void> {
    const { store, owner } = this.options;
    return this.end(key, store.commit(key, owner, outcome, ttl));
  }

  /** Not done. Where the store cannot be told, the claim runs out by itself. */
  abort(key: string): void | Promise<void> {
    const { store, owner } = this.options;
    const aborted = store.abort(key, owner);
    return this.end(key, isPromise(aborted) ? aborted.catch(() => undefined) : undefined);
  }

  private claimed(key: string, claim: Claim): Claim {
    if (claim.state !== 'claimed') this.live.delete(key);
    return claim;
  }

  private end(key: string, told: void | Promise<void>): void | Promise<void> {
    if (isPromise(told)) return told.finally(() => this.live.delete(key));
    this.live.delete(key);
  }

  /** The heartbeat ends when it finds nothing: to begin and end one for each run would cost more than the claim. */
  private arm(): void {
    const { store, owner, lease, clock } = this.options;
    this.timer ??= clock.after(lease / BEATS_A_LEASE, () => {
      this.timer = undefined;
      if (this.live.size === 0) return;
      this.arm();
      const renewed = store.renew([...this.live], owner, lease);
      // What is lost is lost, and what could not be renewed now may be at the next beat.
      if (isPromise(renewed)) renewed.catch(() => undefined);
    });
  }
}

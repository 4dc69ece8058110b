import type { Claim } from '../../ports/stores.js';

/** Keys that are remembered; beyond them the oldest outcomes are forgotten. */
const CAPACITY = 100_000;
/** Entries that have run out and are removed in passing, at most, by one call. */
const SWEEP = 2;

interface Held {
  readonly owner: string;
  readonly until: number;
}

interface Outcome {
  readonly value: string | undefined;
  readonly until: number;
}

const CLAIMED: Claim = Object.freeze({ state: 'claimed' });
const BUSY: Claim = Object.freeze({ state: 'busy' });

/**
 * Claims and outcomes by key, for all drivers of a broker. Every call costs the same, however many keys there are; what
 * has run out counts no more, and goes in passing. Times are milliseconds.
 */
export class IdempotencyTable {
  private readonly claims = new Map<string, Held>();
  private readonly outcomes = new Map<string, Outcome>();

  constructor(private readonly capacity = CAPACITY) {}

  get size(): number {
    return this.claims.size + this.outcomes.size;
  }

  claim(key: string, owner: string, lease: number, now: number): Claim {
    const outcome = live(this.outcomes, key, now);
    if (outcome !== undefined) return { state: 'done', outcome: outcome.value };
    const held = live(this.claims, key, now);
    if (held !== undefined && held.owner !== owner) return BUSY;
    this.hold(key, owner, now + lease);
    this.sweep(now);
    return CLAIMED;
  }

  /** Only what the owner still holds. */
  renew(keys: readonly string[], owner: string, lease: number, now: number): void {
    for (const key of keys) if (live(this.claims, key, now)?.owner === owner) this.hold(key, owner, now + lease);
  }

  /** Nothing where somebody else holds the key, or has been done with it. */
  commit(key: string, owner: string, value: string | undefined, ttl: number, now: number): void {
    const held = live(this.claims, key, now);
    if ((held !== undefined && held.owner !== owner) || live(this.outcomes, key, now) !== undefined) return;
    this.claims.delete(key);
    this.outcomes.delete(key);
    this.outcomes.set(key, { value, until: now + ttl });
    this.sweep(now);
  }

  abort(key: string, owner: string): void {
    if (this.claims.get(key)?.owner === owner) this.claims.delete(key);
  }

  /** At the end of the map: the one that was claimed or renewed longest ago is the first. */
  private hold(key: string, owner: string, until: number): void {
    this.claims.delete(key);
    this.claims.set(key, { owner, until });
  }

  private sweep(now: number): void {
    dropExpired(this.claims, now);
    dropExpired(this.outcomes, now);
    if (this.size <= this.capacity) return;
    const [oldest] = this.outcomes.keys();
    if (oldest !== undefined) this.outcomes.delete(oldest);
  }
}

function live<T extends { readonly until: number }>(rows: Map<string, T>, key: string, now: number): T | undefined {
  const row = rows.get(key);
  return row !== undefined && row.until > now ? row : undefined;
}

function dropExpired(rows: Map<string, { readonly until: number }>, now: number): void {
  let left = SWEEP;
  for (const [key, { until }] of rows) {
    if (until > now || left-- === 0) return;
    rows.delete(key);
  }
}

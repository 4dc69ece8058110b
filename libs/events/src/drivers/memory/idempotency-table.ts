import { Chain, Link } from '../../core/chain.js';
import type { Claim } from '../../ports/stores.js';

/** Keys that are remembered; beyond them the oldest outcomes are forgotten. */
const CAPACITY = 100_000;
/** Entries that have run out and are removed in passing, at most, by one call: of claims, and of outcomes. */
const SWEEP = 2;

const CLAIMED: Claim = Object.freeze({ state: 'claimed' });
const BUSY: Claim = Object.freeze({ state: 'busy' });

/** What is known of a key: who has claimed it or, without an owner, how it ended. */
class Row extends Link {
  owner: string | undefined = undefined;
  outcome: string | undefined = undefined;
  until = 0;

  constructor(readonly key: string) {
    super();
  }
}

/**
 * Claims and outcomes by key, for all drivers of a broker. Every call costs the same, however many keys there are; what
 * has run out counts no more, and goes in passing. Times are milliseconds.
 */
export class IdempotencyTable {
  private readonly rows = new Map<string, Row>();
  /** In the order in which they were claimed or renewed, and done. */
  private readonly claims = new Chain<Row>();
  private readonly outcomes = new Chain<Row>();

  constructor(private readonly capacity = CAPACITY) {}

  get size(): number {
    return this.rows.size;
  }

  claim(key: string, owner: string, lease: number, now: number): Claim {
    const row = this.rows.get(key);
    if (row !== undefined && row.until > now) {
      if (row.owner === undefined) return { state: 'done', outcome: row.outcome };
      if (row.owner !== owner) return BUSY;
    }
    this.hold(row ?? this.add(key), owner, now + lease);
    this.sweep(now);
    return CLAIMED;
  }

  /** Only what the owner still holds. */
  renew(keys: readonly string[], owner: string, lease: number, now: number): void {
    for (const key of keys) {
      const row = this.rows.get(key);
      if (row?.owner === owner && row.until > now) this.hold(row, owner, now + lease);
    }
  }

  /** Nothing where somebody else holds the key, or has been done with it. */
  commit(key: string, owner: string, outcome: string | undefined, ttl: number, now: number): void {
    const known = this.rows.get(key);
    if (known !== undefined && known.until > now && known.owner !== owner) return;
    const row = known ?? this.add(key);
    row.owner = undefined;
    row.outcome = outcome;
    row.until = now + ttl;
    row.leave();
    this.outcomes.add(row);
    this.sweep(now);
  }

  abort(key: string, owner: string): void {
    const row = this.rows.get(key);
    if (row?.owner === owner) this.remove(row);
  }

  private add(key: string): Row {
    const row = new Row(key);
    this.rows.set(key, row);
    return row;
  }

  private hold(row: Row, owner: string, until: number): void {
    row.owner = owner;
    row.outcome = undefined;
    row.until = until;
    row.leave();
    this.claims.add(row);
  }

  private remove(row: Row): void {
    row.leave();
    this.rows.delete(row.key);
  }

  private sweep(now: number): void {
    this.dropExpired(this.claims, now);
    this.dropExpired(this.outcomes, now);
    const oldest = this.size > this.capacity ? this.outcomes.first : undefined;
    if (oldest !== undefined) this.remove(oldest);
  }

  private dropExpired(rows: Chain<Row>, now: number): void {
    for (let left = SWEEP; left > 0; left--) {
      const { first } = rows;
      if (first === undefined || first.until > now) return;
      this.remove(first);
    }
  }
}

import type { Claim, IdempotencyStore } from '../../ports/stores.js';
import { GRACE } from './connection.js';
import type { RedisHost } from './redis-host.js';

const CLAIMED: Claim = Object.freeze({ state: 'claimed' });
const BUSY: Claim = Object.freeze({ state: 'busy' });
/** A stored outcome: this alone for none, else followed by a colon and the outcome. */
const DONE = 'd';

type Host = Pick<RedisHost, 'connection' | 'keys'>;

/**
 * What idempotent handlers have done, one key each. A lost connection is waited for where the answer matters, as long as
 * it takes: every step may run twice.
 */
export class RedisIdempotency implements IdempotencyStore {
  /** @param open what the driver is made of; throws BusClosedError unless it is open */
  constructor(private readonly open: () => Host) {}

  async claim(key: string, owner: string, lease: number): Promise<Claim> {
    const { connection, keys } = this.open();
    const held = String(await connection.persistScript('idemClaim', [keys.idempotency(key), owner, whole(lease)]));
    if (held === 'c') return CLAIMED;
    if (held === 'b') return BUSY;
    return { state: 'done', outcome: held === DONE ? undefined : held.slice(DONE.length + 1) };
  }

  /** Not repeated: the next heartbeat is. */
  async renew(claims: readonly string[], owner: string, lease: number): Promise<void> {
    const { connection, keys } = this.open();
    const renewed = claims.map((key) => connection.script('idemRenew', [keys.idempotency(key), owner, whole(lease)]));
    await Promise.all(renewed);
  }

  async commit(key: string, owner: string, outcome: string | undefined, ttl: number): Promise<void> {
    const { connection, keys } = this.open();
    const done = outcome === undefined ? DONE : `${DONE}:${outcome}`;
    await connection.persistScript('idemCommit', [keys.idempotency(key), owner, done, whole(ttl)]);
  }

  /** In an outage only tried for a moment: the claim runs out by itself. */
  async abort(key: string, owner: string): Promise<void> {
    const { connection, keys } = this.open();
    await connection.persistScript('idemAbort', [keys.idempotency(key), owner], GRACE);
  }
}

/** Milliseconds as the server takes them. */
function whole(ms: number): number {
  return Math.max(1, Math.ceil(ms));
}

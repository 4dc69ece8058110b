import type { Clock } from '../../core/clock.js';
import type { Claim, IdempotencyStore } from '../../ports/stores.js';
import type { MemoryBroker } from './memory-broker.js';

/** The driver, as its view of the claims knows it. */
export interface IdempotencyHost {
  readonly broker: MemoryBroker;
  readonly clock: Clock;
  /** @throws (rejects) BusClosedError unless the driver is open */
  whenOpen<T>(run: () => T): Promise<T>;
}

/** What idempotent handlers on a memory broker have done, through one of its drivers. */
export class MemoryIdempotency implements IdempotencyStore {
  constructor(private readonly host: IdempotencyHost) {}

  claim(key: string, owner: string, lease: number): Promise<Claim> {
    return this.host.whenOpen(() => this.host.broker.idempotency.claim(key, owner, lease, this.host.clock.now()));
  }

  renew(keys: readonly string[], owner: string, lease: number): Promise<void> {
    return this.host.whenOpen(() => {
      this.host.broker.idempotency.renew(keys, owner, lease, this.host.clock.now());
    });
  }

  commit(key: string, owner: string, outcome: string | undefined, ttl: number): Promise<void> {
    return this.host.whenOpen(() => {
      this.host.broker.idempotency.commit(key, owner, outcome, ttl, this.host.clock.now());
    });
  }

  abort(key: string, owner: string): Promise<void> {
    return this.host.whenOpen(() => {
      this.host.broker.idempotency.abort(key, owner);
    });
  }
}

import type { Clock } from '../../core/clock.js';
import { BusClosedError } from '../../core/errors.js';
import type { Claim, IdempotencyStore } from '../../ports/stores.js';
import type { MemoryBroker } from './memory-broker.js';

/** The driver, as its view of the claims knows it. */
export interface IdempotencyHost {
  readonly broker: MemoryBroker;
  readonly clock: Clock;
  readonly bus: string;
  readonly isOpen: boolean;
}

/** What idempotent handlers on a memory broker have done, through one of its drivers. */
export class MemoryIdempotency implements IdempotencyStore {
  constructor(private readonly host: IdempotencyHost) {}

  claim(key: string, owner: string, lease: number): Claim | Promise<Claim> {
    const { broker, clock, isOpen } = this.host;
    return isOpen ? broker.idempotency.claim(key, owner, lease, clock.now()) : this.refuse();
  }

  renew(keys: readonly string[], owner: string, lease: number): void | Promise<void> {
    const { broker, clock, isOpen } = this.host;
    if (!isOpen) return this.refuse();
    broker.idempotency.renew(keys, owner, lease, clock.now());
  }

  commit(key: string, owner: string, outcome: string | undefined, ttl: number): void | Promise<void> {
    const { broker, clock, isOpen } = this.host;
    if (!isOpen) return this.refuse();
    broker.idempotency.commit(key, owner, outcome, ttl, clock.now());
  }

  abort(key: string, owner: string): void | Promise<void> {
    const { broker, isOpen } = this.host;
    if (!isOpen) return this.refuse();
    broker.idempotency.abort(key, owner);
  }

  private refuse(): Promise<never> {
    return Promise.reject(new BusClosedError(this.host.bus));
  }
}

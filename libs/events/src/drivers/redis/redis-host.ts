import type { Clock } from '../../core/clock.js';
import type { DriverWarning } from '../../ports/driver.js';
import type { Connection } from './connection.js';
import type { Keys } from './keys.js';
import type { Membership } from './membership.js';
import type { ServerClock } from './server-clock.js';
import type { TypeRegistry } from './type-registry.js';

/** What the parts of the Redis driver share. */
export interface RedisHost {
  readonly bus: string;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly keys: Keys;
  readonly connection: Connection;
  readonly types: TypeRegistry;
  readonly membership: Membership;
  readonly serverClock: ServerClock;
  readonly limits: RedisLimits;
  /** Server time at which the driver opened, ms. */
  readonly openedAt: number;
  /** Tells the others what this process listens to now. */
  announce(): Promise<void>;
  /** Gives up the wake-up channels of types that no source reads any more. */
  forgetChannels(types: readonly string[]): Promise<void>;
  /** A source has ended. */
  detach(source: object): void;
  readonly readFailed: (what: string, error: unknown) => void;
  readonly warn: (warning: DriverWarning) => void;
}

export interface RedisLimits {
  readonly maxLength: number;
  readonly overflow: string;
  /** ms */
  readonly retention: number;
  /** ms */
  readonly streamTtl: number;
  /** ms */
  readonly reclaimAfter: number;
}

import type {
  BusOptions,
  Clock,
  DeadLetterRow,
  Delivery,
  DriverWarning,
  EventDriver,
  ResolvedBusOptions,
  RetryRow,
  Sink,
  Source,
  SourceSpec,
} from 'nestjs-cardinal';
import { waitFor } from 'nestjs-cardinal/testing';

/** Drivers of the Redis backend without a consumer: a test settles what they hand over. */

/** By a path that no tool follows, because tests otherwise use the package by its name. */
const SRC = '../../libs/events/src';
type Resolve = (name: string, options: BusOptions, context: { service: string }) => ResolvedBusOptions;
interface RedisDriver extends EventDriver {
  crash(): void;
}

const open: Member[] = [];
let instances = 0;

/** Closes every member. */
export async function closeMembers(): Promise<void> {
  await Promise.all(open.splice(0).map((each) => each.driver.close()));
}

/** A driver with one source, and what that has handed over. */
export class Member {
  readonly got: Delivery[] = [];
  readonly revoked: Delivery[] = [];
  readonly warnings: DriverWarning[] = [];
  room = 100;
  source!: Source;

  constructor(readonly driver: RedisDriver) {}

  /** The next delivery. */
  async next(what = 'a delivery'): Promise<Delivery> {
    return waitFor(() => this.got.shift(), { what, timeout: 10_000 });
  }

  async ack(delivery: Delivery, retries?: RetryRow[], deadLetters?: DeadLetterRow[]): Promise<void> {
    await this.source.settle(delivery, { kind: 'ack', retries, deadLetters });
  }

  async fail(delivery: Delivery, reason = 'boom'): Promise<void> {
    const { handler = 'h', attempt: attempts } = delivery;
    await this.ack(delivery, undefined, [
      { handler, reason: 'handler-failed', error: reason, stack: 'at x', attempts },
    ]);
  }
}

/** Opens a driver and a source that listens to `pattern`. */
export async function openMember(
  url: string,
  spec: SourceSpec,
  options: BusOptions = {},
  pattern = 'a.b',
): Promise<Member> {
  const { createRedisDriver } = (await import(`${SRC}/drivers/redis/create-redis-driver.js`)) as {
    createRedisDriver(resolved: ResolvedBusOptions): Promise<RedisDriver>;
  };
  const { resolveBusOptions } = (await import(`${SRC}/config/resolve.js`)) as { resolveBusOptions: Resolve };
  const { systemClock } = (await import(`${SRC}/core/clock.js`)) as { systemClock: Clock };
  const resolved = resolveBusOptions('default', { url, ...options }, { service: 'test' });
  const self = new Member(await createRedisDriver(resolved));
  open.push(self);
  const logger = { log: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
  const warn = (warning: DriverWarning): void => void self.warnings.push(warning);
  const instanceId = `i-${String(instances++)}`;
  await self.driver.open({ bus: 'default', service: 'test', instanceId, clock: systemClock, logger, warn });
  const sink: Sink = {
    room: () => self.room,
    deliver: (delivery) => void self.got.push(delivery),
    revoke: (delivery) => void self.revoked.push(delivery),
  };
  self.source = await self.driver.attach(spec, sink);
  if (spec.kind !== 'inbox') await self.source.listen(pattern, 'open');
  return self;
}

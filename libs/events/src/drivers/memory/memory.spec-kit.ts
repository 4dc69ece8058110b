import type { Clock } from '../../core/clock.js';
import type { DeadLetterRow, Delivery, RetryRow } from '../../core/delivery.js';
import { EventEnvelope, type EnvelopeInit } from '../../core/envelope.js';
import type { DriverWarning, Sink, Source, SourceSpec } from '../../ports/driver.js';
import type { ResolvedCardOptions } from '../../ports/options.js';
import { MemoryBroker } from './memory-broker.js';
import { MemoryDriver } from './memory-driver.js';

export const BILLING: SourceSpec = { kind: 'group', group: 'billing' };
export const RETENTION = 5_000;
export const CARDS: ResolvedCardOptions = {
  lease: 10_000,
  quantum: 32,
  idleAfter: 600_000,
  sweep: 30_000,
  scan: 300_000,
  streamPrefix: 'event_stream:',
  encoding: 'cloudevents',
  stuckAfter: 60_000,
};
export const FAILED: DeadLetterRow = {
  handler: 'charge',
  reason: 'handler-failed',
  error: 'boom',
  stack: 'at x',
  attempts: 3,
};

/** Takes everything, and remembers it. */
export class Inbox implements Sink {
  readonly taken: Delivery[] = [];
  source!: Source;
  places = Infinity;
  room(): number {
    return this.places - this.taken.length;
  }
  deliver(delivery: Delivery): void {
    this.taken.push(delivery);
  }
  revoke(): void {
    throw new Error('nothing is revoked in memory');
  }
  get ids(): string[] {
    return this.taken.map(({ event }) => event?.id ?? '');
  }
  get last(): Delivery {
    const last = this.taken.at(-1);
    if (last === undefined) throw new Error('nothing was delivered');
    return last;
  }
  /** Settles the last delivery. */
  ack(verdict: { retries?: readonly RetryRow[]; deadLetters?: readonly DeadLetterRow[] } = {}): void {
    void this.source.settle(this.last, { kind: 'ack', ...verdict });
  }
}

/** Processes on one broker. */
export class World<C extends Clock> {
  readonly broker = new MemoryBroker();
  readonly warnings: DriverWarning[] = [];
  private opened = 0;

  constructor(
    readonly clock: C,
    private readonly maxLength = 3,
  ) {}

  async driver(instanceId = String.fromCharCode(97 + this.opened++), service = 's'): Promise<MemoryDriver> {
    const { maxLength } = this;
    const limits = { name: 'default', maxLength, overflow: 'reject', retention: RETENTION, cards: CARDS } as const;
    const driver = new MemoryDriver(limits, this.broker);
    const nothing = (): void => undefined;
    const warn = (warning: DriverWarning): void => void this.warnings.push(warning);
    const logger = { log: nothing, warn: nothing, error: nothing, debug: nothing };
    await driver.open({ bus: 'default', service, instanceId, clock: this.clock, logger, warn });
    return driver;
  }

  async listen(driver: MemoryDriver, spec: SourceSpec = BILLING, pattern = 'order'): Promise<Inbox> {
    const inbox = new Inbox();
    inbox.source = await driver.attach(spec, inbox);
    await inbox.source.listen(pattern, 'new');
    return inbox;
  }

  event(id: string, init: Partial<EnvelopeInit> = {}): EventEnvelope {
    const origin = { source: 's', sourceInstance: 'i', mode: 'broadcast' as const };
    return new EventEnvelope({ type: 'order', id, time: this.clock.now(), ...origin, ...init });
  }
}

/** The part of a verdict that asks for a second attempt. */
export function retry(delay: number, row: Partial<RetryRow> = {}): { retries: RetryRow[] } {
  return { retries: [{ handler: 'charge', delay, attempt: 2, failures: 1, ...row }] };
}

/** Processes that are members of the same group, each with what it gets. */
export async function groupOf<C extends Clock>(
  clock: C,
  members: number,
): Promise<{ world: World<C>; drivers: MemoryDriver[]; inboxes: Inbox[] }> {
  const world = new World(clock);
  const drivers: MemoryDriver[] = [];
  for (let number = 0; number < members; number++) drivers.push(await world.driver());
  const inboxes = await Promise.all(drivers.map((driver) => world.listen(driver)));
  return { world, drivers, inboxes };
}

/** A process that is the only member of a group. */
export async function one<C extends Clock>(clock: C): Promise<{ world: World<C>; driver: MemoryDriver; inbox: Inbox }> {
  const world = new World(clock);
  const driver = await world.driver();
  return { world, driver, inbox: await world.listen(driver) };
}

import type { ResolvedBusOptions } from '../../ports/options.js';
import { systemClock, type Clock } from '../../core/clock.js';
import type { Reply } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import { BusClosedError, InstanceIdInUseError } from '../../core/errors.js';
import type {
  DriverCapabilities,
  DriverHost,
  EventDriver,
  Member,
  Sink,
  Source,
  SourceSpec,
} from '../../ports/driver.js';
import type { Channel } from './channel.js';
import { MemoryBroker, type BrokerClient, type MemoryDeadLetter } from './memory-broker.js';
import { MemoryRequests, type RequestsHost } from './memory-requests.js';
import { MemorySource, type SourceHost } from './memory-source.js';

/** Between two looks at anycast events that nobody takes, ms at least. */
const CHECK_AGAIN = 1_000;

type Limits = Pick<ResolvedBusOptions, 'name' | 'maxLength' | 'overflow' | 'retention'>;

/** Events in this process alone: nothing to install, nothing outlives the process. */
export class MemoryDriver implements EventDriver, BrokerClient, SourceHost, RequestsHost {
  readonly capabilities: DriverCapabilities = { name: 'memory', durable: false, distributed: false };
  readonly requests = new MemoryRequests(this);
  instanceId = '';
  clock: Clock = systemClock;
  /** Position of the broker when this driver opened. */
  openedAt = 0;
  private host: DriverHost | undefined;
  private readonly sources = new Set<MemorySource>();
  private closed = false;
  private startedAt = 0;

  constructor(
    readonly limits: Limits,
    readonly broker: MemoryBroker = new MemoryBroker(),
  ) {}

  private get isOpen(): boolean {
    return !this.closed && this.host !== undefined;
  }

  private assertOpen(): void {
    if (!this.isOpen) throw new BusClosedError(this.bus);
  }

  get bus(): string {
    return this.limits.name;
  }

  open(host: DriverHost): Promise<void> {
    if (this.broker.drivers.has(host.instanceId))
      return Promise.reject(new InstanceIdInUseError(host.instanceId, host.bus));
    this.host = host;
    this.instanceId = host.instanceId;
    this.clock = host.clock;
    this.startedAt = host.clock.now();
    this.openedAt = this.broker.position;
    this.broker.drivers.set(host.instanceId, this);
    return Promise.resolve();
  }

  publish(event: EventEnvelope, preferLocal = false): number {
    this.assertOpen();
    if (event.mode === 'anycast') this.broker.anycastEvent(event, this, preferLocal);
    else if (event.mode === 'unicast') this.broker.unicast(event, this);
    else this.broker.broadcast(event, this);
    return event.time;
  }

  attach(spec: SourceSpec, sink: Sink): Promise<Source> {
    if (!this.isOpen) return Promise.reject(new BusClosedError(this.bus));
    if (spec.kind === 'requests') return Promise.resolve(this.requests.answerWith(sink));
    const source = new MemorySource(spec, sink, this);
    this.sources.add(source);
    return Promise.resolve(source);
  }

  request(event: EventEnvelope, timeout: number, signal?: AbortSignal): Promise<Reply> {
    if (!this.isOpen) return Promise.reject(new BusClosedError(this.bus));
    return this.requests.ask(event, timeout, signal);
  }

  members(): Promise<readonly Member[]> {
    if (!this.isOpen) return Promise.reject(new BusClosedError(this.bus));
    return Promise.resolve([...this.broker.drivers.values()].map((driver) => driver.member()));
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.requests.close();
    for (const source of this.sources) await source.close();
    this.broker.inboxes.delete(this.instanceId);
    this.broker.drivers.delete(this.instanceId);
  }

  detach(source: MemorySource): void {
    this.sources.delete(source);
  }

  bury(letter: MemoryDeadLetter): void {
    this.broker.bury(letter);
    this.host?.warn({
      cause: 'dead-letter',
      message: `'${letter.type}' (${letter.event?.id ?? 'unknown id'}) is a dead letter: ${letter.reason}: ${letter.error}`,
      details: {
        type: letter.type,
        id: letter.event?.id,
        reason: letter.reason,
        handler: letter.handler,
        group: letter.group,
      },
    });
  }

  dropped(type: string): void {
    this.host?.warn({
      cause: 'drop',
      message: `'${type}' is full (maxLength); the oldest unread event was dropped`,
      details: { type },
    });
  }

  /** Anycast events that nobody takes within the retention become dead letters. */
  expireUnhandled(channel: Channel): void {
    if (channel.expiring) return;
    channel.expiring = true;
    const { retention } = this.limits;
    const check = (): void => {
      for (let entry = channel.entries.peek(); entry !== undefined; entry = channel.entries.peek()) {
        const left = entry.event.time + retention - this.clock.now();
        if (channel.members.length > 0 || left > 0) {
          this.clock.after(Math.max(left, CHECK_AGAIN), check);
          return;
        }
        channel.shift();
        this.bury({
          event: entry.event,
          type: entry.type,
          group: undefined,
          reason: 'unhandled',
          error: 'no live process took it within the retention',
          attempts: 0,
        });
      }
      channel.expiring = false;
    };
    this.clock.after(retention, check);
  }

  buryInbox(channel: Channel): void {
    for (let entry = channel.shift(); entry !== undefined; entry = channel.shift()) {
      this.bury({
        event: entry.event,
        type: entry.type,
        group: undefined,
        reason: 'target-died',
        error: `instance ${this.instanceId} ended`,
        attempts: entry.attempt - 1,
      });
    }
  }

  /** The requests of all drivers of the broker. */
  peers(): MemoryRequests[] {
    return [...this.broker.drivers.values()].map((driver) => driver.requests);
  }

  member(): Member {
    const groups: Record<string, readonly string[]> = {};
    for (const source of this.sources) if (source.spec.kind === 'group') groups[source.spec.group] = source.listening();
    return {
      instanceId: this.instanceId,
      service: this.host?.service ?? '',
      startedAt: this.startedAt,
      answers: this.requests.patterns(),
      groups,
    };
  }
}

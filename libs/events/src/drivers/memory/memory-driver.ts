import type { ResolvedBusOptions } from '../../ports/options.js';
import { systemClock, type Clock } from '../../core/clock.js';
import type { DeadLetterReason, DeadLetterRow, Reply } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import { BusClosedError, InstanceIdInUseError, UnroutableError } from '../../core/errors.js';
import type {
  DriverCapabilities,
  DriverHost,
  DriverWarning,
  EventDriver,
  Member,
  Sink,
  Source,
  SourceSpec,
  StoreOptions,
} from '../../ports/driver.js';
import { MemoryCards, type CardsHost } from './cards/memory-cards.js';
import type { Channel, MemoryEntry } from './channel.js';
import { MemoryBroker, type BrokerClient } from './memory-broker.js';
import { MemoryIdempotency, type IdempotencyHost } from './memory-idempotency.js';
import { MemoryLetters, type LettersHost } from './memory-letters.js';
import { MemoryRequests, type RequestsHost } from './memory-requests.js';
import { MemorySource, type SourceHost } from './memory-source.js';
import { identityOf } from './recent-ids.js';

/** Between two looks at anycast events that nobody takes, ms at least. */
const CHECK_AGAIN = 1_000;

type Limits = Pick<ResolvedBusOptions, 'name' | 'maxLength' | 'overflow' | 'retention' | 'cards'>;

/** Events in this process alone: nothing to install, nothing outlives the process. */
export class MemoryDriver
  implements EventDriver, BrokerClient, SourceHost, RequestsHost, LettersHost, IdempotencyHost, CardsHost
{
  readonly capabilities: DriverCapabilities = { name: 'memory', durable: false, distributed: false };
  readonly cards = new MemoryCards(this);
  readonly requests = new MemoryRequests(this);
  readonly deadLetters = new MemoryLetters(this);
  readonly idempotency = new MemoryIdempotency(this);
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

  get isOpen(): boolean {
    return !this.closed && this.host !== undefined;
  }

  whenOpen<T>(run: () => T): Promise<T> {
    return this.isOpen ? Promise.resolve(run()) : Promise.reject(new BusClosedError(this.bus));
  }

  get bus(): string {
    return this.limits.name;
  }

  get service(): string {
    return this.host?.service ?? '';
  }

  warn(warning: DriverWarning): void {
    this.host?.warn(warning);
  }

  open(host: DriverHost): Promise<void> {
    if (this.broker.drivers.has(host.instanceId))
      return Promise.reject(new InstanceIdInUseError(host.instanceId, host.bus));
    this.host = host;
    this.instanceId = host.instanceId;
    this.clock = host.clock;
    this.startedAt = host.clock.now();
    this.openedAt = this.broker.position;
    this.broker.enter(this);
    return Promise.resolve();
  }

  publish(event: EventEnvelope, options?: StoreOptions): number {
    if (!this.isOpen) throw new BusClosedError(this.bus);
    if (options !== undefined) return this.publishWith(event, options);
    this.store(event, false);
    return event.time;
  }

  attach(spec: SourceSpec, sink: Sink): Promise<Source> {
    return this.whenOpen(() => {
      if (spec.kind === 'requests') return this.requests.answerWith(sink);
      const source = new MemorySource(spec, sink, this);
      this.sources.add(source);
      return source;
    });
  }

  request(event: EventEnvelope, timeout: number, signal?: AbortSignal): Promise<Reply> {
    return this.isOpen ? this.requests.ask(event, timeout, signal) : Promise.reject(new BusClosedError(this.bus));
  }

  members(): Promise<readonly Member[]> {
    return this.whenOpen(() => [...this.broker.drivers.values()].map((driver) => driver.member()));
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.requests.close();
    for (const source of this.sources) await source.close();
    await this.cards.close();
    this.broker.inboxes.delete(this.instanceId);
    this.broker.leave(this);
  }

  detach(source: MemorySource): void {
    this.sources.delete(source);
  }

  file(event: EventEnvelope, group: string | undefined, row: DeadLetterRow, operation?: string): string {
    const { type } = event;
    const { reason, handler, attempts, error, stack } = row;
    const letter = { type, at: this.clock.now(), reason, handler, group, attempts, error, stack, operation, event };
    const { position, dropped } = this.broker.letters.add(letter);
    if (dropped !== undefined) {
      this.warn({
        cause: 'drop',
        message: `'${type}' has too many dead letters; the oldest was dropped`,
        details: { type, id: dropped.event.id },
      });
    }
    return position;
  }

  bury(entry: MemoryEntry, group: string | undefined, row: DeadLetterRow): void {
    const { event, type, past } = entry;
    const { reason, handler, error } = row;
    this.file(event, group, row, past.operation);
    this.warn({
      cause: 'dead-letter',
      message: `'${type}' (${event.id}) is a dead letter: ${reason}: ${error}`,
      details: { type, id: event.id, reason, handler, group },
    });
  }

  dropped(type: string): void {
    this.warn({
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
      const now = this.clock.now();
      if (channel.members.length === 0) {
        for (const entry of channel.removeSince(now - retention))
          this.buryEntry(entry, 'unhandled', 'no live process took it within the retention');
      }
      const since = channel.waitsSince;
      if (since === undefined) channel.expiring = false;
      else this.clock.after(Math.max(since + retention - now, CHECK_AGAIN), check);
    };
    this.clock.after(retention, check);
  }

  buryInbox(entries: readonly MemoryEntry[]): void {
    for (const entry of entries) this.buryEntry(entry, 'target-died', `instance ${this.instanceId} ended`);
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
      service: this.service,
      startedAt: this.startedAt,
      answers: this.requests.patterns(),
      groups,
    };
  }

  private publishWith(event: EventEnvelope, { preferLocal, mandatory, deduplicate }: StoreOptions): number {
    const { broker } = this;
    const identity = deduplicate === true ? identityOf(event) : undefined;
    const stored = identity === undefined ? undefined : broker.recentIds.find(identity, this.clock.now());
    if (stored !== undefined) return stored;
    if (mandatory === true && !broker.isWanted(event)) throw new UnroutableError(event.type, this.bus);
    this.store(event, preferLocal === true);
    if (identity !== undefined) broker.recentIds.add(identity, event.time);
    return event.time;
  }

  private store(event: EventEnvelope, preferLocal: boolean): void {
    if (event.mode === 'anycast') this.broker.anycastEvent(event, this, preferLocal);
    else if (event.mode === 'unicast') this.broker.unicast(event, this);
    else this.broker.broadcast(event, this);
  }

  /** Files an entry that has not been handled. */
  private buryEntry(entry: MemoryEntry, reason: DeadLetterReason, error: string): void {
    this.broker.ended(entry);
    this.bury(entry, undefined, { reason, error, handler: entry.handler, attempts: entry.attempt - 1 });
  }
}

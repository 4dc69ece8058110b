import { VERDICT_ACK, type DeadLetterRow, type Delivery, type RetryRow, type Verdict } from '../../core/delivery.js';
import type { Clock } from '../../core/clock.js';
import { matches } from '../../core/pattern.js';
import type { Gate, Sink, Source, SourceSpec, StartFrom } from '../../ports/driver.js';
import { Channel, MemoryEntry, type Listener } from './channel.js';
import type { MemoryBroker } from './memory-broker.js';
import type { MemoryGroup } from './memory-group.js';
import { crashed, released, retried, type Past } from './past.js';
import type { LogRow } from './type-log.js';

/** The driver, as its sources know it. */
export interface SourceHost {
  readonly broker: MemoryBroker;
  readonly instanceId: string;
  /** Position of the broker when the driver opened. */
  readonly openedAt: number;
  readonly clock: Clock;
  /** From `open` to `close`. */
  readonly isOpen: boolean;
  /** Files a failure of an entry with the dead letters. */
  bury(entry: MemoryEntry, group: string | undefined, row: DeadLetterRow): void;
  /** Files what the inbox of this process still has. */
  buryInbox(entries: readonly MemoryEntry[]): void;
  /** The source has ended. */
  detach(source: MemorySource): void;
  expireUnhandled(channel: Channel): void;
}

/** One subscriber's flow on the memory backend. */
export class MemorySource implements Source, Listener {
  /** Of a process or an inbox: its own. Groups and anycast have one a type. */
  readonly channel = new Channel();
  readonly instanceId: string;
  private readonly patterns = new Set<string>();
  private readonly inFlight = new Set<MemoryEntry>();
  private readonly group: MemoryGroup | undefined;
  private readonly broker: MemoryBroker;
  private paused = false;
  private drained: (() => void) | undefined;
  /** Given back to an inbox by the one process that it is for, which is about to end. */
  private left: readonly MemoryEntry[] = [];

  constructor(
    readonly spec: SourceSpec,
    private readonly sink: Sink,
    private readonly driver: SourceHost,
  ) {
    this.broker = driver.broker;
    this.instanceId = driver.instanceId;
    if (spec.kind === 'process' || spec.kind === 'inbox') this.channel.join(this);
    if (spec.kind === 'process') this.broker.processes.add(this);
    if (spec.kind === 'anycast') this.broker.anycastSources.add(this);
    if (spec.kind === 'inbox') this.broker.inboxes.set(this.instanceId, this.channel);
    if (spec.kind === 'group') this.group = this.joinGroup(spec.group);
  }

  listensTo(type: string): boolean {
    for (const pattern of this.patterns) if (matches(pattern, type)) return true;
    return false;
  }

  listening(): string[] {
    return [...this.patterns];
  }

  listen(pattern: string, startFrom: StartFrom): Promise<Gate | undefined> {
    const { broker, group } = this;
    broker.receiving = true;
    const known = (type: string): boolean => this.listensTo(type);
    const since = startFrom === 'earliest' ? -1 : startFrom === 'open' ? this.driver.openedAt : broker.position;
    if (this.spec.kind === 'process') this.backfill(pattern, since, known, () => this.channel);
    if (group !== undefined && !group.patterns.has(pattern)) {
      this.backfill(
        pattern,
        since,
        (type) => group.wants(type),
        (type) => group.channel(type),
      );
      group.patterns.add(pattern);
    }
    this.patterns.add(pattern);
    this.refresh();
    return Promise.resolve(this.spec.kind === 'process' ? new PositionGate(since) : undefined);
  }

  unlisten(pattern: string): Promise<void> {
    this.patterns.delete(pattern);
    this.refresh();
    return Promise.resolve();
  }

  room(): number {
    return this.paused ? 0 : this.sink.room();
  }

  take(entry: MemoryEntry): void {
    if (this.spec.kind !== 'process') this.inFlight.add(entry);
    this.sink.deliver(entry);
    if (this.drained !== undefined && this.waiting() === 0) this.drained();
  }

  pull(): void {
    for (const channel of this.channels()) if (channel.length > 0) this.broker.schedule(channel);
  }

  settle(delivery: Delivery, verdict: Verdict): void {
    const entry = delivery as MemoryEntry;
    if (this.spec.kind === 'process') {
      // Nothing is in flight here, but of a process that has died nothing counts any more.
      if (verdict !== VERDICT_ACK && verdict.kind === 'ack' && this.driver.isOpen)
        this.bury(entry, verdict.deadLetters);
      return;
    }
    if (!this.inFlight.delete(entry)) return;
    if (verdict.kind === 'release') this.giveBack(entry, released(entry.past));
    if (verdict.kind !== 'ack') return;
    if (verdict !== VERDICT_ACK) {
      this.bury(entry, verdict.deadLetters);
      for (const row of verdict.retries ?? []) this.retry(entry, row);
    }
    this.broker.ended(entry);
  }

  alone(delivery: Delivery): Promise<number> {
    const entry = delivery as MemoryEntry;
    const { past } = entry;
    if (this.inFlight.has(entry)) entry.past = { ...past, alone: true };
    return Promise.resolve(past.crashesAlone);
  }

  /** What waits here for nobody else is handed over first: in memory there is no later. */
  async pause(): Promise<void> {
    if (this.spec.kind === 'process') this.broker.processes.delete(this);
    if (this.spec.kind === 'anycast') this.broker.anycastSources.delete(this);
    this.broker.rewire();
    if (this.spec.kind === 'inbox') this.left = [...this.left, ...this.channel.removeAvoided(this.instanceId)];
    if (this.waiting() > 0) {
      await new Promise<void>((resolve) => {
        this.drained = resolve;
        this.pull();
      });
    }
    this.paused = true;
    this.leave();
  }

  close(): Promise<void> {
    this.paused = true;
    this.drained?.();
    this.leave();
    for (const entry of [...this.inFlight].reverse()) this.giveBack(entry, crashed(entry.past));
    this.inFlight.clear();
    if (this.spec.kind === 'inbox') this.driver.buryInbox([...this.left, ...this.channel.removeAll()]);
    this.left = [];
    this.driver.detach(this);
    return Promise.resolve();
  }

  /** Entries that only this member can take. */
  private waiting(): number {
    let count = 0;
    for (const channel of this.channels()) if (channel.members.length === 1) count += channel.length;
    return count;
  }

  private channels(): Channel[] {
    if (this.group !== undefined)
      return [...this.group.channels.values()].filter((channel) => channel.members.includes(this));
    if (this.spec.kind === 'anycast')
      return [...this.broker.anycast.values()].filter((channel) => channel.members.includes(this));
    return [this.channel];
  }

  private bury(entry: MemoryEntry, rows: readonly DeadLetterRow[] = []): void {
    const group = this.spec.kind === 'group' ? this.spec.group : undefined;
    for (const row of rows) this.driver.bury(entry, group, row);
  }

  private retry({ event, position, slot, past }: MemoryEntry, row: RetryRow): void {
    const now = this.driver.clock.now();
    const due = now + row.delay;
    const entry = new MemoryEntry(event, position, slot, retried(past, row, due));
    // It was not its turn here: others first, lest it come back again and again.
    if (row.delay <= 0 && row.failures === past.failures) entry.avoid = this.instanceId;
    this.broker.redeliver(entry, due, now);
  }

  private giveBack({ event, position, slot }: MemoryEntry, past: Past): void {
    const entry = new MemoryEntry(event, position, slot, past);
    entry.avoid = this.instanceId;
    slot.channel.putBack(entry);
    this.broker.schedule(slot.channel);
  }

  private joinGroup(name: string): MemoryGroup {
    const group = this.broker.group(name);
    group.members.add(this);
    return group;
  }

  private leave(): void {
    const channels = this.channels();
    this.group?.members.delete(this);
    this.broker.processes.delete(this);
    this.broker.anycastSources.delete(this);
    if (this.spec.kind !== 'process' && this.spec.kind !== 'inbox') for (const channel of channels) channel.leave(this);
    this.broker.rewire();
    for (const channel of channels) {
      this.broker.schedule(channel);
      if (this.spec.kind === 'anycast' && channel.members.length === 0) this.driver.expireUnhandled(channel);
    }
  }

  private refresh(): void {
    this.group?.refresh(this);
    if (this.spec.kind === 'anycast') {
      for (const [type, channel] of this.broker.anycast) {
        if (this.listensTo(type)) channel.join(this);
        else channel.leave(this);
      }
    }
    this.broker.rewire();
    this.pull();
  }

  /** Enqueues what is retained of the types that the pattern adds. */
  private backfill(
    pattern: string,
    since: number,
    known: (type: string) => boolean,
    channelOf: (type: string) => Channel,
  ): void {
    const rows: LogRow[] = [];
    for (const [type, log] of this.broker.logs) {
      if (matches(pattern, type) && !known(type)) rows.push(...log.after(since));
    }
    rows.sort((a, b) => a.position - b.position);
    for (const { event, position } of rows) {
      this.broker.enqueue(new MemoryEntry(event, position, channelOf(event.type).slot(event.type)));
    }
  }
}

/** Lets pass what was stored after a position; the channel keeps the order, so the first that passes is not the last. */
class PositionGate implements Gate {
  spent = false;

  constructor(private readonly position: number) {}

  admits(delivery: Delivery): boolean {
    if (!this.spent) this.spent = (delivery as MemoryEntry).position > this.position;
    return this.spent;
  }
}

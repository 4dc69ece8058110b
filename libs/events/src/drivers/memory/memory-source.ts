import type { Delivery, Verdict } from '../../core/delivery.js';
import { matches } from '../../core/pattern.js';
import type { Gate, Sink, Source, SourceSpec, StartFrom } from '../../ports/driver.js';
import { Channel, MemoryEntry, type Listener } from './channel.js';
import type { MemoryBroker, MemoryDeadLetter } from './memory-broker.js';
import { MemoryGroup } from './memory-group.js';
import type { LogRow } from './type-log.js';

/** The driver, as its sources know it. */
export interface SourceHost {
  readonly broker: MemoryBroker;
  readonly instanceId: string;
  /** Position of the broker when the driver opened. */
  readonly openedAt: number;
  bury(letter: MemoryDeadLetter): void;
  buryInbox(channel: Channel): void;
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
    for (const channel of this.channels()) if (channel.entries.length > 0) this.broker.schedule(channel);
  }

  settle(delivery: Delivery, verdict: Verdict): void {
    if (this.spec.kind === 'process') return;
    const entry = delivery as MemoryEntry;
    if (!this.inFlight.delete(entry)) return;
    if (verdict.kind === 'release') this.giveBack(entry, entry.attempt);
    else if (verdict.kind === 'ack') {
      for (const row of verdict.deadLetters ?? []) {
        this.driver.bury({
          ...row,
          event: entry.event,
          type: entry.type,
          group: this.spec.kind === 'group' ? this.spec.group : undefined,
        });
      }
    }
  }

  /** What waits here for nobody else is handed over first: in memory there is no later. */
  async pause(): Promise<void> {
    if (this.spec.kind === 'process') this.broker.processes.delete(this);
    if (this.spec.kind === 'anycast') this.broker.anycastSources.delete(this);
    this.broker.rewire();
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
    for (const entry of [...this.inFlight].reverse()) this.giveBack(entry, entry.attempt + 1);
    this.inFlight.clear();
    if (this.spec.kind === 'inbox') this.driver.buryInbox(this.channel);
    this.driver.detach(this);
    return Promise.resolve();
  }

  /** Entries that only this member can take. */
  private waiting(): number {
    let count = 0;
    for (const channel of this.channels()) if (channel.members.length === 1) count += channel.entries.length;
    return count;
  }

  private channels(): Channel[] {
    if (this.group !== undefined)
      return [...this.group.channels.values()].filter((channel) => channel.members.includes(this));
    if (this.spec.kind === 'anycast')
      return [...this.broker.anycast.values()].filter((channel) => channel.members.includes(this));
    return [this.channel];
  }

  private giveBack({ event, position, slot }: MemoryEntry, attempt: number): void {
    const entry = new MemoryEntry(event, position, slot, attempt, true);
    entry.avoid = this.instanceId;
    slot.channel.putBack(entry);
    this.broker.schedule(slot.channel);
  }

  private joinGroup(name: string): MemoryGroup {
    let group = this.broker.groups.get(name);
    if (group === undefined) {
      group = new MemoryGroup();
      this.broker.groups.set(name, group);
    }
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

import type { ResolvedBusOptions } from '../../ports/options.js';
import { afterIo, type Clock } from '../../core/clock.js';
import type { EventEnvelope } from '../../core/envelope.js';
import type { Member } from '../../ports/driver.js';
import { NoSuchInstanceError, StreamFullError } from '../../core/errors.js';
import { CardsBroker } from './cards/cards-broker.js';
import { Channel, MemoryEntry, type Listener, type Slot } from './channel.js';
import { IdempotencyTable } from './idempotency-table.js';
import { LetterShelf } from './letter-shelf.js';
import { MemoryGroup } from './memory-group.js';
import type { MemoryRequests } from './memory-requests.js';
import { RecentIds } from './recent-ids.js';
import { TypeLog } from './type-log.js';
import { WaitingEntries } from './waiting-entries.js';

/** Entries handed over between two turns of the event loop. */
const TURN = 100;
/** Read events that a type keeps for those who begin in the past, beside the retention time. */
const READ_CAPACITY = 1_000;
const REMEMBERED = 10_000;
/** How long an entry waits whose only taker has just given it back, ms. */
const REFUSED_WAIT = 100;

/** A driver, as its broker knows it. */
export interface BrokerClient {
  readonly bus: string;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly limits: Pick<ResolvedBusOptions, 'maxLength' | 'overflow' | 'retention' | 'cards'>;
  readonly requests: MemoryRequests;
  member(): Member;
  /** Tells that the oldest unread event of a type was dropped. */
  dropped(type: string): void;
  /** Files what nobody takes from an anycast channel within the retention. */
  expireUnhandled(channel: Channel): void;
}

interface Targets {
  readonly log: TypeLog;
  readonly slots: readonly Slot[];
}

/**
 * What the memory drivers of one bus share: the logs, the channels, the dead letters, who is alive. Usually of one driver alone; tests give
 * several drivers the same broker, as processes share a server.
 */
export class MemoryBroker {
  readonly drivers = new Map<string, BrokerClient>();
  readonly groups = new Map<string, MemoryGroup>();
  readonly anycast = new Map<string, Channel>();
  readonly inboxes = new Map<string, Channel>();
  readonly logs = new Map<string, TypeLog>();
  readonly processes = new Set<Listener>();
  readonly anycastSources = new Set<Listener>();
  readonly letters = new LetterShelf();
  readonly idempotency = new IdempotencyTable();
  readonly recentIds = new RecentIds();
  readonly cards = new CardsBroker();
  /** Position of the event stored last. */
  position = 0;
  /** True once somebody receives: until then everything is kept for who may begin at `open`. */
  receiving = false;
  private targets = new Map<string, Targets>();
  private dirty: Channel[] = [];
  private pumping = false;
  private readonly waiting = new WaitingEntries<MemoryEntry>((entry) => {
    this.enqueueAgain(entry);
  });

  /** A driver has opened. */
  enter(driver: BrokerClient): void {
    this.drivers.set(driver.instanceId, driver);
    this.lendClock();
  }

  /** A driver has closed or crashed; what waits, waits on. */
  leave(driver: BrokerClient): void {
    this.drivers.delete(driver.instanceId);
    this.lendClock();
  }

  /** Stores a broadcast event. @throws StreamFullError */
  broadcast(event: EventEnvelope, driver: BrokerClient): void {
    const { log, slots } = this.targetsOf(event.type);
    for (const slot of slots) this.makeRoom(slot, driver);
    const position = ++this.position;
    const capacity = this.receiving ? READ_CAPACITY : driver.limits.maxLength;
    log.append({ event, position }, event.time - driver.limits.retention, capacity);
    for (const slot of slots) this.enqueue(new MemoryEntry(event, position, slot));
  }

  /** Stores an anycast event. @throws StreamFullError */
  anycastEvent(event: EventEnvelope, driver: BrokerClient, preferLocal: boolean): void {
    const channel = this.anycastChannel(event.type);
    const slot = channel.slot(event.type);
    this.makeRoom(slot, driver);
    const entry = new MemoryEntry(event, ++this.position, slot);
    if (preferLocal) entry.prefer = driver.instanceId;
    this.enqueue(entry);
    if (channel.members.length === 0) driver.expireUnhandled(channel);
  }

  /** @throws NoSuchInstanceError, StreamFullError */
  unicast(event: EventEnvelope, driver: BrokerClient): void {
    const target = event.target ?? '';
    const channel = this.inboxes.get(target);
    if (channel === undefined) throw new NoSuchInstanceError(target, driver.bus);
    const slot = channel.slot(event.type);
    this.makeRoom(slot, driver);
    this.enqueue(new MemoryEntry(event, ++this.position, slot));
  }

  /** False when nobody would get the event. Whether the target of a unicast event is alive is another question. */
  isWanted({ mode, type, target }: EventEnvelope): boolean {
    if (mode === 'broadcast') return this.targetsOf(type).slots.length > 0;
    if (mode === 'unicast' && !this.inboxes.has(target ?? '')) return true;
    for (const source of this.anycastSources) {
      if ((mode === 'anycast' || source.instanceId === target) && source.listensTo(type)) return true;
    }
    return false;
  }

  /** Hands a retry or a replay over at `due` ms, ahead of what is newer, whoever is alive then. */
  redeliver(entry: MemoryEntry, due: number, now: number): void {
    entry.slot.channel.outstanding++;
    if (due <= now) this.enqueueAgain(entry);
    else this.waiting.add(entry, due);
  }

  /** An entry has ended: it will not be handed over again. */
  ended({ past, slot }: MemoryEntry): void {
    if (past.again) slot.channel.outstanding--;
  }

  enqueue(entry: MemoryEntry): void {
    const { channel } = entry.slot;
    channel.push(entry);
    this.schedule(channel);
  }

  /** Pumps the channel soon, outside the caller. */
  schedule(channel: Channel): void {
    if (channel.scheduled) return;
    channel.scheduled = true;
    this.dirty.push(channel);
    if (this.pumping) return;
    this.pumping = true;
    afterIo(this.pump);
  }

  anycastChannel(type: string): Channel {
    let channel = this.anycast.get(type);
    if (channel === undefined) {
      channel = new Channel();
      this.anycast.set(type, channel);
      for (const source of this.anycastSources) if (source.listensTo(type)) channel.join(source);
    }
    return channel;
  }

  group(name: string): MemoryGroup {
    let group = this.groups.get(name);
    if (group === undefined) {
      group = new MemoryGroup();
      this.groups.set(name, group);
    }
    return group;
  }

  /** Who listens has changed. */
  rewire(): void {
    this.targets = new Map();
  }

  private readonly pump = (): void => {
    let left = TURN;
    let channel = this.dirty.shift();
    while (channel !== undefined && left > 0) {
      const result = channel.pumpOne();
      if (result === 'taken') {
        left--;
        continue;
      }
      channel.scheduled = false;
      if (result === 'refused') this.retryLater(channel);
      channel = this.dirty.shift();
    }
    if (channel !== undefined) this.dirty.unshift(channel);
    if (this.dirty.length > 0) afterIo(this.pump);
    else this.pumping = false;
  };

  private enqueueAgain(entry: MemoryEntry): void {
    const { channel } = entry.slot;
    channel.again.push(entry);
    this.schedule(channel);
    if (channel.members.length > 0 || this.anycast.get(entry.type) !== channel) return;
    const [driver] = this.drivers.values();
    driver?.expireUnhandled(channel);
  }

  private lendClock(): void {
    const [driver] = this.drivers.values();
    this.waiting.useClock(driver?.clock);
    this.cards.lend(driver);
  }

  private retryLater(channel: Channel): void {
    const [driver] = this.drivers.values();
    driver?.clock.after(REFUSED_WAIT, () => {
      channel.forgive();
      this.schedule(channel);
    });
  }

  private makeRoom(slot: Slot, driver: BrokerClient): void {
    const { maxLength, overflow } = driver.limits;
    if (slot.waiting < maxLength) return;
    if (overflow === 'reject') throw new StreamFullError(slot.type, maxLength);
    slot.channel.dropOldest(slot);
    driver.dropped(slot.type);
  }

  private targetsOf(type: string): Targets {
    let targets = this.targets.get(type);
    if (targets === undefined) {
      if (this.targets.size >= REMEMBERED) this.targets.clear();
      targets = { log: this.logOf(type), slots: this.channelsOf(type).map((channel) => channel.slot(type)) };
      this.targets.set(type, targets);
    }
    return targets;
  }

  private channelsOf(type: string): Channel[] {
    const processes = [...this.processes].filter((source) => source.listensTo(type)).map((source) => source.channel);
    const groups = [...this.groups.values()].filter((group) => group.wants(type)).map((group) => group.channel(type));
    return [...processes, ...groups];
  }

  private logOf(type: string): TypeLog {
    let log = this.logs.get(type);
    if (log === undefined) {
      log = new TypeLog();
      this.logs.set(type, log);
    }
    return log;
  }
}

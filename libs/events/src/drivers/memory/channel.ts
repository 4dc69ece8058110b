import type { Delivery } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import { Deque } from './deque.js';
import { NO_PAST, type Past } from './past.js';

/** An event in a channel, and its delivery once handed over. */
export class MemoryEntry implements Delivery {
  readonly type: string;
  /** Instance that shall have it if it can. */
  prefer: string | undefined = undefined;
  /** Instance that gave it back last: others first. */
  avoid: string | undefined = undefined;

  constructor(
    readonly event: EventEnvelope,
    /** Position in the broker's order of storing. */
    readonly position: number,
    readonly slot: Slot,
    public past: Past = NO_PAST,
  ) {
    this.type = event.type;
  }

  get attempt(): number {
    return this.past.attempt + this.past.crashes;
  }

  get redelivered(): boolean {
    return this.past.redelivered;
  }

  get failures(): number {
    return this.past.failures;
  }

  get crashes(): number {
    return this.past.crashes;
  }

  get since(): number | undefined {
    return this.past.since;
  }

  get handler(): string | undefined {
    return this.past.handler;
  }

  /** Since when it can be taken, ms. */
  get waitsSince(): number {
    return this.past.since ?? this.event.time;
  }
}

/** Who takes from a channel. */
export interface ChannelMember {
  readonly instanceId: string;
  /** How many more entries are welcome; 0 when paused. */
  room(): number;
  take(entry: MemoryEntry): void;
}

/** A member that chooses by type. */
export interface Listener extends ChannelMember {
  /** Its own channel, where it has one. */
  readonly channel: Channel;
  listensTo(type: string): boolean;
}

/** What handing over the next entry came to. */
export type PumpResult = 'taken' | 'empty' | 'full' | 'refused';

/** One type's part of a channel. */
export interface Slot {
  readonly channel: Channel;
  readonly type: string;
  /** Entries of the type that wait, without retries and replays. */
  waiting: number;
}

/**
 * Entries that wait for one subscriber: a process, a group on one type, the anycast group of a type, an inbox. Members
 * take in turn.
 */
export class Channel {
  readonly entries = new Deque<MemoryEntry>();
  /** Retries and replays whose time has come: they go first, in the order in which they came. */
  readonly again = new Deque<MemoryEntry>();
  /** Retries and replays that have not ended: that wait for their time, here, or are in flight. */
  outstanding = 0;
  readonly members: ChannelMember[] = [];
  /** In the broker's list of channels to pump. */
  scheduled = false;
  /** A timer looks after entries that nobody takes. */
  expiring = false;
  private readonly slots = new Map<string, Slot>();
  private turn = 0;

  slot(type: string): Slot {
    let slot = this.slots.get(type);
    if (slot === undefined) {
      slot = { channel: this, type, waiting: 0 };
      this.slots.set(type, slot);
    }
    return slot;
  }

  /** Entries of any kind. */
  get length(): number {
    return this.again.length + this.entries.length;
  }

  push(entry: MemoryEntry): void {
    entry.slot.waiting++;
    this.entries.push(entry);
  }

  /** Puts an entry back at the head of its kind. */
  putBack(entry: MemoryEntry): void {
    if (entry.past.again) {
      this.again.unshift(entry);
      return;
    }
    entry.slot.waiting++;
    this.entries.unshift(entry);
  }

  shift(): MemoryEntry | undefined {
    if (this.again.length > 0) return this.again.shift();
    const entry = this.entries.shift();
    if (entry !== undefined) entry.slot.waiting--;
    return entry;
  }

  /** Drops the oldest entry of a type; retries and replays stay. */
  dropOldest(slot: Slot): void {
    const others: MemoryEntry[] = [];
    for (let entry = this.entries.shift(); entry !== undefined; entry = this.entries.shift()) {
      if (entry.slot === slot) {
        slot.waiting--;
        break;
      }
      others.push(entry);
    }
    for (const entry of others.reverse()) this.entries.unshift(entry);
  }

  removeAll(): MemoryEntry[] {
    const removed: MemoryEntry[] = [];
    for (let entry = this.shift(); entry !== undefined; entry = this.shift()) removed.push(entry);
    return removed;
  }

  /** Takes out what an instance has given back. */
  removeAvoided(instanceId: string): MemoryEntry[] {
    const all = this.removeAll();
    for (const entry of all.filter(({ avoid }) => avoid !== instanceId).reverse()) this.putBack(entry);
    return all.filter(({ avoid }) => avoid === instanceId);
  }

  /** Takes out what waits since `time` ms or longer. */
  removeSince(time: number): MemoryEntry[] {
    const removed: MemoryEntry[] = [];
    for (const queue of [this.again, this.entries]) {
      for (let head = queue.peek(); head !== undefined && head.waitsSince <= time; head = queue.peek()) {
        queue.shift();
        if (queue === this.entries) head.slot.waiting--;
        removed.push(head);
      }
    }
    return removed;
  }

  /** Since when the first waits, ms; undefined when nothing does. */
  get waitsSince(): number | undefined {
    const [again, entry] = [this.again.peek(), this.entries.peek()];
    if (again === undefined || entry === undefined) return (again ?? entry)?.waitsSince;
    return Math.min(again.waitsSince, entry.waitsSince);
  }

  /** Lets everybody have what they have given back. */
  forgive(): void {
    for (const entry of this.again) entry.avoid = undefined;
    for (const entry of this.entries) entry.avoid = undefined;
  }

  join(member: ChannelMember): void {
    if (!this.members.includes(member)) this.members.push(member);
  }

  leave(member: ChannelMember): void {
    const index = this.members.indexOf(member);
    if (index >= 0) this.members.splice(index, 1);
  }

  /** Hands the next entry over. */
  pumpOne(): PumpResult {
    const entry = this.again.length > 0 ? this.again.peek() : this.entries.peek();
    if (entry === undefined) return 'empty';
    const member = this.members.length === 1 && entry.avoid === undefined ? this.only() : this.pick(entry);
    if (member === 'refused') return 'refused';
    if (member === undefined) return 'full';
    this.shift();
    member.take(entry);
    return 'taken';
  }

  private only(): ChannelMember | undefined {
    const member = this.members[0];
    return member !== undefined && member.room() > 0 ? member : undefined;
  }

  private pick(entry: MemoryEntry): ChannelMember | 'refused' | undefined {
    const { members } = this;
    let refused = false;
    if (entry.prefer !== undefined) {
      const preferred = members.find((member) => member.instanceId === entry.prefer);
      if (preferred !== undefined && preferred.room() > 0) return preferred;
    }
    for (let offset = 0; offset < members.length; offset++) {
      const index = (this.turn + offset) % members.length;
      const member = members[index];
      if (member === undefined || member.room() <= 0) continue;
      if (member.instanceId === entry.avoid) {
        refused = true;
        continue;
      }
      this.turn = index + 1;
      return member;
    }
    return refused ? 'refused' : undefined;
  }
}

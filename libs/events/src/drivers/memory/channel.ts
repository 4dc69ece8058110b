import type { Delivery } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import { Deque } from './deque.js';

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
    readonly attempt = 1,
    readonly redelivered = false,
  ) {
    this.type = event.type;
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
  /** Entries of the type that wait. */
  waiting: number;
}

/**
 * Entries that wait for one subscriber: a process, a group on one type, the anycast group of a type, an inbox. Members
 * take in turn.
 */
export class Channel {
  readonly entries = new Deque<MemoryEntry>();
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

  push(entry: MemoryEntry): void {
    entry.slot.waiting++;
    this.entries.push(entry);
  }

  /** Puts an entry back at the head. */
  putBack(entry: MemoryEntry): void {
    entry.slot.waiting++;
    this.entries.unshift(entry);
  }

  shift(): MemoryEntry | undefined {
    const entry = this.entries.shift();
    if (entry !== undefined) entry.slot.waiting--;
    return entry;
  }

  /** Drops the oldest entry of a type. */
  dropOldest(slot: Slot): void {
    const others: MemoryEntry[] = [];
    for (let entry = this.shift(); entry !== undefined; entry = this.shift()) {
      if (entry.slot === slot) break;
      others.push(entry);
    }
    for (const entry of others.reverse()) this.putBack(entry);
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
    const entry = this.entries.peek();
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

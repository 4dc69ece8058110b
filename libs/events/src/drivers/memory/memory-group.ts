import { matches } from '../../core/pattern.js';
import { Channel, type Listener } from './channel.js';

/** A durable group: its patterns outlive its members, and so do the entries that wait for it. */
export class MemoryGroup {
  readonly patterns = new Set<string>();
  readonly channels = new Map<string, Channel>();
  readonly members = new Set<Listener>();

  wants(type: string): boolean {
    if (this.channels.has(type)) return true;
    for (const pattern of this.patterns) if (matches(pattern, type)) return true;
    return false;
  }

  /** The group's channel of a type, with the members that listen to it. */
  channel(type: string): Channel {
    let channel = this.channels.get(type);
    if (channel === undefined) {
      channel = new Channel();
      this.channels.set(type, channel);
      for (const member of this.members) if (member.listensTo(type)) channel.join(member);
    }
    return channel;
  }

  /** Brings the channels' members in line with what this member listens to now. */
  refresh(member: Listener): void {
    for (const [type, channel] of this.channels) {
      if (this.members.has(member) && member.listensTo(type)) channel.join(member);
      else channel.leave(member);
    }
  }
}

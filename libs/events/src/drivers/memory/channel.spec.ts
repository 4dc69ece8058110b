import { describe, expect, it } from '@jest/globals';
import { EventEnvelope } from '../../core/envelope.js';
import { Channel, MemoryEntry, type ChannelMember } from './channel.js';
import { NO_PAST, retried } from './past.js';

class Member implements ChannelMember {
  readonly taken: number[] = [];
  places = Infinity;
  constructor(readonly instanceId: string) {}
  room(): number {
    return this.places - this.taken.length;
  }
  take(entry: MemoryEntry): void {
    this.taken.push(entry.position);
  }
}

function channelOf(count: number, ...members: Member[]): Channel {
  const channel = new Channel();
  for (const member of members) channel.join(member);
  for (let position = 0; position < count; position++) channel.push(entry(channel, position));
  return channel;
}

function entry(channel: Channel, position: number, type = 'a'): MemoryEntry {
  const origin = { source: 's', sourceInstance: 'i', time: 0, mode: 'broadcast' as const };
  return new MemoryEntry(new EventEnvelope({ type, id: String(position), ...origin }), position, channel.slot(type));
}

function again(channel: Channel, position: number, due = 0): MemoryEntry {
  const { event, slot } = entry(channel, position);
  const row = { handler: 'h', delay: 0, attempt: 2, failures: 1 };
  return new MemoryEntry(event, position, slot, retried(NO_PAST, row, due));
}

function pumpAll(channel: Channel): string {
  for (;;) {
    const result = channel.pumpOne();
    if (result !== 'taken') return result;
  }
}

describe('Channel', () => {
  it('hands over in order to its one member, until it is full', () => {
    const member = new Member('a');
    member.places = 2;
    const channel = channelOf(3, member);
    expect(pumpAll(channel)).toBe('full');
    expect(member.taken).toEqual([0, 1]);
    member.places = 3;
    expect(pumpAll(channel)).toBe('empty');
  });

  it('keeps entries while it has no member', () => {
    const channel = channelOf(2);
    expect(pumpAll(channel)).toBe('full');
    expect(channel.entries.length).toBe(2);
  });

  it('lets members take turns, and passes over those without room', () => {
    const [a, b, c] = [new Member('a'), new Member('b'), new Member('c')];
    b.places = 1;
    pumpAll(channelOf(6, a, b, c));
    expect([a.taken, b.taken, c.taken]).toEqual([[0, 3, 5], [1], [2, 4]]);
  });

  it('counts a member that joins twice once, and forgets one that leaves', () => {
    const [a, b] = [new Member('a'), new Member('b')];
    const channel = channelOf(4, a, b);
    channel.join(a);
    channel.leave(b);
    channel.leave(b);
    pumpAll(channel);
    expect([a.taken.length, b.taken.length]).toEqual([4, 0]);
  });

  it('gives a preferred member the entry if it has room, else another', () => {
    const [a, b] = [new Member('a'), new Member('b')];
    b.places = 1;
    const channel = channelOf(3, a, b);
    for (const each of channel.entries) each.prefer = 'b';
    pumpAll(channel);
    expect([a.taken, b.taken]).toEqual([[1, 2], [0]]);
  });

  it('does not give an entry back to who has just given it away, and says so when nobody else can take it', () => {
    const [a, b] = [new Member('a'), new Member('b')];
    const channel = channelOf(1, a);
    for (const each of channel.entries) each.avoid = 'a';
    expect(channel.pumpOne()).toBe('refused');
    channel.join(b);
    expect(channel.pumpOne()).toBe('taken');
    expect([a.taken, b.taken]).toEqual([[], [0]]);
  });

  it('counts what waits by type, and drops the oldest of one type alone', () => {
    const channel = new Channel();
    for (const [position, type] of ['a', 'b', 'b', 'a'].entries()) channel.push(entry(channel, position, type));
    channel.dropOldest(channel.slot('b'));
    expect([...channel.entries].map(({ position }) => position)).toEqual([0, 2, 3]);
    expect([channel.slot('a').waiting, channel.slot('b').waiting]).toEqual([2, 1]);
    channel.dropOldest(channel.slot('c'));
    expect([...channel.entries].map(({ position }) => position)).toEqual([0, 2, 3]);
    const first = channel.shift();
    if (first !== undefined) channel.putBack(first);
    expect([channel.entries.peek()?.position, channel.slot('a').waiting]).toEqual([0, 2]);
  });

  it('hands over retries ahead of what is newer, and counts them neither as unread nor as the oldest to drop', () => {
    const member = new Member('a');
    const channel = channelOf(2, member);
    for (const position of [10, 11]) channel.again.push(again(channel, position));
    channel.putBack(again(channel, 9));
    expect([channel.length, channel.slot('a').waiting]).toEqual([5, 2]);
    channel.dropOldest(channel.slot('a'));
    pumpAll(channel);
    expect([member.taken, channel.length, channel.slot('a').waiting]).toEqual([[9, 10, 11, 1], 0, 0]);
  });

  it('takes out what waits too long: events since they were stored, retries since they were due', () => {
    const channel = channelOf(2);
    for (const [position, due] of [
      [9, 500],
      [10, 700],
    ] as const)
      channel.again.push(again(channel, position, due));
    expect(channel.waitsSince).toBe(0);
    expect(channel.removeSince(500).map(({ position }) => position)).toEqual([9, 0, 1]);
    expect([channel.waitsSince, channel.length, channel.slot('a').waiting]).toEqual([700, 1, 0]);
    channel.removeSince(700);
    expect(channel.waitsSince).toBeUndefined();
  });
});

import { describe, expect, it } from '@jest/globals';
import { FIXED_TAG, slotOf, SlotTags } from './slot-tags.js';

describe('slotOf', () => {
  // What CLUSTER KEYSLOT says.
  it.each([
    ['', 0],
    ['123456789', 0x31c3],
    ['event_stream:orders:42', 484],
    ['event_stream:comment:日本:é', 3_352],
  ])('of %j is %i', (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });
});

describe('SlotTags', () => {
  const tags = new SlotTags();
  /** Every slot has a tag, reached through keys of all kinds. */
  const bySlot = new Map<number, string>();
  for (let index = 0; bySlot.size < 16_384; index++) {
    const key = `event_stream:topic:${String(index)}`;
    bySlot.set(slotOf(key), tags.tagOf(key));
  }

  it('a tag hashes to the slot of the key', () => {
    for (const [slot, tag] of bySlot) expect(slotOf(tag)).toBe(slot);
  });

  it('tags are short, and each is of one slot', () => {
    expect(new Set(bySlot.values()).size).toBe(16_384);
    for (const tag of bySlot.values()) expect(tag).toMatch(/^[0-9a-z]{1,4}$/);
    expect([...bySlot.values()]).not.toContain(FIXED_TAG);
  });

  it('they are the same in every process and release', () => {
    expect([0, 1, 484, 8_191, 16_383].map((slot) => bySlot.get(slot))).toEqual(['1bz', 'emj', 'c7z', '7ho', 'hia']);
  });

  it('it is the first text that hashes to the slot', () => {
    for (const text of ['0', 'z', '00', 'zz']) expect(tags.tagOf(text)).toBe(text);
  });
});

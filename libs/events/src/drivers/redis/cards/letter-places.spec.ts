import { describe, expect, it } from '@jest/globals';
import { compareIds } from '../stream-state.js';
import { boundOf, placeOf, readPlace } from './letter-places.js';

describe('places of letters', () => {
  it('are the ids of their entries on one server', () => {
    expect(placeOf('5-3', undefined)).toBe('5-3');
  });

  it('say the slot in a Cluster, and come back', () => {
    for (const entry of ['5-0', '5-3', '1795000000000-12345'])
      for (const slot of [0, 1, 16_383]) expect(readPlace(placeOf(entry, slot))).toEqual({ entry, slot });
  });

  it('bound what comes before them, in every slot', () => {
    const entries = ['4-0', '5-0', '5-1', '5-2', '6-0'];
    const slots = [0, 7, 16_383];
    for (const entry of entries)
      for (const slot of slots) {
        const place = placeOf(entry, slot);
        for (const other of slots)
          for (const each of entries)
            expect(compareIds(each, boundOf(place, other)) < 0).toBe(compareIds(placeOf(each, other), place) < 0);
      }
  });
});

import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../testing/clock.js';
import { World } from '../memory.spec-kit.js';
import { CardEntry } from './card-entry.js';
import { crashed, failed, NO_CARD_PAST } from './card-past.js';

const entry = new CardEntry(new World(new TestClock(0)).event('1'), 'topic', 5, 7);

describe('CardEntry', () => {
  it('is a first delivery with nothing behind it', () => {
    const { type, sequence, attempt, redelivered, failures, crashes, event } = entry;
    expect([type, sequence, attempt, redelivered, failures, crashes]).toEqual(['topic', '5-7', 1, false, 0, 0]);
    expect(event.id).toBe('1');
  });

  it('with another past is another delivery; the one before stays as it was', () => {
    const second = entry.with(crashed(failed(NO_CARD_PAST, { counted: true, error: 'x' })));
    const { sequence, attempt, redelivered, failures, crashes } = second;
    expect([sequence, attempt, redelivered, failures, crashes]).toEqual(['5-7', 3, true, 1, 1]);
    expect([entry.attempt, entry.redelivered]).toEqual([1, false]);
    expect(entry.with(entry.past)).toBe(entry);
  });
});

import { describe, expect, it } from '@jest/globals';
import { turns } from '../../../testing/clock.js';
import { Pace } from './pace.js';

describe('Pace', () => {
  it('runs tasks outside the caller, in order, and what they add in a later turn', async () => {
    const pace = new Pace();
    const ran: string[] = [];
    pace.later(() => {
      ran.push('a');
      pace.later(() => ran.push('c'));
    });
    pace.later(() => ran.push('b'));
    expect(ran).toEqual([]);
    await turns(1);
    expect(ran).toEqual(['a', 'b']);
    await turns(1);
    expect(ran).toEqual(['a', 'b', 'c']);
  });

  it('after 100 events has no more for this turn: tasks wait for the next', async () => {
    const pace = new Pace();
    const ran: number[] = [];
    for (let number = 1; number <= 3; number++) {
      pace.later(() => {
        ran.push(number);
        pace.spend(50);
      });
    }
    await turns(1);
    expect([ran, pace.exhausted]).toEqual([[1, 2], true]);
    await turns(1);
    expect([ran, pace.exhausted]).toEqual([[1, 2, 3], false]);
  });

  it('has a full turn again after a pause, whatever was spent outside a task', async () => {
    const pace = new Pace();
    pace.spend(100);
    expect(pace.exhausted).toBe(true);
    await turns(1);
    expect(pace.exhausted).toBe(false);
  });
});

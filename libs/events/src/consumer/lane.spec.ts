import { describe, expect, it } from '@jest/globals';
import { Lane } from './lane.js';

function jobs(lane: Lane, count: number, run: (index: number) => void): { run: () => void }[] {
  return Array.from({ length: count }, (_, index) => ({
    run: () => {
      run(index);
    },
  }));
}

describe('Lane', () => {
  it('runs at most its limit at once, and the others in order as places get free', () => {
    const lane = new Lane(2);
    const started: number[] = [];
    for (const job of jobs(lane, 5, (index) => started.push(index))) lane.enter(job);
    expect([started, lane.queued]).toEqual([[0, 1], 3]);
    lane.leave();
    expect([started, lane.queued]).toEqual([[0, 1, 2], 2]);
    lane.leave();
    lane.leave();
    expect([started, lane.queued]).toEqual([[0, 1, 2, 3, 4], 0]);
  });

  it('runs thousands of jobs that end at once without going deep', () => {
    const lane = new Lane(1);
    const started: number[] = [];
    lane.enter({ run: () => undefined });
    const all = jobs(lane, 50_000, (index) => {
      started.push(index);
      lane.leave();
    });
    for (const job of all) lane.enter(job);
    expect(started).toEqual([]);
    lane.leave();
    expect(started).toEqual(Array.from({ length: 50_000 }, (_, index) => index));
    expect(lane.queued).toBe(0);
  });

  it('keeps the order when a job is entered by one that runs', () => {
    const lane = new Lane(1);
    const started: string[] = [];
    const job = (name: string, inner?: () => void): { run: () => void } => ({
      run: () => {
        started.push(name);
        inner?.();
        lane.leave();
      },
    });
    lane.enter({ run: () => undefined });
    lane.enter(
      job('first', () => {
        lane.enter(job('third'));
      }),
    );
    lane.enter(job('second'));
    lane.leave();
    expect(started).toEqual(['first', 'second', 'third']);
  });

  it('goes on after a job that broke its word and threw', () => {
    const lane = new Lane(1);
    const started: number[] = [];
    lane.enter({ run: () => undefined });
    lane.enter({ run: () => { throw new Error('boom'); } }); // prettier-ignore
    lane.enter({ run: () => started.push(1) });
    expect(() => { lane.leave(); }).toThrow('boom'); // prettier-ignore
    lane.leave();
    expect(started).toEqual([1]);
  });
});

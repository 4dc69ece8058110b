import { describe, expect, it } from '@jest/globals';
import { Lane, type LaneGate, type Runnable } from './lane.js';

/** A gate that the test closes. */
class Gate implements LaneGate {
  closed = false;
  readonly held: (lane: Lane) => void;
  readonly waiting: Lane[] = [];

  constructor() {
    this.held = (lane) => this.waiting.push(lane);
  }
}

const laneOf = (limit: number, gate: LaneGate = new Gate()): Lane => new Lane(limit, gate);

function jobs(count: number, run: (index: number) => void): Runnable[] {
  return Array.from({ length: count }, (_, index) => ({
    run: () => {
      run(index);
    },
  }));
}

describe('Lane', () => {
  it('gives a place to what begins by itself, where there is one and nobody waits for it', () => {
    const gate = new Gate();
    const lane = laneOf(1, gate);
    expect([lane.take(), lane.take(), lane.running]).toEqual([true, false, 1]);
    const [job] = jobs(1, () => undefined);
    lane.enter(job!);
    gate.closed = true;
    lane.leave();
    expect([lane.running, lane.queued, lane.take()]).toEqual([0, 1, false]);
    gate.closed = false;
    expect(lane.take()).toBe(false);
    lane.pump();
    lane.leave();
    expect(lane.take()).toBe(true);
  });

  it('runs at most its limit at once, and the others in order as places get free', () => {
    const lane = laneOf(2);
    const started: number[] = [];
    for (const job of jobs(5, (index) => started.push(index))) lane.enter(job);
    expect([started, lane.running, lane.queued]).toEqual([[0, 1], 2, 3]);
    lane.leave();
    expect([started, lane.running, lane.queued]).toEqual([[0, 1, 2], 2, 2]);
    lane.leave();
    lane.leave();
    expect([started, lane.running, lane.queued]).toEqual([[0, 1, 2, 3, 4], 2, 0]);
    lane.leave();
    lane.leave();
    expect(lane.running).toBe(0);
  });

  it('runs thousands of jobs that end at once without going deep', () => {
    const lane = laneOf(1);
    const started: number[] = [];
    lane.enter({ run: () => undefined });
    const all = jobs(50_000, (index) => {
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
    const lane = laneOf(1);
    const started: string[] = [];
    const job = (name: string, inner?: () => void): Runnable => ({
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
    const lane = laneOf(1);
    const started: number[] = [];
    lane.enter({ run: () => undefined });
    lane.enter({ run: () => { throw new Error('boom'); } }); // prettier-ignore
    lane.enter({ run: () => started.push(1) });
    expect(() => { lane.leave(); }).toThrow('boom'); // prettier-ignore
    lane.leave();
    expect(started).toEqual([1]);
  });

  it('runs what is forced at once, beyond its limit and before what waits', () => {
    const lane = laneOf(1);
    const started: number[] = [];
    const [first, second, forced] = jobs(3, (index) => started.push(index));
    lane.enter(first!);
    lane.enter(second!);
    lane.force(forced!);
    expect([started, lane.running, lane.queued]).toEqual([[0, 2], 2, 1]);
    lane.leave();
    expect(started).toEqual([0, 2]);
    lane.leave();
    expect(started).toEqual([0, 2, 1]);
  });
});

describe('a lane with a closed gate', () => {
  it('begins nothing, and says that something waits', () => {
    const gate = new Gate();
    gate.closed = true;
    const lane = laneOf(2, gate);
    const started: number[] = [];
    const [first, second] = jobs(2, (index) => started.push(index));
    lane.enter(first!);
    lane.enter(second!);
    lane.pump();
    expect([started, lane.running, lane.queued]).toEqual([[], 0, 2]);
    expect(gate.waiting).toContain(lane);
    gate.closed = false;
    lane.pump();
    expect([started, lane.queued]).toEqual([[0, 1], 0]);
  });

  it('lets what runs end, says so, and begins nothing in its place', () => {
    const gate = new Gate();
    const lane = laneOf(1, gate);
    const started: number[] = [];
    for (const job of jobs(2, (index) => started.push(index))) lane.enter(job);
    gate.closed = true;
    lane.leave();
    expect([started, lane.running, gate.waiting]).toEqual([[0], 0, [lane]]);
    gate.closed = false;
    lane.pump();
    expect(started).toEqual([0, 1]);
  });

  it('stops in the middle of what waits', () => {
    const gate = new Gate();
    const lane = laneOf(3, gate);
    const started: number[] = [];
    gate.closed = true;
    for (const job of jobs(3, (index) => (gate.closed = started.push(index) === 2))) lane.enter(job);
    gate.closed = false;
    lane.pump();
    expect([started, lane.queued]).toEqual([[0, 1], 1]);
  });

  it('runs what is forced', () => {
    const gate = new Gate();
    gate.closed = true;
    const lane = laneOf(1, gate);
    const started: number[] = [];
    for (const job of jobs(1, (index) => started.push(index))) lane.force(job);
    expect([started, lane.running]).toEqual([[0], 1]);
  });
});

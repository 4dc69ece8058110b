import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { afterIo, systemClock } from './clock.js';

const DAY = 86_400_000;

describe('systemClock', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: Date.UTC(2026, 10, 20) });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('tells the wall time', () => {
    expect(systemClock.now()).toBe(Date.UTC(2026, 10, 20));
    jest.advanceTimersByTime(1_500);
    expect(systemClock.now()).toBe(Date.UTC(2026, 10, 20) + 1_500);
  });

  it('runs once, when the time has come', () => {
    const run = jest.fn();
    systemClock.after(100, run);
    jest.advanceTimersByTime(99);
    expect(run).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(DAY);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it.each([0, -1, Number.NEGATIVE_INFINITY])('runs soon, but not at once, for %d', (ms) => {
    const run = jest.fn();
    systemClock.after(ms, run);
    expect(run).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('does not run what was cancelled; cancelling twice or too late does nothing', () => {
    const [run, other] = [jest.fn(), jest.fn()];
    const timer = systemClock.after(100, run);
    const late = systemClock.after(100, other);
    timer.cancel();
    timer.cancel();
    jest.advanceTimersByTime(200);
    late.cancel();
    expect(run).not.toHaveBeenCalled();
    expect(other).toHaveBeenCalledTimes(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([2 ** 31 - 1, 2 ** 31, 60 * DAY, 400 * DAY])(
    'waits %d ms, which is as long or longer than Node can',
    (ms) => {
      const run = jest.fn();
      systemClock.after(ms, run);
      jest.advanceTimersByTime(ms - 1);
      expect(run).not.toHaveBeenCalled();
      jest.advanceTimersByTime(1);
      expect(run).toHaveBeenCalledTimes(1);
      expect(jest.getTimerCount()).toBe(0);
    },
  );

  it('cancels a long wait in any of its parts', () => {
    for (const waited of [0, 30 * DAY, 59 * DAY]) {
      const run = jest.fn();
      const timer = systemClock.after(60 * DAY, run);
      jest.advanceTimersByTime(waited);
      timer.cancel();
      expect(jest.getTimerCount()).toBe(0);
      jest.advanceTimersByTime(100 * DAY);
      expect(run).not.toHaveBeenCalled();
    }
  });

  it('does not keep the process alive, also in the later parts of a long wait', () => {
    const set = jest.spyOn(globalThis, 'setTimeout');
    const timer = systemClock.after(60 * DAY, () => {});
    jest.advanceTimersByTime(59 * DAY);
    expect(set.mock.results.length).toBeGreaterThan(1);
    for (const result of set.mock.results) expect((result.value as NodeJS.Timeout).hasRef()).toBe(false);
    timer.cancel();
    set.mockRestore();
  });
});

describe('afterIo', () => {
  it('runs once, after what is already waiting', async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      afterIo(() => {
        order.push('after I/O');
        resolve();
      });
      process.nextTick(() => order.push('tick'));
      void Promise.resolve().then(() => order.push('microtask'));
      order.push('now');
    });
    expect(order[0]).toBe('now');
    expect(order.at(-1)).toBe('after I/O');
    expect(order).toHaveLength(4);
  });
});

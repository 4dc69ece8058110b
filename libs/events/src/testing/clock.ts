import { afterIo, type Clock, type Timer } from '../core/clock.js';
import { InvalidOptionError } from '../core/errors.js';

/** Where a clock begins that is not told otherwise: 2026-01-01T00:00:00Z, the same in every run. */
const START = Date.UTC(2026, 0, 1);
/** Turns of the event loop that what a timer sets off may take before the next timer is looked for. */
const TURNS = 3;

interface Armed extends Timer {
  readonly due: number;
  readonly run: () => void;
  readonly kind: 'awaited' | undefined;
}

/**
 * A clock that stands still until a test moves it. Timers run in the order in which they are due, those of one moment in
 * the order in which they were armed; between two of them promises and I/O go on, so what they arm runs in its turn.
 */
export class TestClock implements Clock {
  private time: number;
  private readonly timers = new Set<Armed>();
  private moving: Promise<void> = Promise.resolve();

  /** @param start milliseconds since the epoch, or a date. Defaults to 2026-01-01T00:00:00Z. */
  constructor(start: number | Date = START) {
    this.time = Number(start);
    if (!Number.isFinite(this.time))
      throw new InvalidOptionError('TestClock start', start, 'milliseconds or a valid date');
  }

  now(): number {
    return this.time;
  }

  after(ms: number, run: () => void, kind?: 'awaited'): Timer {
    const timer: Armed = { due: this.time + Math.max(0, ms), run, kind, cancel: () => void this.timers.delete(timer) };
    this.timers.add(timer);
    return timer;
  }

  /** Timers that have neither run nor been cancelled; with `'awaited'`, those that somebody waits for. */
  pending(kind?: 'awaited'): number {
    return [...this.timers].filter((timer) => kind === undefined || timer.kind === kind).length;
  }

  /**
   * Lets `ms` milliseconds pass. Resolves when every timer of that time has run, and what they set off had its turn.
   * Calls at the same time happen one after the other. Rejects with what a timer throws; the clock then stands at it.
   * @throws InvalidOptionError
   */
  advance(ms: number): Promise<void> {
    if (!Number.isFinite(ms) || ms < 0) throw new InvalidOptionError('advance() ms', ms, 'a number from 0');
    const moved = this.moving.then(() => this.move(ms));
    this.moving = moved.catch(() => undefined);
    return moved;
  }

  private async move(ms: number): Promise<void> {
    const end = this.time + ms;
    await turns();
    for (let next = this.next(end); next !== undefined; next = this.next(end)) {
      this.timers.delete(next);
      this.time = Math.max(this.time, next.due);
      next.run();
      await turns();
    }
    this.time = end;
  }

  private next(end: number): Armed | undefined {
    let first: Armed | undefined;
    for (const timer of this.timers) {
      if (timer.due <= end && (first === undefined || timer.due < first.due)) first = timer;
    }
    return first;
  }
}

/** Resolves when promises and I/O that were ready have had their turn. */
export async function turns(count = TURNS): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => afterIo(resolve));
}

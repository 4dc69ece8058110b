/** A timer that can be cancelled; cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time, injected: everything in the library that waits or tells the time does it through one of these, so that tests can
 * drive it.
 */
export interface Clock {
  /** Wall time, milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds. Keeps the process alive only where somebody waits (`'awaited'`). */
  after(ms: number, run: () => void, kind?: 'awaited'): Timer;
}

const MAX_TIMEOUT = 2 ** 31 - 1;

/** The machine's clock. Waits beyond 2^31-1 ms, which Node would fire at once, are split. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run, kind) {
    let left = Math.max(0, ms);
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const step = Math.min(left, MAX_TIMEOUT);
      left -= step;
      handle = setTimeout(left > 0 ? arm : run, step);
      if (kind !== 'awaited') handle.unref();
    };
    arm();
    return {
      cancel: () => {
        clearTimeout(handle);
      },
    };
  },
};

/** Taken once: delivery must go on where a test has replaced the global by a fake. */
const immediate = setImmediate;

/** Runs `run` after pending I/O, once. */
export function afterIo(run: () => void): void {
  immediate(run);
}

import type { Clock, Timer } from '../../core/clock.js';
import { DueQueue } from './due-queue.js';

/**
 * What waits for its time, such as retries. It is the broker's: whoever is alive lends it a clock, and without anybody it
 * waits on.
 */
export class WaitingEntries<T> {
  private readonly entries = new DueQueue<T>();
  private clock: Clock | undefined;
  private timer: { readonly due: number; readonly handle: Timer } | undefined;

  /** @param hand called with each entry when it is due, in the order of time */
  constructor(private readonly hand: (entry: T) => void) {}

  add(entry: T, due: number): void {
    this.entries.add(entry, due);
    this.arm();
  }

  /** Waits by this clock from now on; undefined: nobody is alive. */
  useClock(clock: Clock | undefined): void {
    if (clock === this.clock) return;
    this.disarm();
    this.clock = clock;
    this.arm();
  }

  private arm(): void {
    const { clock, timer } = this;
    const due = this.entries.next;
    if (clock === undefined || due === undefined || (timer !== undefined && timer.due <= due)) return;
    this.disarm();
    this.timer = { due, handle: clock.after(due - clock.now(), this.wake) };
  }

  private disarm(): void {
    this.timer?.handle.cancel();
    this.timer = undefined;
  }

  private readonly wake = (): void => {
    this.timer = undefined;
    const now = this.clock?.now() ?? 0;
    for (let entry = this.entries.take(now); entry !== undefined; entry = this.entries.take(now)) this.hand(entry);
    this.arm();
  };
}

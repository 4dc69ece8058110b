import type { Clock, Timer } from '../../core/clock.js';
import type { MemoryEntry } from './channel.js';
import { DueQueue } from './due-queue.js';

/**
 * Retries that wait for their time. They are the broker's: whoever is alive lends it a clock, and without anybody they
 * wait on.
 */
export class WaitingEntries {
  private readonly entries = new DueQueue<MemoryEntry>();
  private clock: Clock | undefined;
  private timer: { readonly due: number; readonly handle: Timer } | undefined;

  /** @param hand called with each entry when it is due, in the order of time */
  constructor(private readonly hand: (entry: MemoryEntry) => void) {}

  add(entry: MemoryEntry, due: number): void {
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

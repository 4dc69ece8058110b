import type { Clock, Timer } from '../../core/clock.js';

/** Runs background work again and again, one run at a time, with jitter so that processes do not march in step. */
export class Repeater {
  private readonly timers = new Set<Timer>();
  private stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** `ms` between the end of one run and the start of the next, ± 20 %. */
  every(ms: number, work: () => Promise<void>): void {
    if (this.stopped) return;
    const timer = this.clock.after(ms * (0.8 + Math.random() * 0.4), () => {
      this.timers.delete(timer);
      void work()
        .catch(this.failed)
        .finally(() => {
          this.every(ms, work);
        });
    });
    this.timers.add(timer);
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
  }
}

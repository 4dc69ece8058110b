import type { Clock, Timer } from '../core/clock.js';

/** Retries that may wait in a process at once. */
const MAX_WAITING = 10_000;

/** Attempts that wait in this process for their time, without a place at their handler. */
export class LocalRetries<Waiting> {
  private readonly waiting = new Map<Waiting, Timer>();
  private ended = false;

  constructor(
    private readonly clock: Clock,
    private readonly due: (waiting: Waiting) => void,
  ) {}

  /** It has ended. */
  get over(): boolean {
    return this.ended;
  }

  /** False where none can wait: the process shuts down, or too many wait already. */
  add(waiting: Waiting, delay: number): boolean {
    if (this.ended || this.waiting.size >= MAX_WAITING) return false;
    const timer = this.clock.after(delay, () => {
      this.waiting.delete(waiting);
      this.due(waiting);
    });
    this.waiting.set(waiting, timer);
    return true;
  }

  /** Takes no more, and gives those that wait. */
  end(): Waiting[] {
    this.ended = true;
    return this.take(() => true);
  }

  /** Gives some of those that wait; they wait no longer. */
  take(which: (waiting: Waiting) => boolean): Waiting[] {
    const taken = [...this.waiting.keys()].filter(which);
    for (const each of taken) {
      this.waiting.get(each)?.cancel();
      this.waiting.delete(each);
    }
    return taken;
  }
}

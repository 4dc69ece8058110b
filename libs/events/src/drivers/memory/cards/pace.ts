import { afterIo } from '../../../core/clock.js';

/** Events handed over between two turns of the event loop. */
const TURN = 100;

/** Runs what hands over events in turns of the event loop, so that I/O goes on however many there are. */
export class Pace {
  private left = TURN;
  private readonly tasks: (() => void)[] = [];
  private armed = false;

  /** True when the rest belongs into a later turn. */
  get exhausted(): boolean {
    return this.left <= 0;
  }

  /** So many events are handed over. */
  spend(count: number): void {
    this.left -= count;
    this.arm();
  }

  /** Runs a task in a later turn, after those that were there before. A task must not throw. */
  later(task: () => void): void {
    this.tasks.push(task);
    this.arm();
  }

  private arm(): void {
    if (this.armed) return;
    this.armed = true;
    afterIo(this.turn);
  }

  private readonly turn = (): void => {
    this.armed = false;
    this.left = TURN;
    let done = 0;
    // What a task adds is for a later turn.
    const count = this.tasks.length;
    while (done < count && !this.exhausted) this.tasks[done++]?.();
    this.tasks.splice(0, done);
    if (this.tasks.length > 0) this.arm();
  };
}

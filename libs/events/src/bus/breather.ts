import { afterIo } from '../core/clock.js';

/**
 * Publishes that may end without I/O in one turn of the event loop. Fewer than what a subscriber takes in one (`prefetch`,
 * 64): a loop that is ahead of the handlers of its own process piles up events, which costs more than handling them.
 */
const TURN = 50;

/**
 * Lets awaited publishes that need no I/O wait for a turn of the event loop once in a while: a loop of them would starve
 * timers, sockets and the handlers.
 */
export class Breather {
  private passed = 0;
  private turn: Promise<void> | undefined;

  pass<T>(value: T): Promise<T> {
    if (++this.passed < TURN) return Promise.resolve(value);
    this.turn ??= new Promise((resolve) => {
      afterIo(() => {
        this.passed = 0;
        this.turn = undefined;
        resolve();
      });
    });
    return this.turn.then(() => value);
  }
}

import type { Clock } from '../../core/clock.js';

/** How far the server's clock may be off from what was read last, ms. */
const SLACK = 5_000;

/** What the time is on the server, as far as its last answer tells. */
export class ServerClock {
  private offset = 0;

  constructor(private readonly clock: Clock) {}

  /** Takes the server's time from an answer. */
  observe(ms: number): void {
    this.offset = ms - this.clock.now();
  }

  now(): number {
    return this.clock.now() + this.offset;
  }

  /** A stream id that is surely before anything appended from now on. */
  idBefore(): string {
    return `${String(Math.max(0, Math.floor(this.now()) - SLACK))}-0`;
  }
}

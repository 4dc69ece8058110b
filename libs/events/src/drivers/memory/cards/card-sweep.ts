import { afterIo, type Clock, type Timer } from '../../../core/clock.js';
import type { RegisteredCards } from './registered-cards.js';

/** Cards looked at between two turns of the event loop. */
const CHUNK = 5_000;

/** Who is alive, and lends a clock. */
export interface SweepLender {
  readonly clock: Clock;
  /** How long a card is idle before it rests, ms. */
  readonly idleAfter: number;
  /** Between two sweeps at least, ms. */
  readonly sweep: number;
}

/** Lets idle cards rest, and forgets them in the end: one timer for all, armed only while there is something to wait for. */
export class CardSweep {
  private lender: SweepLender | undefined;
  private timer: Timer | undefined;
  private walking = false;
  /** A card has become idle since the last walk began. */
  private wanted = false;

  /** @param topics the cards of each topic */
  constructor(private readonly topics: () => Iterable<RegisteredCards>) {}

  /** Waits by this lender's clock from now on; undefined: nobody is alive. */
  lend(lender: SweepLender | undefined): void {
    if (lender?.clock === this.lender?.clock) return;
    const wasArmed = this.timer !== undefined;
    this.timer?.cancel();
    this.timer = undefined;
    this.lender = lender;
    if (wasArmed) this.wanted = true;
    if (this.wanted) this.arm();
  }

  /** A card has become idle. */
  arm(): void {
    if (this.timer !== undefined) return;
    this.wanted = true;
    if (this.lender !== undefined && !this.walking) this.start(this.lender.idleAfter);
  }

  private start(wait: number): void {
    this.wanted = false;
    this.timer = this.lender?.clock.after(wait, () => {
      this.timer = undefined;
      this.walking = true;
      this.walk(this.rows(), Infinity);
    });
  }

  private walk(rows: Iterator<number | undefined>, earliest: number): void {
    let next = earliest;
    for (let left = CHUNK; left > 0; left--) {
      const row = rows.next();
      if (row.done === true) {
        this.walked(next);
        return;
      }
      next = Math.min(next, row.value ?? Infinity);
    }
    afterIo(() => {
      this.walk(rows, next);
    });
  }

  private walked(next: number): void {
    const { lender, wanted } = this;
    this.walking = false;
    if (lender === undefined) {
      this.wanted = true;
      return;
    }
    const { clock, idleAfter, sweep } = lender;
    const wait = Math.min(next - clock.now(), wanted ? idleAfter : Infinity);
    if (wait < Infinity) this.start(Math.max(wait, sweep));
  }

  /** Reaps card after card, and gives when each is due next. */
  private *rows(): Generator<number | undefined> {
    for (const cards of this.topics()) {
      for (const [cardId, row] of cards.all()) {
        const { lender } = this;
        if (lender === undefined) return;
        yield cards.reap(cardId, row, lender.idleAfter, lender.clock.now());
      }
    }
  }
}

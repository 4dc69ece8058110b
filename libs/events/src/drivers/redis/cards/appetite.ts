/** Characters of one card's events that are handed over together, about. */
const BUDGET = 64 * 1024;
/** Weight of the last event in the average. */
const WEIGHT = 1 / 16;

/** How many events of a card to hand over together: fewer of large ones, because a call does so for many cards. */
export class Appetite {
  private average = 0;

  /** @param take events, at most */
  constructor(private readonly take: number) {}

  get most(): number {
    const affordable = Math.floor(BUDGET / this.average);
    return affordable >= this.take ? this.take : Math.max(1, affordable);
  }

  /** An event had this size. */
  taste(size: number): void {
    this.average += (size - this.average) * WEIGHT;
  }
}

import type { Settlement } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import { isPromise } from '../pipeline/compose.js';
import type { CardDelivery } from '../ports/cards.js';
import { CardJob } from './card-job.js';
import { CardLane } from './card-lane.js';
import { problemOf } from './head-failure.js';

/** Handles the events of a card one by one. */
export class SingleLane extends CardLane {
  protected async work(): Promise<void> {
    const { card } = this;
    let { entries } = card;
    let index = 0;
    for (let delivery = entries[0]; delivery !== undefined; delivery = entries[index]) {
      if (!this.mayBegin()) return this.giveBack();
      const handling = this.handle(delivery);
      const settlement = isPromise(handling) ? await handling : handling;
      this.left();
      if (settlement === undefined || this.abandoned !== undefined) return this.giveBack();
      this.handled++;
      const then = this.then(entries.length - ++index);
      let more: readonly CardDelivery[];
      if (settlement.kind === 'ack') more = await card.ack(1, then);
      else {
        const row = this.burial(settlement, delivery);
        if (row === undefined) return this.halt(settlement, delivery);
        more = await card.bury(row, then);
      }
      if (then === 'yield') return;
      if (then === 'keep') continue;
      entries = more;
      index = 0;
    }
    // The last one in hand ended as the lane was stopped.
    if (card.held) await this.giveBack();
  }

  /** Undefined: nothing may begin any more. */
  private handle(delivery: CardDelivery): Settlement | Promise<Settlement | undefined> {
    const { event } = delivery;
    const problem = problemOf(delivery);
    if (problem !== undefined || event === undefined) return this.undecodable(problem ?? '');
    if (this.suspects(delivery)) return this.alone(delivery, () => this.begin(delivery, event, true));
    return this.entry.lane.take() ? this.begin(delivery, event, false) : this.handleLater(delivery, event);
  }

  private async handleLater(delivery: CardDelivery, event: EventEnvelope): Promise<Settlement | undefined> {
    return (await this.place()) ? this.begin(delivery, event, false) : undefined;
  }

  /** It has a place. */
  private begin(delivery: CardDelivery, event: EventEnvelope, alone: boolean): Settlement | Promise<Settlement> {
    const { host, entry } = this;
    const job = new CardJob(host, event, delivery, this);
    job.alone = alone;
    this.jobs = [job];
    return host.scope.run(job, entry.step, job);
  }
}

import type { Batching } from '../core/declaration.js';
import { ACK, RELEASE, type Settlement } from '../core/delivery.js';
import type { WholeBatch } from '../pipeline/compose.js';
import type { CardDelivery, CardTurn } from '../ports/cards.js';
import { callBatch, CardBatch } from './card-batch.js';
import { CardJob } from './card-job.js';
import { CardLane, type LaneHandler, type LaneHost } from './card-lane.js';
import { problemOf } from './head-failure.js';

/** Between two looks whether a batch is full: at first, and at most, ms. A card in hand announces no events. */
const FIRST_LOOK = 5;
const LONGEST_LOOK = 250;

/** Handles consecutive events of a card in one call. */
export class BatchLane extends CardLane {
  /** Ends the wait for a batch to be full. */
  private rush: (() => void) | undefined;

  constructor(
    host: LaneHost,
    entry: LaneHandler,
    card: CardTurn,
    private readonly batching: Batching,
  ) {
    super(host, entry, card);
  }

  override hurry(): void {
    super.hurry();
    this.rush?.();
  }

  protected async work(): Promise<void> {
    let { entries } = this.card;
    for (let head = entries[0]; head !== undefined; head = entries[0]) {
      entries = await this.fill(entries);
      if (!this.mayBegin()) return this.giveBack();
      const batch = this.begins(entries);
      const settlements = await this.handle(batch);
      this.left();
      if (settlements === undefined || this.abandoned !== undefined) return this.giveBack();
      const more = await this.settle(batch, settlements, entries);
      if (more === undefined) return;
      entries = more;
    }
    // The last ones in hand ended as the lane was stopped, or are gone.
    if (this.card.held) await this.giveBack();
  }

  /** Waits until there are enough for a batch, or those that are there have waited long enough. */
  private async fill(given: readonly CardDelivery[]): Promise<readonly CardDelivery[]> {
    const { clock } = this.host;
    const { size, maxWait } = this.batching;
    const [head] = given;
    // One that comes again has waited before.
    const end = head !== undefined && head.failures + head.crashes > 0 ? 0 : clock.now() + maxWait;
    let entries = given;
    for (let look = FIRST_LOOK; entries.length < size; look = Math.min(look * 2, LONGEST_LOOK)) {
      const left = end - clock.now();
      if (left <= 0 || this.hurried || entries.length === 0 || !this.mayBegin()) break;
      await this.pause(Math.min(look, left));
      if (this.mayBegin()) entries = await this.card.refill();
    }
    return entries;
  }

  private async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.host.clock.after(ms, resolve);
      this.wake = this.rush = () => {
        timer.cancel();
        resolve();
      };
    });
    this.wake = this.rush = undefined;
  }

  /** What goes together: up to an entry that cannot be read, which is alone, as is a suspect. */
  private begins(entries: readonly CardDelivery[]): readonly CardDelivery[] {
    const [head] = entries;
    if (head === undefined || this.suspects(head)) return entries.slice(0, 1);
    const bad = entries.findIndex((entry) => problemOf(entry) !== undefined);
    return bad < 0 ? entries : entries.slice(0, Math.max(bad, 1));
  }

  /** Undefined: nothing may begin any more. */
  private async handle(batch: readonly CardDelivery[]): Promise<readonly Settlement[] | undefined> {
    const [head] = batch;
    if (head === undefined) return undefined;
    const problem = problemOf(head);
    if (problem !== undefined) return [this.undecodable(problem)];
    if (this.suspects(head)) {
      const settlement = await this.alone(head, async () => (await this.begin(batch, true))[0] ?? RELEASE);
      return settlement && [settlement];
    }
    return this.entry.lane.take() || (await this.place()) ? this.begin(batch, false) : undefined;
  }

  /** It has a place. */
  private begin(deliveries: readonly CardDelivery[], alone: boolean): Promise<readonly Settlement[]> {
    const { host, entry } = this;
    const { whole } = entry;
    if (whole !== undefined) return this.callWhole(this.jobsOf(deliveries, alone), whole);
    const batch = new CardBatch(host.scope, entry.step, this.stops);
    return batch.run(this.jobsOf(deliveries, alone, batch));
  }

  private jobsOf(deliveries: readonly CardDelivery[], alone: boolean, batch?: CardBatch): readonly CardJob[] {
    const jobs: CardJob[] = [];
    for (const delivery of deliveries) {
      if (delivery.event === undefined) continue;
      const job = new CardJob(this.host, delivery.event, delivery, this, batch);
      job.alone = alone;
      jobs.push(job);
    }
    this.jobs = jobs;
    return jobs;
  }

  private async callWhole(jobs: readonly CardJob[], { call, failed }: WholeBatch): Promise<readonly Settlement[]> {
    const { index: failedAt, error } = await callBatch(this.host.scope, call, jobs);
    return jobs.map((job, index) => {
      if (index < failedAt) return ACK;
      return index > failedAt ? RELEASE : failed(job, error);
    });
  }

  /** The card waits with an event that is settled so. */
  private readonly stops = ({ kind }: Settlement): boolean =>
    kind !== 'ack' && (kind !== 'dead-letter' || this.entry.declaration.onExhausted === 'park');

  /** Settles a batch in order, as far as it is done. Gives what is in hand then; undefined: the card is not. */
  private async settle(
    batch: readonly CardDelivery[],
    settlements: readonly Settlement[],
    entries: readonly CardDelivery[],
  ): Promise<readonly CardDelivery[] | undefined> {
    const { card } = this;
    let done = 0;
    for (const [index, delivery] of batch.entries()) {
      const settlement = settlements[index] ?? RELEASE;
      if (settlement.kind === 'ack') {
        this.handled++;
        done++;
        continue;
      }
      if (done > 0) await card.ack(done, 'keep');
      done = 0;
      // Behind one that is a dead letter now: it has not been handled.
      if (settlement.kind === 'release' && index > 0) return entries.slice(index);
      const row = this.burial(settlement, delivery);
      if (row === undefined) {
        await this.halt(settlement, delivery);
        return undefined;
      }
      this.handled++;
      const rest = entries.slice(index + 1);
      const then = index + 1 < batch.length ? 'keep' : this.then(rest.length);
      const more = await card.bury(row, then);
      if (index + 1 === batch.length) return inHand(then, rest, more);
    }
    const rest = entries.slice(batch.length);
    const then = this.then(rest.length);
    return inHand(then, rest, await card.ack(done, then));
  }
}

function inHand(
  then: 'keep' | 'next' | 'yield',
  rest: readonly CardDelivery[],
  more: readonly CardDelivery[],
): readonly CardDelivery[] | undefined {
  if (then === 'yield') return undefined;
  return then === 'next' ? more : rest;
}

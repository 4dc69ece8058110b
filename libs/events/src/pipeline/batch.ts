import { AsyncResource } from 'node:async_hooks';
import type { Clock, Timer } from '../core/clock.js';
import type { EventContext } from '../core/context.js';
import type { Batching } from '../core/declaration.js';
import { ACK, type Settlement } from '../core/delivery.js';
import { InvalidOptionError, isEventsError } from '../core/errors.js';
import type { BatchError } from '../core/handler-errors.js';
import type { HandlerJob } from './job.js';
import type { Watchdog } from './watchdog.js';

export interface BatchOptions extends Batching {
  readonly clock: Clock;
  /** Batches at once. */
  readonly concurrency: number;
  readonly watchdog: Watchdog | undefined;
  readonly invoke: (payloads: readonly unknown[], contexts: readonly EventContext[]) => unknown;
}

interface Item {
  readonly job: HandlerJob;
  /** The scope of its event: what the handler publishes is caused by the first event of the batch. */
  readonly scope: AsyncResource;
  /** When it has waited long enough, ms. */
  readonly due: number;
  readonly resolve: (settlement: Settlement) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The innermost step of a batch handler: gathers events until there are `size`, or until the first has waited `maxWait`,
 * and settles each on its own.
 */
export class Batcher {
  private items: Item[] = [];
  private running = 0;
  private timer: Timer | undefined;
  /** What is there goes without waiting. */
  private flushing = false;
  private hurried = false;
  constructor(private readonly options: BatchOptions) {}

  readonly step = (job: HandlerJob): Promise<Settlement> =>
    new Promise((resolve, reject) => {
      const { clock, maxWait } = this.options;
      const item: Item = {
        job,
        scope: new AsyncResource('cardinal.batch'),
        due: clock.now() + maxWait,
        resolve,
        reject,
      };
      if (job.alone) {
        // It would wait for others that may not begin.
        this.begin([item]);
        return;
      }
      this.items.push(item);
      this.pump(false);
    });

  /** Waits no longer with what is there; with `always`, nor with what comes. */
  hurry(always: boolean): void {
    this.hurried ||= always;
    this.flushing = true;
    this.pump(false);
    this.flushing = this.items.length > 0;
  }

  /** `timed`: what has waited long enough goes; else it is left to the timer, so that a turn's events go together. */
  private pump(timed: boolean): void {
    const { size, concurrency } = this.options;
    while (
      this.running < concurrency &&
      this.items.length > 0 &&
      (this.items.length >= size || this.hurried || this.flushing || (timed && this.isDue()))
    ) {
      this.begin(this.items.splice(0, size));
    }
    this.await();
  }

  private begin(batch: readonly Item[]): void {
    this.running++;
    batch[0]?.scope.runInAsyncScope(() => {
      void this.run(batch);
    });
  }

  private isDue(): boolean {
    return (this.items[0]?.due ?? Infinity) <= this.options.clock.now();
  }

  /** Looks again when the oldest has waited long enough. Full and due ones go when a batch has ended. */
  private await(): void {
    const { clock, concurrency } = this.options;
    this.timer?.cancel();
    this.timer = undefined;
    const [oldest] = this.items;
    if (oldest === undefined) this.flushing = false;
    else if (this.running < concurrency)
      this.timer = clock.after(oldest.due - clock.now(), () => {
        this.pump(true);
      });
  }

  private async run(batch: readonly Item[]): Promise<void> {
    const { invoke, watchdog } = this.options;
    const jobs = batch.map(({ job }) => job);
    try {
      const payloads = jobs.map((job) => job.payload);
      const contexts = jobs.map((job) => job.context);
      const done = Promise.resolve(invoke(payloads, contexts));
      await (watchdog === undefined ? done : watchdog.watch(jobs, done));
      for (const item of batch) item.resolve(ACK);
    } catch (error) {
      fail(batch, error);
    }
    this.running--;
    this.pump(true);
  }
}

/** A `BatchError` fails its items alone; anything else all of them. */
function fail(batch: readonly Item[], error: unknown): void {
  const indexes = isEventsError(error, 'BATCH') ? (error as Partial<BatchError>).indexes : undefined;
  if (!Array.isArray(indexes)) {
    for (const item of batch) item.reject(error);
    return;
  }
  const failed = new Set<number>(indexes);
  const outside = [...failed].find((each) => batch[each] === undefined);
  const wrong =
    outside === undefined
      ? undefined
      : new InvalidOptionError('BatchError indexes', outside, `0 to ${String(batch.length - 1)}`);
  for (const [index, item] of batch.entries()) {
    if (wrong !== undefined) item.reject(wrong);
    else if (failed.has(index)) item.reject((error as { cause?: unknown }).cause ?? error);
    else item.resolve(ACK);
  }
}

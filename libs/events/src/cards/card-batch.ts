import { ACK, RELEASE, type Settlement } from '../core/delivery.js';
import { InvalidOptionError, isEventsError } from '../core/errors.js';
import type { BatchError } from '../core/handler-errors.js';
import type { ScopeStorage } from '../core/scope.js';
import { isPromise, type BatchCall, type WaitingStep } from '../pipeline/compose.js';
import type { CardJob, JobBatch } from './card-job.js';

/** A job that has come through the pipeline. */
interface Arrival {
  readonly job: CardJob;
  readonly resolve: (settlement: Settlement) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Consecutive events of one card in one call of their handler. Each goes through the pipeline by itself; those that the
 * handler is to have meet at its end, and it is called when all are there or have ended on the way. What comes after an
 * event that has to wait, waits too.
 */
export class CardBatch implements JobBatch {
  private readonly arrivals = new Map<CardJob, Arrival>();
  private readonly ended = new Map<CardJob, Settlement>();
  private jobs: readonly CardJob[] = [];
  private call: BatchCall | undefined;

  /** @param stops the card waits with an event that is settled so */
  constructor(
    private readonly scope: ScopeStorage,
    private readonly step: WaitingStep,
    private readonly stops: (settlement: Settlement) => boolean,
  ) {}

  /** Settlements in the order of the jobs; what follows the first with which the card stops means nothing. */
  async run(jobs: readonly CardJob[]): Promise<readonly Settlement[]> {
    this.jobs = jobs;
    return Promise.all(jobs.map((job) => this.pass(job)));
  }

  join(job: CardJob, call: BatchCall): Promise<Settlement> {
    this.call = call;
    return new Promise((resolve, reject) => {
      this.arrivals.set(job, { job, resolve, reject });
      this.look();
    });
  }

  private async pass(job: CardJob): Promise<Settlement> {
    const passing = this.scope.run(job, this.step, job);
    const settlement = isPromise(passing) ? await passing : passing;
    if (!this.arrivals.has(job)) {
      this.ended.set(job, settlement);
      this.look();
    }
    return settlement;
  }

  /** Calls the handler when nobody is on the way any more. */
  private look(): void {
    const { jobs, arrivals, ended } = this;
    if (arrivals.size + ended.size < jobs.length) return;
    const stop = jobs.findIndex((job) => this.stopsAt(job));
    const going = stop < 0 ? jobs : jobs.slice(0, stop);
    const members = arrivalsOf(going, arrivals);
    for (const { resolve } of arrivalsOf(jobs.slice(going.length), arrivals)) resolve(RELEASE);
    if (members.length > 0) void this.handle(members);
  }

  private stopsAt(job: CardJob): boolean {
    const settlement = this.ended.get(job);
    return settlement !== undefined && this.stops(settlement);
  }

  private async handle(members: readonly Arrival[]): Promise<void> {
    const { call } = this;
    const failure = await callBatch(
      this.scope,
      call,
      members.map(({ job }) => job),
    );
    for (const [index, { resolve, reject }] of members.entries()) {
      if (index < failure.index) resolve(ACK);
      else if (index > failure.index) resolve(RELEASE);
      else reject(failure.error);
    }
  }
}

/** The first event of a batch that failed, and with what: those before it are done, those after it wait. */
export interface BatchFailure {
  /** That of no event where all are done. */
  readonly index: number;
  readonly error: unknown;
}

const DONE: BatchFailure = Object.freeze({ index: Infinity, error: undefined });

/** Calls the handler of a batch. What it publishes is caused by the first event. Never rejects. */
export async function callBatch(
  scope: ScopeStorage,
  call: BatchCall | undefined,
  jobs: readonly CardJob[],
): Promise<BatchFailure> {
  const [first] = jobs;
  if (first === undefined || call === undefined) return DONE;
  try {
    await scope.run(first, call, jobs);
    return DONE;
  } catch (error) {
    return failureOf(error, jobs.length);
  }
}

/** The lowest index of a `BatchError`; of anything else, the first. */
function failureOf(error: unknown, size: number): BatchFailure {
  const indexes = isEventsError(error, 'BATCH') ? (error as Partial<BatchError>).indexes : undefined;
  if (indexes === undefined) return { index: 0, error };
  const outside = indexes.find((each) => each >= size);
  if (outside !== undefined)
    return { index: 0, error: new InvalidOptionError('BatchError indexes', outside, `0 to ${String(size - 1)}`) };
  return { index: Math.min(...indexes), error: (error as { cause?: unknown }).cause ?? error };
}

function arrivalsOf(jobs: readonly CardJob[], arrivals: ReadonlyMap<CardJob, Arrival>): Arrival[] {
  return jobs.flatMap((job) => arrivals.get(job) ?? []);
}

import type { Clock, Timer } from '../core/clock.js';
import { isEventsError } from '../core/errors.js';
import { HandlerTimeoutError } from '../core/handler-errors.js';
import type { HandlerJob } from './job.js';

export interface WatchdogOptions {
  readonly clock: Clock;
  /** How long a run may take, ms. */
  readonly timeout: number;
  /** How long after that a run that goes on is waited for, ms. */
  readonly stuckAfter: number;
  /** A run has gone on in spite of its signal. */
  readonly stuck: (job: HandlerJob) => void;
}

/** A run under way. */
interface Run {
  readonly jobs: readonly HandlerJob[];
  readonly giveUp: (error: unknown) => void;
  deadline: number;
  timedOut: HandlerTimeoutError | undefined;
}

/**
 * Watches the runs of one handler, with one timer for all of them. After the timeout the signal
 * aborts; the run is waited for until it ends, because what it does cannot be stopped from outside, at most `stuckAfter`.
 */
export class Watchdog {
  private readonly runs = new Set<Run>();
  private timer: Timer | undefined;
  /** When it fires, ms. */
  private next = Infinity;

  constructor(private readonly options: WatchdogOptions) {}

  /** The handler's promise; rejects with HandlerTimeoutError where it fails after its timeout, or does not end. */
  watch<T>(jobs: readonly HandlerJob[], promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { clock, timeout } = this.options;
      const run: Run = { jobs, giveUp: reject, deadline: clock.now() + timeout, timedOut: undefined };
      this.runs.add(run);
      this.arm(run.deadline);
      promise.then(
        (value) => {
          this.runs.delete(run);
          resolve(value);
        },
        (error: unknown) => {
          this.runs.delete(run);
          reject(run.timedOut === undefined || isWish(error) ? (error as Error) : this.late(run, error));
        },
      );
    });
  }

  private arm(at: number): void {
    if (at >= this.next) return;
    const { clock } = this.options;
    this.timer?.cancel();
    this.next = at;
    this.timer = clock.after(at - clock.now(), this.look);
  }

  private readonly look = (): void => {
    this.timer = undefined;
    this.next = Infinity;
    const { clock, stuckAfter } = this.options;
    const now = clock.now();
    let next = Infinity;
    for (const run of this.runs) {
      if (run.deadline <= now && run.timedOut === undefined) {
        this.expire(run);
        run.deadline = now + stuckAfter;
      }
      if (run.deadline <= now) this.giveUp(run);
      else next = Math.min(next, run.deadline);
    }
    this.arm(next);
  };

  private expire(run: Run): void {
    run.timedOut = this.late(run, undefined);
    for (const job of run.jobs) job.abort(run.timedOut);
  }

  private giveUp(run: Run): void {
    this.runs.delete(run);
    for (const job of run.jobs) this.options.stuck(job);
    run.giveUp(run.timedOut);
  }

  private late({ jobs }: Run, cause: unknown): HandlerTimeoutError {
    return new HandlerTimeoutError(jobs[0]?.context.handler ?? '', this.options.timeout, { cause });
  }
}

/** What a handler says of its event, however late. */
function isWish(error: unknown): boolean {
  return isEventsError(error, 'BATCH') || isEventsError(error, 'REJECT') || isEventsError(error, 'RETRY_LATER');
}

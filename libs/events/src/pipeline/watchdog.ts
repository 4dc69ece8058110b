import { Chain, Link } from '../core/chain.js';
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

/** A handler's run, as its watchdog knows it. */
export abstract class Run extends Link {
  /** When its time is up, ms. */
  deadline = 0;
  timedOut: HandlerTimeoutError | undefined = undefined;

  /** The events that it is about. */
  abstract readonly jobs: readonly HandlerJob[];

  /** It is waited for no longer. */
  abstract giveUp(error: HandlerTimeoutError): void;
}

/**
 * Watches the runs of one handler, with one timer for all of them. After the timeout the signal
 * aborts; the run is waited for until it ends, because what it does cannot be stopped from outside, at most `stuckAfter`.
 */
export class Watchdog {
  private readonly runs = new Chain<Run>();
  private timer: Timer | undefined;
  /** When it fires, ms. */
  private next = Infinity;

  constructor(private readonly options: WatchdogOptions) {}

  begin(run: Run): void {
    const { clock, timeout } = this.options;
    run.deadline = clock.now() + timeout;
    this.runs.add(run);
    this.arm(run.deadline);
  }

  /** Takes a run off that has ended; false where it has been given up. */
  end(run: Run): boolean {
    return run.leave();
  }

  /** What a run is said to have failed with: its timeout, where that came first. */
  blame(run: Run, error: unknown): Error {
    return run.timedOut === undefined || isWish(error) ? (error as Error) : this.timeoutOf(run, error);
  }

  /** The handler's promise; rejects with HandlerTimeoutError where it fails after its timeout, or does not end. */
  watch<T>(jobs: readonly HandlerJob[], promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const run = new WatchedRun(jobs, reject);
      this.begin(run);
      promise.then(
        (value) => {
          this.end(run);
          resolve(value);
        },
        (error: unknown) => {
          this.end(run);
          reject(this.blame(run, error));
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
      if (run.deadline <= now) {
        const timedOut = run.timedOut ?? this.expire(run, now + stuckAfter);
        if (run.deadline <= now) {
          this.giveUp(run, timedOut);
          continue;
        }
      }
      next = Math.min(next, run.deadline);
    }
    this.arm(next);
  };

  /** Its signal aborts; until `end` ms it is waited for. */
  private expire(run: Run, end: number): HandlerTimeoutError {
    const error = this.timeoutOf(run, undefined);
    run.timedOut = error;
    run.deadline = end;
    for (const job of run.jobs) job.abort(error);
    return error;
  }

  private giveUp(run: Run, error: HandlerTimeoutError): void {
    run.leave();
    for (const job of run.jobs) this.options.stuck(job);
    // Later: what that sets off must not come between the runs that are still to be looked at.
    queueMicrotask(() => {
      run.giveUp(error);
    });
  }

  private timeoutOf({ jobs }: Run, cause: unknown): HandlerTimeoutError {
    return new HandlerTimeoutError(jobs[0]?.context.handler ?? '', this.options.timeout, { cause });
  }
}

/** A run whose end a promise tells. */
class WatchedRun extends Run {
  constructor(
    readonly jobs: readonly HandlerJob[],
    readonly giveUp: (error: HandlerTimeoutError) => void,
  ) {
    super();
  }
}

/** What a handler says of its event, however late. */
function isWish(error: unknown): boolean {
  return isEventsError(error, 'BATCH') || isEventsError(error, 'REJECT') || isEventsError(error, 'RETRY_LATER');
}

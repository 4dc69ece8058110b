import type { Clock } from '../core/clock.js';
import { ACK, RELEASE, type Settlement, type Verdict } from '../core/delivery.js';
import { Job, type JobHost } from './job.js';
import { LocalRetries } from './local-retries.js';
import type { HandlerEntry } from './registry.js';
import { deadLetterRow, Tracker } from './tracker.js';

type Retry = Extract<Settlement, { kind: 'retry' }>;

/** The consumer, as the attempts that wait in its process know it. */
export interface AttemptsHost extends JobHost {
  readonly beside: Set<Promise<unknown>>;
  end(job: Job, settlement: Settlement): void;
  settle(tracker: Tracker, verdict: Verdict): void;
}

/**
 * Next attempts of deliveries that no backend keeps for us. A broadcast event is over for its ungrouped handlers when
 * their first attempts have ended; what comes after that is the process's own affair. A unicast event stays pending.
 */
export class WaitingAttempts {
  private readonly waiting: LocalRetries<Job>;
  private readonly running = new Set<Tracker>();

  constructor(
    private readonly host: AttemptsHost,
    clock: Clock,
  ) {
    this.waiting = new LocalRetries(clock, (job) => {
      this.begin(job);
    });
  }

  /** Keeps the next attempt of a job; false where that is the backend's part, or where none can wait for a unicast event. */
  take(job: Job, settlement: Retry): boolean {
    const { delivery, intake } = job.tracker;
    const kind = intake?.spec.kind;
    if (kind === 'inbox') return this.keepUnicast(job, settlement);
    if (kind !== undefined && kind !== 'process') return false;
    const tracker = new Tracker(
      delivery,
      (own) => {
        this.host.settle(own, own.verdict());
      },
      intake,
    );
    const next = this.next(job, settlement, tracker);
    if (job.entry.closed || !this.waiting.add(next, settlement.delay)) this.file(next);
    if (settlement.counted) (job.tracker.failed ??= []).push({ handler: job.handler, error: settlement.error });
    this.host.end(job, ACK);
    return true;
  }

  /** No attempt waits any more: what waited becomes dead letters, or goes back. */
  end(): void {
    for (const job of this.waiting.end()) {
      if (job.tracker.intake?.spec.kind === 'inbox') this.host.end(job, RELEASE);
      else this.file(job);
    }
  }

  /** A handler is closed: what waits for it becomes dead letters. */
  close(entry: HandlerEntry): void {
    for (const job of this.waiting.take((each) => each.entry === entry)) {
      const { tracker, lastError: error } = job;
      if (tracker.intake?.spec.kind === 'inbox')
        this.host.end(job, { kind: 'dead-letter', reason: 'handler-failed', error });
      else this.file(job);
    }
  }

  /** Aborts what runs and is counted by no intake. */
  abort(reason: Error): void {
    for (const tracker of this.running) tracker.abort(reason);
  }

  /** No intake counts this delivery: the drain waits for it here. */
  track(tracker: Tracker): void {
    const { beside } = this.host;
    this.running.add(tracker);
    const ended = new Promise<void>((resolve) => {
      tracker.ended = resolve;
    });
    beside.add(ended);
    void ended.then(() => {
      this.running.delete(tracker);
      beside.delete(ended);
    });
  }

  /** Its time has come. */
  private begin(job: Job): void {
    const { tracker, entry } = job;
    if (tracker.intake?.spec.kind !== 'inbox') {
      tracker.pending = 1;
      tracker.entries = [entry];
      this.track(tracker);
    }
    entry.lane.enter(job);
  }

  /** False at the end of the process: then the event goes back. */
  private keepUnicast(job: Job, settlement: Retry): boolean {
    if (!job.entry.closed && this.waiting.add(this.next(job, settlement, job.tracker), settlement.delay)) return true;
    if (this.waiting.over) return false;
    this.host.end(job, { kind: 'dead-letter', reason: 'handler-failed', error: settlement.error });
    return true;
  }

  private next({ attempt, failures, event, entry }: Job, { counted, error }: Retry, tracker: Tracker): Job {
    const more = counted ? 1 : 0;
    const next = new Job(this.host, event, entry, tracker, attempt + more, failures + more);
    next.lastError = error;
    return next;
  }

  /** Files a failure of which no attempt will come any more. */
  private file({ tracker, handler, failures, lastError: error }: Job): void {
    const row = deadLetterRow(handler, { kind: 'dead-letter', reason: 'handler-failed', error }, failures);
    this.host.settle(tracker, { kind: 'ack', deadLetters: [row] });
  }
}

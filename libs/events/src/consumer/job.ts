import { ACK, RELEASE, type Delivery, type Settlement } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import type { ScopeStorage } from '../core/scope.js';
import { isPromise, type HandlingHost, type Outcome } from '../pipeline/compose.js';
import { EventJob, type EventJobHost } from './event-job.js';
import type { Runnable } from './lane.js';
import type { HandlerEntry } from './registry.js';
import type { Attempt, Tracker } from './tracker.js';

/** What a job needs from the consumer that runs it. */
export interface JobHost extends EventJobHost {
  readonly scope: ScopeStorage;
  ended(job: Job, settlement: Settlement): void;
}

/** One handler's run of one delivery of the bus. */
export class Job extends EventJob implements HandlingHost, Runnable, Attempt {
  /** What the attempt before this one failed with, where it waited in the process. */
  lastError: unknown = undefined;

  constructor(
    protected override readonly host: JobHost,
    event: EventEnvelope,
    readonly entry: HandlerEntry,
    readonly tracker: Tracker,
    attempt: number,
    failures: number,
  ) {
    super(host, event, attempt, failures);
  }

  get ephemeral(): boolean {
    return this.tracker.intake === undefined;
  }
  get delivery(): Delivery {
    return this.tracker.delivery;
  }
  get group(): string | undefined {
    return this.entry.declaration.group;
  }
  get handler(): string {
    return this.entry.declaration.name;
  }

  override get isAborted(): boolean {
    return super.isAborted || this.tracker.aborted;
  }

  /** Runs the pipeline and reports its settlement. */
  run(): void {
    this.tracker.started++;
    const outcome = this.refusal() ?? this.host.scope.run(this, this.entry.step, this);
    if (isPromise(outcome))
      void outcome.then((value) => {
        this.take(value);
      });
    else this.take(outcome);
  }

  settled(settlement: Settlement): void {
    this.host.ended(this, settlement);
  }

  scoped<T>(run: () => T): T {
    return this.host.scope.run(this, run);
  }

  protected override listen(): void {
    this.tracker.onAbort((reason) => {
      this.abort(reason);
    });
  }

  /** What becomes of a job that shall not begin any more. */
  private refusal(): Settlement | undefined {
    const { entry, tracker } = this;
    if (tracker.closed) return RELEASE;
    // Closed while the job waited for a place: others shall have it, where there are others. What it has begun it finishes.
    if (!entry.retired || this.failures > 0) return undefined;
    return tracker.isOnly(entry) ? RELEASE : ACK;
  }

  private take(outcome: Outcome): void {
    if (outcome.kind === 'handling') outcome.await(this);
    else this.settled(outcome);
  }
}

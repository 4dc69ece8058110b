import { afterIo, type Clock } from '../core/clock.js';
import type { PublishReceipt } from '../core/context.js';
import { VERDICT_DECLINED, VERDICT_LOST, type Delivery, type Settlement, type Verdict } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import type { ScopeStorage } from '../core/scope.js';
import { HandlerCrashedError } from '../core/handler-errors.js';
import { isPromise, type Pipeline } from '../pipeline/compose.js';
import type { HandlerJob } from '../pipeline/job.js';
import { messageOf } from '../core/message-of.js';
import type { EventDriver } from '../ports/driver.js';
import type { EventsLogger } from '../ports/logger.js';
import type { HandlerDeclaration } from '../core/declaration.js';
import type { Intake, IntakeHost, IntakeLimits } from './intake.js';
import { Intakes } from './intakes.js';
import { Job, type JobHost } from './job.js';
import { HandlerEntry, HandlerRegistry } from './registry.js';
import { replyOf } from './reply.js';
import { SettleWaiters } from './settle-waiters.js';
import { payloadProblem, refused, select, unmatched } from './selection.js';
import { Solo } from './solo.js';
import { WaitingAttempts } from './waiting-attempts.js';
import { Tracker } from './tracker.js';

export interface ConsumerOptions {
  readonly bus: string;
  readonly limits: IntakeLimits;
  /** Bytes of a reply. */
  readonly maxPayload: number;
  readonly logger: EventsLogger;
  readonly scope: ScopeStorage;
  readonly clock: Clock;
  /** How long a retry waits for a live process that has its handler, ms. */
  readonly retention: number;
  /** Puts the middleware around a handler; it calls `used` when a handler with `once` has its event. */
  readonly pipeline: (declaration: HandlerDeclaration, used: () => void) => Pipeline;
  /** Publishes the answer that a handler gives by `context.reply`. */
  readonly reply: (event: EventEnvelope, type: string, payload: unknown) => Promise<PublishReceipt>;
}

/** An event with which this many consumers have died is handled alone. */
const SUSPECT = 2;

/**
 * The receiving half of a bus in one process: takes deliveries from the driver, runs their handlers through lanes and
 * pipeline, and settles them. Knows no transport.
 */
export class Consumer implements IntakeHost, JobHost {
  readonly bus: string;
  readonly logger: EventsLogger;
  readonly scope: ScopeStorage;
  readonly waiters = new SettleWaiters<Intake>();
  readonly registry = new HandlerRegistry();
  readonly intakes: Intakes;
  /** Settlements that the backend has not confirmed. */
  readonly unconfirmed = new Set<Promise<void>>();
  /** Work that no intake counts: requests that this process answers for itself, attempts that waited in the process. */
  readonly beside = new Set<Promise<unknown>>();
  readonly solo = new Solo(() => this.busy());
  /** Handlers that were removed, and may still run. */
  private readonly removed = new Set<HandlerEntry>();
  private readonly attempts: WaitingAttempts;
  private lastSettling: Promise<void> | undefined;

  constructor(
    driver: EventDriver,
    private readonly options: ConsumerOptions,
  ) {
    this.bus = options.bus;
    this.logger = options.logger;
    this.scope = options.scope;
    this.intakes = new Intakes(driver, options.limits, this);
    this.attempts = new WaitingAttempts(this, options.clock);
  }

  /**
   * Registers a handler; it gets events once `start` has been called.
   * @throws InvalidHandlerError when its group has a handler of that name
   */
  register(declaration: HandlerDeclaration): HandlerEntry {
    const used = (): void => {
      this.retire(entry).catch((error: unknown) => {
        this.logger.warn(`Handler ${declaration.name} could not be detached: ${messageOf(error)}`);
      });
    };
    const pipeline = this.options.pipeline(declaration, used);
    const entry: HandlerEntry = new HandlerEntry(declaration, pipeline, this.solo);
    this.registry.add(entry);
    return entry;
  }

  /** Begins to receive for every handler registered so far. */
  start(): Promise<void> {
    return this.intakes.start(this.registry.entries());
  }

  /** Registers a handler at any time, and resolves when it counts (before the start: when it is registered). */
  async add(declaration: HandlerDeclaration): Promise<HandlerEntry> {
    const entry = this.register(declaration);
    try {
      await this.intakes.listen(entry);
    } catch (error) {
      this.registry.remove(entry);
      throw error;
    }
    return entry;
  }

  /** Ends a handler: it gets nothing more; what runs it finishes, what waits for another attempt is a dead letter. Twice is once. */
  async remove(entry: HandlerEntry): Promise<void> {
    entry.closed = true;
    this.attempts.close(entry);
    await this.retire(entry);
  }

  /** A handler gets nothing more; what it has begun it finishes. */
  private async retire(entry: HandlerEntry): Promise<void> {
    if (!this.registry.remove(entry)) return;
    this.removed.add(entry);
    entry.hurry(true);
    this.releaseWaiting(entry);
    await this.intakes.unlisten(entry, this.registry);
    this.waiters.recheck((type) => this.expectedIntakes(type));
  }

  /** Through which intakes a broadcast event of this type will reach ungrouped handlers of this process. */
  expectedIntakes(type: string): Intake[] {
    return this.intakes.processIntakesFor(this.registry.for(type));
  }

  dispatch(intake: Intake, delivery: Delivery): void {
    const { event } = delivery;
    const unreadable = event === undefined ? (delivery.malformed ?? 'it cannot be read') : payloadProblem(event);
    if (event === undefined || unreadable !== undefined) {
      this.logger.error(`An entry of '${delivery.type}' on bus '${this.bus}' is not an event: ${unreadable ?? ''}.`);
      this.finish(new Tracker(delivery, this.onSettled, intake), refused(delivery, 'undecodable', unreadable ?? ''));
      return;
    }
    const tracker = new Tracker(delivery, this.onSettled, intake);
    if (!this.waiters.empty && intake.spec.kind === 'process')
      tracker.waiter = this.waiters.claim(event.id, event.type, intake);
    const entries = select(this.registry, intake, delivery, event);
    if (entries.length === 0) {
      this.finish(tracker, unmatched(intake, delivery, this.options));
      return;
    }
    intake.inFlight.add(tracker);
    if (delivery.crashes < SUSPECT || intake.spec.kind === 'inbox') this.begin(event, entries, tracker);
    // Who pulls may want the next before this one ends: then it only counts.
    else if (entries.some((entry) => entry.declaration.pulled)) void this.runAlone(event, entries, tracker);
    else this.solo.add(() => this.runAlone(event, entries, tracker));
  }

  /**
   * Runs a handler of a request in this process, without the driver: the first of these that wants it. Resolves with
   * the settled job; with undefined when none wants it.
   */
  answer(
    event: EventEnvelope,
    entries: readonly HandlerEntry[],
    signalled: (abort: (reason: Error) => void) => void,
  ): Promise<HandlerJob | undefined> {
    const answered = new Promise<HandlerJob | undefined>((resolve) => {
      const tracker = new Tracker(
        localDelivery(event),
        (_tracker, job, settlement) => {
          resolve(settlement.kind === 'release' ? undefined : job);
        },
        undefined,
      );
      signalled((reason) => {
        tracker.abort(reason);
        if (tracker.started > 0) return;
        // Nobody waits any more: it is not begun.
        tracker.closed = true;
        this.beside.delete(answered);
      });
      // Later: no handler starts inside the call.
      queueMicrotask(() => {
        this.begin(event, entries, tracker);
      });
    });
    this.beside.add(answered);
    void answered.then(() => this.beside.delete(answered));
    return answered;
  }

  /** Hands an event to this process's ungrouped handlers, without the driver. */
  dispatchLocally(event: EventEnvelope): void {
    const { process } = this.registry.for(event.type);
    if (process.length === 0) return;
    const tracker = new Tracker(localDelivery(event), () => undefined, undefined);
    this.attempts.track(tracker);
    afterIo(() => {
      this.begin(event, process, tracker);
    });
  }

  ended(job: Job, settlement: Settlement): void {
    const { entry } = job;
    if (settlement.kind !== 'retry' || !this.attempts.take(job, settlement)) this.end(job, settlement);
    entry.lane.leave();
  }

  reply(event: EventEnvelope, type: string, payload: unknown): Promise<PublishReceipt> {
    return this.options.reply(event, type, payload);
  }

  /** Gives a delivery back, so that others may have it at once; what its handlers still return does not count. */
  release(tracker: Tracker): void {
    if (tracker.closed) return;
    tracker.closed = true;
    tracker.intake?.inFlight.delete(tracker);
    // A request that has begun is not for others to run again.
    const begun = tracker.intake?.spec.kind === 'requests' && tracker.started > 0;
    this.finish(tracker, begun ? VERDICT_LOST : tracker.verdictOfRelease());
  }

  /** Begins the end: no attempt waits in this process any more, and no batch for its size. */
  hurry(): void {
    for (const entry of this.registry.entries()) entry.hurry(true);
    this.attempts.end();
  }

  /** Ends the wait for attempts that no intake counts: their signals abort. */
  abandon(reason: Error): void {
    this.attempts.abort(reason);
  }

  /** Handlers that may run. */
  private busy(): HandlerEntry[] {
    for (const entry of this.removed) if (entry.lane.running === 0) this.removed.delete(entry);
    return [...this.registry.entries(), ...this.removed];
  }

  /** Gives back what waits for a place at a handler that is closed, where the handler is the only one that it is for. */
  private releaseWaiting(entry: HandlerEntry): void {
    for (const intake of this.intakes.all()) {
      if (intake.spec.kind === 'process') continue;
      for (const tracker of [...intake.inFlight]) {
        if (tracker.waitsFor(entry)) this.release(tracker);
      }
    }
  }

  private begin(event: EventEnvelope, entries: readonly HandlerEntry[], tracker: Tracker): void {
    const { attempt, failures } = tracker.delivery;
    const first = event.mode === 'request' ? entries.slice(0, 1) : entries;
    tracker.pending = first.length;
    tracker.entries = entries;
    for (const entry of first) entry.lane.enter(new Job(this, event, entry, tracker, attempt, failures));
  }

  /** A request that its handler gives back is for the next handler here. False: there is none, or nobody waits any more. */
  private passOn({ event, tracker, attempt, failures }: Job): boolean {
    if (event.mode !== 'request' || tracker.closed || tracker.aborted) return false;
    const entry = tracker.entries[++tracker.turn];
    if (entry === undefined) return false;
    tracker.started = 0;
    tracker.pending = 1;
    entry.lane.enter(new Job(this, event, entry, tracker, attempt, failures));
    return true;
  }

  /** Its consumers have died with it again and again: it runs with nothing beside it, and only deaths in that time count. */
  private async runAlone(event: EventEnvelope, entries: readonly HandlerEntry[], tracker: Tracker): Promise<void> {
    const { delivery, intake } = tracker;
    const givenUp = (): boolean => tracker.closed;
    if (givenUp()) return;
    const crashes = (await intake?.source?.alone(delivery).catch(() => 0)) ?? 0;
    if (givenUp()) return;
    tracker.pending = entries.length;
    tracker.entries = entries;
    await new Promise<void>((resolve) => {
      tracker.ended = resolve;
      for (const entry of entries) {
        const { retry, name } = entry.declaration;
        const dead = delivery.failures + crashes >= retry.attempts;
        // A dead letter tells the attempts that were made.
        const job = new Job(this, event, entry, tracker, delivery.attempt - (dead ? 1 : 0), delivery.failures);
        if (dead)
          this.end(job, { kind: 'dead-letter', reason: 'crashed', error: new HandlerCrashedError(name, crashes) });
        else {
          job.alone = true;
          entry.lane.force(job);
        }
      }
    });
  }

  /** Takes a settlement; with the last one its delivery is settled. */
  end(job: Job, settlement: Settlement): void {
    const { tracker } = job;
    tracker.take(job, settlement);
    if (--tracker.pending > 0) return;
    if (settlement.kind === 'release' && this.passOn(job)) return;
    tracker.ended?.();
    if (!tracker.closed) tracker.settled(tracker, job, settlement);
  }

  private readonly onSettled = (tracker: Tracker, job: HandlerJob, settlement: Settlement): void => {
    tracker.intake?.inFlight.delete(tracker);
    if (tracker.intake?.spec.kind !== 'requests') this.finish(tracker, tracker.verdict());
    else if (settlement.kind === 'release') this.finish(tracker, VERDICT_DECLINED);
    else this.finish(tracker, { kind: 'reply', reply: replyOf(job, this.options.maxPayload) });
  };

  private finish(tracker: Tracker, verdict: Verdict): void {
    this.settle(tracker, verdict);
    tracker.waiter?.settled(tracker.failed);
    tracker.intake?.leave(tracker.delivery);
  }

  settle({ delivery, intake }: Tracker, verdict: Verdict): void {
    const done = intake?.source?.settle(delivery, verdict);
    if (isPromise(done)) this.confirm(done, delivery);
  }

  /** Remembers a settlement until the backend has it. A driver may give many deliveries one promise. */
  private confirm(done: Promise<void>, delivery: Delivery): void {
    if (done === this.lastSettling) return;
    this.lastSettling = done;
    const watched = done
      .catch((error: unknown) => {
        this.logger.error(
          `'${delivery.type}' on bus '${this.bus}' could not be settled, it will come again: ${messageOf(error)}`,
        );
      })
      .finally(() => this.unconfirmed.delete(watched));
    this.unconfirmed.add(watched);
  }
}

function localDelivery(event: EventEnvelope): Delivery {
  return { event, type: event.type, attempt: 1, redelivered: false, failures: 0, crashes: 0 };
}

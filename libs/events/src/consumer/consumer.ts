import { afterIo } from '../core/clock.js';
import type { PublishReceipt } from '../core/context.js';
import {
  ACK,
  RELEASE,
  VERDICT_ACK,
  VERDICT_LOST,
  VERDICT_RELEASE,
  type Delivery,
  type Settlement,
  type Verdict,
} from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import type { ScopeStorage } from '../core/scope.js';
import { isPromise, type Step } from '../pipeline/compose.js';
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
import { Tracker } from './tracker.js';

export interface ConsumerOptions {
  readonly bus: string;
  readonly limits: IntakeLimits;
  /** Bytes of a reply. */
  readonly maxPayload: number;
  readonly logger: EventsLogger;
  readonly scope: ScopeStorage;
  /** Puts the middleware around a handler. */
  readonly pipeline: (declaration: HandlerDeclaration) => Step;
  /** Publishes the answer that a handler gives by `context.reply`. */
  readonly reply: (event: EventEnvelope, type: string, payload: unknown) => Promise<PublishReceipt>;
}

const NOBODY: readonly HandlerEntry[] = [];

/**
 * The receiving half of a bus in one process: takes deliveries from the driver, runs their handlers through lanes and
 * pipeline, and settles them. Knows no transport.
 */
export class Consumer implements IntakeHost, JobHost {
  readonly bus: string;
  readonly logger: EventsLogger;
  readonly waiters = new SettleWaiters<Intake>();
  readonly registry = new HandlerRegistry();
  readonly intakes: Intakes;
  /** Settlements that the backend has not confirmed. */
  readonly unconfirmed = new Set<Promise<void>>();
  /** Requests that this process answers for itself. */
  readonly answering = new Set<Promise<unknown>>();
  private lastSettling: Promise<void> | undefined;

  constructor(
    driver: EventDriver,
    private readonly options: ConsumerOptions,
  ) {
    this.bus = options.bus;
    this.logger = options.logger;
    this.intakes = new Intakes(driver, options.limits, this);
  }

  /**
   * Registers a handler; it gets events once `start` has been called.
   * @throws InvalidHandlerError when its group has a handler of that name
   */
  register(declaration: HandlerDeclaration): HandlerEntry {
    const entry = new HandlerEntry(declaration, this.options.pipeline(declaration));
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

  /** Ends a handler: it gets nothing more; what it has begun it finishes. Twice is once. */
  async remove(entry: HandlerEntry): Promise<void> {
    if (!this.registry.remove(entry)) return;
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
      this.finish(new Tracker(delivery, this.onSettled, intake), deadLetter(delivery, 'undecodable', unreadable ?? ''));
      return;
    }
    const tracker = new Tracker(delivery, this.onSettled, intake);
    if (!this.waiters.empty && intake.spec.kind === 'process')
      tracker.waiter = this.waiters.claim(event.id, event.type, intake);
    const entries = this.select(intake, delivery, event);
    if (entries.length === 0) {
      this.finish(tracker, this.unmatched(intake, delivery));
      return;
    }
    intake.inFlight.add(tracker);
    this.begin(event, entries, tracker);
  }

  /** Runs the handler of a request in this process, without the driver. Resolves with the settled job. */
  answer(
    event: EventEnvelope,
    entry: HandlerEntry,
    signalled: (abort: (reason: Error) => void) => void,
  ): Promise<HandlerJob> {
    const answered = new Promise<HandlerJob>((resolve) => {
      const tracker = new Tracker(
        localDelivery(event),
        (_tracker, job) => {
          resolve(job);
        },
        undefined,
      );
      signalled((reason) => {
        tracker.abort(reason);
        if (tracker.started > 0) return;
        // Nobody waits any more: it is not begun.
        tracker.closed = true;
        this.answering.delete(answered);
      });
      // Later: no handler starts inside the call.
      queueMicrotask(() => {
        this.begin(event, [entry], tracker);
      });
    });
    this.answering.add(answered);
    void answered.then(() => this.answering.delete(answered));
    return answered;
  }

  /** Hands an event to this process's ungrouped handlers, without the driver. */
  dispatchLocally(event: EventEnvelope): void {
    const { process } = this.registry.for(event.type);
    if (process.length === 0) return;
    afterIo(() => {
      this.begin(event, process, new Tracker(localDelivery(event), () => undefined, undefined));
    });
  }

  run(job: Job): Settlement | Promise<Settlement> {
    const { entry, tracker } = job;
    if (tracker.closed) return RELEASE;
    // Closed while the job waited for a place: others shall have it, where there are others.
    if (entry.retired) return job.ephemeral ? ACK : RELEASE;
    if (entry.declaration.once) {
      void this.remove(entry).catch((error: unknown) => {
        this.logger.warn(`Handler ${job.handler} could not be detached: ${messageOf(error)}`);
      });
    }
    return this.options.scope.run(job, entry.step, job);
  }

  ended(job: Job, settlement: Settlement): void {
    const { tracker, entry } = job;
    tracker.take(entry.declaration.name, settlement);
    if (--tracker.pending === 0 && !tracker.closed) tracker.settled(tracker, job, settlement);
    entry.lane.leave();
  }

  reply(event: EventEnvelope, type: string, payload: unknown): Promise<PublishReceipt> {
    return this.options.reply(event, type, payload);
  }

  /** Gives a delivery back, so that others may have it at once; what its handlers still return does not count. */
  release(tracker: Tracker): void {
    tracker.closed = true;
    tracker.intake?.inFlight.delete(tracker);
    // A request that has begun is not for others to run again.
    const begun = tracker.intake?.spec.kind === 'requests' && tracker.started > 0;
    this.finish(tracker, begun ? VERDICT_LOST : VERDICT_RELEASE);
  }

  /** Gives back what waits for a place at a handler that is closed, where the handler is the only one that it is for. */
  private releaseWaiting(entry: HandlerEntry): void {
    for (const intake of this.intakes.all()) {
      if (intake.spec.kind === 'process') continue;
      for (const tracker of [...intake.inFlight]) {
        if (tracker.started === 0 && tracker.pending === 1 && tracker.first === entry) this.release(tracker);
      }
    }
  }

  private begin(event: EventEnvelope, entries: readonly HandlerEntry[], tracker: Tracker): void {
    tracker.pending = entries.length;
    tracker.first = entries[0];
    for (const entry of entries) entry.lane.enter(new Job(this, event, entry, tracker));
  }

  private readonly onSettled = (tracker: Tracker, job: HandlerJob, settlement: Settlement): void => {
    tracker.intake?.inFlight.delete(tracker);
    const answered = tracker.intake?.spec.kind === 'requests' && settlement.kind !== 'release';
    this.finish(
      tracker,
      answered ? { kind: 'reply', reply: replyOf(job, this.options.maxPayload) } : tracker.verdict(),
    );
  };

  private select(intake: Intake, delivery: Delivery, event: EventEnvelope): readonly HandlerEntry[] {
    const routes = this.registry.for(event.type);
    const { spec } = intake;
    switch (spec.kind) {
      case 'process':
        return admitted(intake.owner === undefined ? routes.process : [intake.owner], delivery);
      case 'group': {
        const members = routes.groups.get(spec.group) ?? NOBODY;
        const { handler } = delivery;
        return handler === undefined ? members : members.filter((entry) => entry.declaration.name === handler);
      }
      case 'anycast': {
        const entry = routes.all[routes.turn++ % routes.all.length];
        return entry === undefined ? NOBODY : [entry];
      }
      case 'inbox':
        return routes.all;
      case 'requests':
        return routes.answering === undefined ? NOBODY : [routes.answering];
    }
  }

  private unmatched({ spec }: Intake, delivery: Delivery): Verdict {
    if (spec.kind === 'process') return VERDICT_ACK;
    if (spec.kind !== 'inbox') return VERDICT_RELEASE;
    return deadLetter(delivery, 'unhandled', `the target process has no handler of '${delivery.type}'`);
  }

  private finish(tracker: Tracker, verdict: Verdict): void {
    const { delivery, intake } = tracker;
    const done = intake?.source?.settle(delivery, verdict);
    if (isPromise(done)) this.confirm(done, delivery);
    tracker.waiter?.settled(tracker.failures);
    intake?.leave(delivery);
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

/** Leaves out handlers that began to listen after the event, or have had their one. */
function admitted(entries: readonly HandlerEntry[], delivery: Delivery): readonly HandlerEntry[] {
  return entries.every((entry) => isAdmitted(entry, delivery))
    ? entries
    : entries.filter((entry) => isAdmitted(entry, delivery));
}

function isAdmitted(entry: HandlerEntry, delivery: Delivery): boolean {
  if (entry.retired) return false;
  if (entry.gate === undefined) return true;
  const admits = entry.gate.admits(delivery);
  if (entry.gate.spent) entry.gate = undefined;
  return admits;
}

/** What is wrong with the payload's text; the decoded value is kept in the envelope. */
function payloadProblem(event: EventEnvelope): string | undefined {
  try {
    event.payload();
    return undefined;
  } catch (error) {
    return `its payload is not JSON: ${messageOf(error)}`;
  }
}

function deadLetter(delivery: Delivery, reason: 'undecodable' | 'unhandled', error: string): Verdict {
  return { kind: 'ack', deadLetters: [{ reason, error, attempts: delivery.attempt }] };
}

function localDelivery(event: EventEnvelope): Delivery {
  return { event, type: event.type, attempt: 1, redelivered: false };
}

import type { Settlement } from '../core/delivery.js';
import type { HandlerJob } from './job.js';

/** What a step comes to: the settlement, or a handler that goes on. */
export type Outcome = Settlement | Handling;

/** Handles a job. Synchronous where it can be: most of what runs here must not cost a promise. */
export type Step = (job: HandlerJob) => Outcome | Promise<Outcome>;

/** A handler that goes on when its steps have returned. Not a promise: those are dear, so only its job awaits it, once. */
export interface Handling {
  readonly kind: 'handling';
  /** Tells the settlement, once: when the handler has ended, or when it is waited for no longer. */
  await(host: HandlingHost): void;
}

/** Who awaits a handler. */
export interface HandlingHost {
  settled(settlement: Settlement): void;
  /** Runs something as part of the handler's run: what it publishes is caused by the handler's event. */
  scoped<T>(run: () => T): T;
}

/** Calls a batch handler with the payloads and contexts of these jobs. */
export type BatchCall = (jobs: readonly HandlerJob[]) => Promise<unknown>;

/** All that surrounds a handler, with the handler. */
export interface Pipeline {
  readonly step: Step;
  /** Of a batch handler of cards that nothing surrounds but the failure step: to be called without a step for each event. */
  readonly whole?: WholeBatch | undefined;
  /** Waits no longer for what would fill a batch; with `always`, never again. */
  readonly hurry?: ((always: boolean) => void) | undefined;
}

export interface WholeBatch {
  readonly call: BatchCall;
  /** The settlement of the event that failed. */
  readonly failed: (job: HandlerJob, error: unknown) => Settlement;
}

/** Does its part, and calls `next` at most once. Decides by the outcome that it returns; settles nothing itself. */
export type Middleware = (job: HandlerJob, next: Step) => Outcome | Promise<Outcome>;

/** Puts the middleware around the handler, the first one outermost. Composed once a handler, not once an event. */
export function compose(middleware: readonly Middleware[], handler: Step): Step {
  return middleware.reduceRight<Step>((next, around) => (job) => around(job, next), handler);
}

/** A step that is done when the handler is. */
export type WaitingStep = (job: HandlerJob) => Settlement | Promise<Settlement>;

/** For who waits for the settlement with a promise. Must be called in the scope of the job. */
export function waiting(step: Step): WaitingStep {
  return (job) => settlementOf(step(job));
}

export function settlementOf(outcome: Outcome | Promise<Outcome>): Settlement | Promise<Settlement> {
  if (isPromise(outcome)) return outcome.then(settlementOf);
  if (outcome.kind !== 'handling') return outcome;
  return new Promise((resolve) => {
    outcome.await({ settled: resolve, scoped: (run) => run() });
  });
}

/** What becomes of an outcome once it is a settlement. `make` must not fail. */
export function whenSettled(
  outcome: Outcome | Promise<Outcome>,
  make: (settlement: Settlement) => Settlement | Promise<Settlement>,
): Outcome | Promise<Outcome> {
  if (isPromise(outcome)) return outcome.then((value) => whenSettled(value, make));
  if (outcome.kind !== 'handling') return make(outcome);
  return {
    kind: 'handling',
    await: (host) => {
      outcome.await({
        settled: (settlement) => {
          const made = host.scoped(() => make(settlement));
          if (!isPromise(made)) host.settled(made);
          else
            void made.then((value) => {
              host.settled(value);
            });
        },
        scoped: (run) => host.scoped(run),
      });
    },
  };
}

export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

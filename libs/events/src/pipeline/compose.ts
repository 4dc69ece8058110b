import type { Settlement } from '../core/delivery.js';
import type { HandlerJob } from './job.js';

/** Handles a job. Synchronous where it can be: most of what runs here must not cost a promise. */
export type Step = (job: HandlerJob) => Settlement | Promise<Settlement>;

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

/** Does its part, and calls `next` at most once. Decides by the settlement that it returns; settles nothing itself. */
export type Middleware = (job: HandlerJob, next: Step) => Settlement | Promise<Settlement>;

/** Puts the middleware around the handler, the first one outermost. Composed once a handler, not once an event. */
export function compose(middleware: readonly Middleware[], handler: Step): Step {
  return middleware.reduceRight<Step>((next, around) => (job) => around(job, next), handler);
}

export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

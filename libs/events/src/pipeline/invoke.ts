import type { EventContext } from '../core/context.js';
import { ACK, type Settlement } from '../core/delivery.js';
import { isPromise, type BatchCall, type Step } from './compose.js';
import type { HandlerJob } from './job.js';
import type { Failed } from './middleware/failure.js';
import type { Watchdog } from './watchdog.js';

type Invoke = (payload: unknown, context: EventContext) => unknown;

/**
 * The innermost step: calls the handler and keeps what it returns. `failed`, where it is given, takes what the handler
 * throws: for a pipeline in which nothing comes between the two, which saves a promise an event.
 */
export function invokeStep(invoke: Invoke, watchdog: Watchdog | undefined, failed?: Failed): Step {
  const call: Step = (job) => {
    const result = invoke(job.payload, job.context);
    if (!isPromise(result)) {
      job.result = result;
      return ACK;
    }
    const succeeded = (value: unknown): Settlement => {
      job.result = value;
      return ACK;
    };
    // Wrapped where it is somebody else's thenable: those need not keep the rules of promises.
    const promise: Promise<unknown> = result instanceof Promise ? result : Promise.resolve(result);
    const watched = watchdog === undefined ? promise : watchdog.watch([job], promise);
    return failed === undefined
      ? watched.then(succeeded)
      : watched.then(succeeded, (error: unknown) => failed(job, error));
  };
  if (failed === undefined) return call;
  return (job: HandlerJob) => {
    try {
      return call(job);
    } catch (error) {
      return failed(job, error);
    }
  };
}

/** The call of a batch handler, watched as one run. */
export function invokeBatch(
  invoke: (payloads: readonly unknown[], contexts: readonly EventContext[]) => unknown,
  watchdog: Watchdog | undefined,
): BatchCall {
  return (jobs) => {
    const payloads = jobs.map((job) => job.payload);
    const done = Promise.resolve(
      invoke(
        payloads,
        jobs.map((job) => job.context),
      ),
    );
    return watchdog === undefined ? done : watchdog.watch(jobs, done);
  };
}

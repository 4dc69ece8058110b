import { ACK, type Settlement } from '../core/delivery.js';
import type { EventContext } from '../core/context.js';
import { isPromise, type Step } from './compose.js';
import type { HandlerJob } from './job.js';

type Invoke = (payload: unknown, context: EventContext) => unknown;

/**
 * The innermost step: calls the handler and keeps what it returns. `failed`, where it is given, takes what the handler
 * throws: for a pipeline in which nothing comes between the two, which saves a promise an event.
 */
export function invokeStep(invoke: Invoke, failed?: (job: HandlerJob, error: unknown) => Settlement): Step {
  const call: Step = (job) => {
    const result = invoke(job.event.payload(), job.context);
    if (!isPromise(result)) {
      job.result = result;
      return ACK;
    }
    const succeeded = (value: unknown): Settlement => {
      job.result = value;
      return ACK;
    };
    // Wrapped where it is somebody else's thenable: those need not keep the rules of promises.
    const promise = result instanceof Promise ? result : Promise.resolve(result);
    return failed === undefined
      ? promise.then(succeeded)
      : promise.then(succeeded, (error: unknown) => failed(job, error));
  };
  if (failed === undefined) return call;
  return (job) => {
    try {
      return call(job);
    } catch (error) {
      return failed(job, error);
    }
  };
}

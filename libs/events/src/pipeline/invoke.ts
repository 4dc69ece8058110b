import type { EventContext } from '../core/context.js';
import { ACK } from '../core/delivery.js';
import type { HandlerTimeoutError } from '../core/handler-errors.js';
import { isPromise, type BatchCall, type Handling, type HandlingHost, type Step } from './compose.js';
import type { HandlerJob } from './job.js';
import type { Failed } from './middleware/failure.js';
import { Run, type Watchdog } from './watchdog.js';

type Invoke = (payload: unknown, context: EventContext) => unknown;

/** The innermost step: calls the handler, keeps what it returns, and has `failed` take what it throws. */
export function invokeStep(invoke: Invoke, watchdog: Watchdog | undefined, failed: Failed): Step {
  return (job) => {
    try {
      const result = invoke(job.payload, job.context);
      if (isPromise(result)) return new OpenRun(job, result, watchdog, failed);
      job.result = result;
      return ACK;
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

/** A run of a handler that has returned a promise, which is the only one it costs. */
class OpenRun extends Run implements Handling {
  readonly kind = 'handling';
  private readonly promise: Promise<unknown>;
  private host: HandlingHost | undefined = undefined;

  constructor(
    private readonly job: HandlerJob,
    result: PromiseLike<unknown>,
    private readonly watchdog: Watchdog | undefined,
    private readonly failed: Failed,
  ) {
    super();
    // Wrapped where it is somebody else's thenable: those need not keep the rules of promises.
    this.promise = result instanceof Promise ? result : Promise.resolve(result);
  }

  get jobs(): readonly HandlerJob[] {
    return [this.job];
  }

  await(host: HandlingHost): void {
    const { watchdog, job } = this;
    this.host = host;
    watchdog?.begin(this);
    void this.promise.then(
      (value) => {
        if (watchdog?.end(this) === false) return;
        job.result = value;
        host.settled(ACK);
      },
      (error: unknown) => {
        if (watchdog?.end(this) !== false) this.fail(watchdog === undefined ? error : watchdog.blame(this, error));
      },
    );
  }

  giveUp(error: HandlerTimeoutError): void {
    this.fail(error);
  }

  private fail(error: unknown): void {
    const { host, job, failed } = this;
    host?.settled(host.scoped(() => failed(job, error)));
  }
}

import type { Settlement } from '../../core/delivery.js';
import { messageOf, stackOf } from '../../core/message-of.js';
import { isPromise, type Middleware } from '../compose.js';
import type { HandlerJob } from '../job.js';

/** Turns what the handler throws into a settlement, and tells the log: an error is never swallowed, and never escapes. */
export const deadLetter: Middleware = (job, next) => {
  try {
    const settlement = next(job);
    return isPromise(settlement) ? settlement.catch((error: unknown) => failed(job, error)) : settlement;
  } catch (error) {
    return failed(job, error);
  }
};

/** The settlement of a failed handler. */
export function failed(job: HandlerJob, error: unknown): Settlement {
  job.error = error ?? new Error('The handler threw nothing (undefined or null).');
  const { event, context } = job;
  const fate = job.ephemeral || event.mode === 'request' ? '' : '; it goes to the dead letters';
  job.logger.error(
    `Handler ${context.handler} failed on '${event.type}' (${event.id}, attempt ${String(context.attempt)}): ${messageOf(job.error)}${fate}`,
    stackOf(job.error),
  );
  return { kind: 'dead-letter', reason: 'handler-failed', error: job.error };
}

import type { OnExhausted } from '../../core/declaration.js';
import { RELEASE, type DeadLetterReason, type Settlement } from '../../core/delivery.js';
import { isEventsError } from '../../core/errors.js';
import { messageOf, stackOf } from '../../core/message-of.js';
import { retryDelay, type RetryPolicy } from '../../core/retry-policy.js';
import { isPromise, type Middleware } from '../compose.js';
import type { HandlerJob } from '../job.js';
import { Refusal, RELEASED } from '../refusal.js';

/** The settlement of what a handler, or the middleware around it, has thrown. */
export type Failed = (job: HandlerJob, error: unknown) => Settlement;

/** Turns what is thrown into a settlement, and tells the log: an error is never swallowed, and never escapes. */
export function failure(failed: Failed): Middleware {
  return (job, next) => {
    try {
      const settlement = next(job);
      return isPromise(settlement) ? settlement.catch((error: unknown) => failed(job, error)) : settlement;
    } catch (error) {
      return failed(job, error);
    }
  };
}

/**
 * Another attempt while the policy has some left, the dead letters after that; a request gets its error at once. A card may
 * be parked instead of the dead letters, or try its head again for ever (`block`), unless no attempt can mend it.
 */
export function failedBy(policy: RetryPolicy, exhausted: OnExhausted = 'dead-letter'): Failed {
  const attempts = exhausted === 'block' ? Infinity : policy.attempts;
  const limit = exhausted === 'block' ? '' : ` of ${String(attempts)}`;
  const end = exhausted === 'park' ? 'its card is parked' : 'it goes to the dead letters';
  const bury = (job: HandlerJob, reason: DeadLetterReason, error: unknown): Settlement => {
    tell(job, error, job.ephemeral || job.event.mode === 'request' ? '' : `; ${end} (${reason})`);
    return { kind: 'dead-letter', reason, error: job.error };
  };
  return (job, thrown) => {
    if (thrown === RELEASED) return RELEASE;
    if (thrown instanceof Refusal) return bury(job, thrown.reason, thrown.error);
    if (isEventsError(thrown, 'REJECT')) return bury(job, 'rejected', thrown);
    const failures = job.failures + 1;
    if (job.event.mode === 'request' || failures >= attempts) return bury(job, 'handler-failed', thrown);
    const delay = isEventsError(thrown, 'RETRY_LATER') ? (thrown as { delay?: unknown }).delay : undefined;
    const wait = typeof delay === 'number' ? delay : retryDelay(policy, failures);
    tell(job, thrown, `; again in ${String(wait)} ms (failure ${String(failures)}${limit})`);
    return { kind: 'retry', delay: wait, counted: true, error: job.error };
  };
}

function tell(job: HandlerJob, error: unknown, fate: string): void {
  job.error = error ?? new Error('The handler threw nothing (undefined or null).');
  const { event, context, card } = job;
  const of = card === undefined ? '' : ` of card '${card.topic}:${card.cardId}'`;
  job.logger.error(
    `Handler ${context.handler} failed on '${event.type}'${of} (${event.id}, attempt ${String(context.attempt)}): ${messageOf(job.error)}${fate}`,
    stackOf(job.error),
  );
}

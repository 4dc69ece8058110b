import { isEventsError } from '../../core/errors.js';
import type { EventClass } from '../../core/event-class.js';
import type { EventContracts } from '../../validation/event-contracts.js';
import type { Middleware, Step } from '../compose.js';
import type { HandlerJob } from '../job.js';
import { Refusal } from '../refusal.js';

/**
 * Gives a handler of event classes instances of them: brought to the version of the class, checked, frozen. What breaks
 * the rules, or has a version that cannot be read, is refused; what an upcast throws is a failure like the handler's.
 * For handlers that listen to classes only. Events of other types pass as they came, those of patterns among them.
 */
export function typed(classes: ReadonlyMap<string, EventClass>, contracts: EventContracts): Middleware {
  const byType = new Map([...classes].map(([type, target]) => [type, contracts.of(target)?.join()]));
  return (job, next) => {
    const contract = byType.get(job.event.type);
    if (contract === undefined) return next(job);
    let value: unknown;
    try {
      value = contract.read(job.event);
    } catch (error) {
      throw refusalOf(error);
    }
    if (!(value instanceof Promise)) return goOn(job, value, next);
    return value.then(
      (made: unknown) => goOn(job, made, next),
      (error: unknown) => {
        throw refusalOf(error);
      },
    );
  };
}

function goOn(job: HandlerJob, value: unknown, next: Step): ReturnType<Step> {
  job.payload = value;
  return next(job);
}

function refusalOf(error: unknown): unknown {
  if (isEventsError(error, 'VALIDATION')) return new Refusal('invalid', error);
  if (isEventsError(error, 'UNSUPPORTED_VERSION')) return new Refusal('unsupported-version', error);
  return error;
}

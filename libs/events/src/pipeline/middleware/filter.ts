import { ACK, RELEASE, type Settlement } from '../../core/delivery.js';
import type { Filter } from '../../core/filter.js';
import { isPromise, type Middleware } from '../compose.js';
import type { HandlerJob } from '../job.js';

/** Settles what one of the filters does not want. What a filter throws is the handler's failure. */
export function filter(filters: readonly Filter[]): Middleware {
  return (job, next) => {
    for (const [index, wants] of filters.entries()) {
      const answer = wants(job.payload, job.context);
      if (isPromise(answer))
        return answer.then((wanted) => {
          if (!wanted) return unwanted(job);
          return index + 1 === filters.length ? next(job) : filter(filters.slice(index + 1))(job, next);
        });
      if (!answer) return unwanted(job);
    }
    return next(job);
  };
}

/** An event is done with; a request is given back, for another handler may want it. */
function unwanted({ event }: HandlerJob): Settlement {
  return event.mode === 'request' ? RELEASE : ACK;
}

import { ACK } from '../../core/delivery.js';
import type { Filter } from '../../core/filter.js';
import { isPromise, type Middleware } from '../compose.js';

/** Acknowledges what one of the filters does not want. What a filter throws is the handler's failure. */
export function filter(filters: readonly Filter[]): Middleware {
  return (job, next) => {
    for (const [index, wants] of filters.entries()) {
      const answer = wants(job.payload, job.context);
      if (isPromise(answer))
        return answer.then((wanted) => {
          if (!wanted) return ACK;
          return index + 1 === filters.length ? next(job) : filter(filters.slice(index + 1))(job, next);
        });
      if (!answer) return ACK;
    }
    return next(job);
  };
}

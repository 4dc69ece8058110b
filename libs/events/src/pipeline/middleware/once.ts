import { ACK, RELEASE } from '../../core/delivery.js';
import type { Middleware } from '../compose.js';

/** Lets one event through, with all its attempts, and calls `used` with the first. Others are for others. */
export function once(used: () => void): Middleware {
  let done = false;
  return (job, next) => {
    if (job.failures > 0) return next(job);
    if (done) return job.event.mode === 'broadcast' ? ACK : RELEASE;
    done = true;
    used();
    return next(job);
  };
}

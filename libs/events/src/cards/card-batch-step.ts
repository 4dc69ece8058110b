import type { BatchCall, Step } from '../pipeline/compose.js';
import { CardJob } from './card-job.js';

/** The innermost step of a batch handler of cards: meets the batch of the job. */
export function cardBatchStep(call: BatchCall): Step {
  return (job) => {
    if (!(job instanceof CardJob) || job.batch === undefined) throw new Error('The job is in no batch.');
    return job.batch.join(job, call);
  };
}

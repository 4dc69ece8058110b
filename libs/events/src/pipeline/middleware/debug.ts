import { whenSettled, type Middleware } from '../compose.js';
import type { HandlerJob } from '../job.js';
import type { Settlement } from '../../core/delivery.js';

/** One line when a handler receives an event and one when it has settled. Only in the pipeline with `debug: true`. */
export const debug: Middleware = (job, next) => {
  job.logger.debug(`received ${line(job)}`);
  return whenSettled(next(job), (settlement) => settled(job, settlement));
};

function settled(job: HandlerJob, settlement: Settlement): Settlement {
  job.logger.debug(`settled ${settlement.kind} ${line(job)}`);
  return settlement;
}

function line({ event, context, card }: HandlerJob): string {
  const of = card === undefined ? '' : ` of card '${card.topic}:${card.cardId}'`;
  return `'${event.type}'${of} ${event.id} handler=${context.handler} attempt=${String(context.attempt)} correlation=${event.correlationId}`;
}

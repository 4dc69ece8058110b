import type { Clock } from '../core/clock.js';
import { cardBatchStep } from '../cards/card-batch-step.js';
import type { CardDeclaration, HandlerDeclaration } from '../core/declaration.js';
import type { EventContext } from '../core/context.js';
import { Batcher } from '../pipeline/batch.js';
import { compose, type Middleware, type Pipeline } from '../pipeline/compose.js';
import { invokeBatch, invokeStep } from '../pipeline/invoke.js';
import type { HandlerJob } from '../pipeline/job.js';
import { debug } from '../pipeline/middleware/debug.js';
import { failedBy, failure } from '../pipeline/middleware/failure.js';
import { filter } from '../pipeline/middleware/filter.js';
import { idempotency } from '../pipeline/middleware/idempotency.js';
import { once } from '../pipeline/middleware/once.js';
import { typed } from '../pipeline/middleware/typed.js';
import type { Claims } from '../pipeline/claims.js';
import type { EventContracts } from '../validation/event-contracts.js';
import { Watchdog } from '../pipeline/watchdog.js';

export interface PipelineServices {
  readonly debug: boolean;
  readonly bus: string;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly contracts: EventContracts;
  readonly claims: Claims;
  readonly stuck: (job: HandlerJob) => void;
  /** A handler with `once` has its event. */
  readonly used: () => void;
}

/**
 * The order of the pipeline, outermost first:
 * debug, failure (retry or dead letter), typed (versions, validation), filter, once, idempotency, timeout, handler.
 * A handler gets the middleware that its options ask for and no other.
 */
export function pipelineFor(declaration: HandlerDeclaration | CardDeclaration, services: PipelineServices): Pipeline {
  const { retry, timeout, stuckAfter, filters, idempotent, classes, batch, invoke } = declaration;
  const { clock, contracts, stuck } = services;
  const ofCards = 'onExhausted' in declaration;
  const failed = failedBy(retry, ofCards ? declaration.onExhausted : undefined);
  const outer: Middleware[] = services.debug ? [debug] : [];
  const inner: Middleware[] = [];
  if (classes.size > 0) inner.push(typed(classes, contracts));
  if (filters.length > 0) inner.push(filter(filters));
  if (declaration.once) inner.push(once(services.used));
  if (idempotent !== undefined) inner.push(idempotency({ ...services, declaration, idempotent }));
  const watchdog = timeout === 0 ? undefined : new Watchdog({ clock, timeout, stuckAfter, stuck });
  if (batch !== undefined) {
    const several = invoke as unknown as (payloads: readonly unknown[], contexts: readonly EventContext[]) => unknown;
    if (ofCards) {
      // A batch of cards is of one card, whose lane gathers it.
      const call = invokeBatch(several, watchdog);
      const step = compose([...outer, failure(failed), ...inner], cardBatchStep(call));
      return { step, whole: outer.length + inner.length === 0 ? { call, failed } : undefined };
    }
    const batcher = new Batcher({ ...batch, clock, concurrency: declaration.concurrency, watchdog, invoke: several });
    return {
      step: compose([...outer, failure(failed), ...inner], batcher.step),
      hurry: (always) => {
        batcher.hurry(always);
      },
    };
  }
  // What the handler throws its own step takes.
  const around = inner.length === 0 ? outer : [...outer, failure(failed), ...inner];
  return { step: compose(around, invokeStep(invoke, watchdog, failed)) };
}

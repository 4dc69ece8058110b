import type { EventContext } from '../core/context.js';
import type { HandlerDeclaration } from '../core/declaration.js';
import type { Delivery } from '../core/delivery.js';
import { EventEnvelope, type EnvelopeInit } from '../core/envelope.js';
import type { RetryPolicy } from '../core/retry-policy.js';
import type { EventsLogger } from '../ports/logger.js';
import type { HandlerJob } from './job.js';

/** What specs of handlers are made of. Each takes what matters to the test and fills in the rest. */

export const SILENT: EventsLogger = {
  log: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  debug: () => undefined,
};

/** Waits that can be told apart: 1 s, 2 s, 4 s. */
export const RETRY: RetryPolicy = {
  attempts: 3,
  delay: 1_000,
  backoff: 'exponential',
  maxDelay: 60_000,
  jitter: false,
};

export function eventOf(init: Partial<EnvelopeInit> = {}): EventEnvelope {
  return new EventEnvelope({
    type: 'a',
    id: '1',
    source: 's',
    sourceInstance: 'i',
    time: 0,
    mode: 'broadcast',
    ...init,
  });
}

/** For the first time, where nothing else is said. */
export function deliveryOf(fields: Partial<Delivery> = {}): Delivery {
  const event = 'event' in fields ? fields.event : eventOf();
  return { event, type: event?.type ?? 'a', attempt: 1, redelivered: false, failures: 0, crashes: 0, ...fields };
}

export function declarationOf(fields: Partial<HandlerDeclaration> = {}): HandlerDeclaration {
  return {
    name: 'h',
    patterns: ['a'],
    group: undefined,
    startFrom: 'new',
    concurrency: 1,
    answers: false,
    once: false,
    pulled: false,
    retry: RETRY,
    timeout: 0,
    stuckAfter: 0,
    filters: [],
    idempotent: undefined,
    batch: undefined,
    classes: new Map(),
    invoke: () => undefined,
    ...fields,
  };
}

/** A job that remembers what it was told. */
export interface TestJob extends HandlerJob {
  readonly controller: AbortController;
  /** Why its signal aborted, once for each time. */
  readonly aborted: Error[];
  /** Its log lines, whatever their level. */
  readonly lines: string[];
}

export interface JobFields {
  readonly event?: Partial<EnvelopeInit>;
  readonly delivery?: Partial<Delivery>;
  readonly context?: Partial<EventContext>;
  readonly ephemeral?: boolean;
  readonly failures?: number;
}

/** A job whose payload and attempts follow from its event and its delivery. */
export function jobOf(fields: JobFields = {}): TestJob {
  const event = eventOf(fields.event);
  const delivery = deliveryOf({ event, ...fields.delivery });
  const controller = new AbortController();
  const aborted: Error[] = [];
  const lines: string[] = [];
  const keep = (message: string): void => void lines.push(message);
  const logger = { log: keep, warn: keep, error: keep, debug: keep };
  const { attempt } = delivery;
  const context = {
    ...{ id: event.id, type: event.type, handler: 'Orders.on', attempt, signal: controller.signal, logger },
    ...fields.context,
  } as EventContext;
  return {
    event,
    delivery,
    context,
    logger,
    ephemeral: fields.ephemeral ?? false,
    alone: false,
    failures: fields.failures ?? delivery.failures,
    payload: event.payload(),
    result: undefined,
    error: undefined,
    get isAborted() {
      return controller.signal.aborted;
    },
    abort(reason) {
      aborted.push(reason);
      controller.abort(reason);
    },
    controller,
    aborted,
    lines,
  };
}

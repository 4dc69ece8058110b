import type { Clock } from '../core/clock.js';
import { VERDICT_ACK, VERDICT_RELEASE, type Delivery, type Verdict } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import { messageOf } from '../core/message-of.js';
import type { Intake } from './intake.js';
import type { HandlerEntry, HandlerRegistry } from './registry.js';

const NOBODY: readonly HandlerEntry[] = [];
/** Before a retry is offered again whose handler this process does not have, ms. */
const ELSEWHERE = 1_000;

/** The handlers of this process that a delivery is for. */
export function select(
  registry: HandlerRegistry,
  intake: Intake,
  delivery: Delivery,
  event: EventEnvelope,
): readonly HandlerEntry[] {
  const routes = registry.for(event.type);
  const { spec } = intake;
  switch (spec.kind) {
    case 'process':
      return admitted(intake.owner === undefined ? routes.process : [intake.owner], delivery);
    case 'group':
      return named(routes.groups.get(spec.group) ?? NOBODY, delivery);
    case 'anycast': {
      if (delivery.handler !== undefined) return named(routes.all, delivery).slice(0, 1);
      const entry = routes.all[routes.turn++ % routes.all.length];
      return entry === undefined ? NOBODY : [entry];
    }
    case 'inbox':
      return routes.all;
    case 'requests':
      return routes.answering;
  }
}

/** What becomes of a delivery that no handler of this process is for. */
export function unmatched(
  { spec }: Intake,
  delivery: Delivery,
  { clock, retention }: { readonly clock: Clock; readonly retention: number },
): Verdict {
  const { type, handler, attempt, failures, since = clock.now() } = delivery;
  if (spec.kind === 'process') return VERDICT_ACK;
  if (spec.kind === 'inbox') return refused(delivery, 'unhandled', `the target process has no handler of '${type}'`);
  if (handler === undefined) return VERDICT_RELEASE;
  // A retry for a handler that others may have, but not this process.
  if (clock.now() - since <= retention)
    return { kind: 'ack', retries: [{ handler, delay: ELSEWHERE, attempt, failures, since }] };
  return refused(delivery, 'unhandled', `no live process has its handler '${handler}'`);
}

/** A failure that is the delivery's own, not a handler's. */
export function refused(delivery: Delivery, reason: 'undecodable' | 'unhandled', error: string): Verdict {
  return { kind: 'ack', deadLetters: [{ reason, error, handler: delivery.handler, attempts: delivery.attempt }] };
}

/** What is wrong with the payload's text; the decoded value is kept in the envelope. */
export function payloadProblem(event: EventEnvelope): string | undefined {
  try {
    event.payload();
    return undefined;
  } catch (error) {
    return `its payload is not JSON: ${messageOf(error)}`;
  }
}

/** Only the handler that the delivery is addressed to, where it is. */
function named(entries: readonly HandlerEntry[], { handler }: Delivery): readonly HandlerEntry[] {
  return handler === undefined ? entries : entries.filter((entry) => entry.declaration.name === handler);
}

/** Leaves out handlers that began to listen after the event, or have had their one. */
function admitted(entries: readonly HandlerEntry[], delivery: Delivery): readonly HandlerEntry[] {
  return entries.every((entry) => isAdmitted(entry, delivery))
    ? entries
    : entries.filter((entry) => isAdmitted(entry, delivery));
}

function isAdmitted(entry: HandlerEntry, delivery: Delivery): boolean {
  if (entry.retired) return false;
  if (entry.gate === undefined) return true;
  const admits = entry.gate.admits(delivery);
  if (entry.gate.spent) entry.gate = undefined;
  return admits;
}

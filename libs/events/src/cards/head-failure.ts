import { payloadProblem } from '../consumer/selection.js';
import { deadLetterRow } from '../consumer/tracker.js';
import type { CardDeclaration } from '../core/declaration.js';
import type { DeadLetterRow, Settlement } from '../core/delivery.js';
import { HandlerCrashedError } from '../core/handler-errors.js';
import { messageOf } from '../core/message-of.js';
import { retryDelay } from '../core/retry-policy.js';
import type { CardDelivery } from '../ports/cards.js';

export type Failed = Exclude<Settlement, { readonly kind: 'ack' }>;

/** Characters of an error that a card keeps. */
const MAX_ERROR = 1_024;

export function boundedError(error: unknown): string {
  return messageOf(error).slice(0, MAX_ERROR);
}

/** Why an entry cannot be handled at all. */
export function problemOf({ event, malformed }: CardDelivery): string | undefined {
  return event === undefined ? (malformed ?? 'it cannot be read') : payloadProblem(event);
}

/** What the dead letters, or a parked card, say of an event. */
export function rowOf(
  handler: string,
  settlement: Extract<Settlement, { readonly kind: 'dead-letter' }>,
  { attempt }: CardDelivery,
): DeadLetterRow {
  const { reason } = settlement;
  // It tells the attempts that were made, and an entry that cannot be read is no handler's failure.
  const row = deadLetterRow(handler, settlement, reason === 'crashed' ? attempt - 1 : attempt);
  return reason === 'undecodable' ? { ...row, handler: undefined, stack: undefined } : row;
}

/** What becomes of a head with which its holders have died so often while it ran alone; undefined: it is tried again. */
export function afterCrashes(
  { name, retry, onExhausted }: CardDeclaration,
  { failures }: CardDelivery,
  crashes: number,
): Failed | undefined {
  if (failures + crashes < retry.attempts) return undefined;
  const error = new HandlerCrashedError(name, crashes);
  if (onExhausted !== 'block') return { kind: 'dead-letter', reason: 'crashed', error };
  // Each death is paid for with a wait, so that the process does not die in a circle.
  if (failures >= crashes) return undefined;
  return { kind: 'retry', delay: retryDelay(retry, crashes), counted: true, error };
}

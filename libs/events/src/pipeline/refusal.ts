import type { DeadLetterReason } from '../core/delivery.js';

/** Thrown by middleware: no attempt at this event can succeed here, so it becomes a dead letter at once. */
export class Refusal {
  constructor(
    readonly reason: DeadLetterReason,
    readonly error: Error,
  ) {}
}

/** Thrown on behalf of a handler that will not handle the event after all: it goes back, uncounted. */
export const RELEASED: unique symbol = Symbol('released');

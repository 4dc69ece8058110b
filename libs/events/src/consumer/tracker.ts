import type { DeadLetterRow, Delivery, Settlement, Verdict } from '../core/delivery.js';
import { VERDICT_ACK, VERDICT_RELEASE } from '../core/delivery.js';
import type { HandlerJob } from '../pipeline/job.js';
import type { Source, SourceSpec } from '../ports/driver.js';
import type { Bag, BagItem } from './bag.js';
import type { HandlerEntry } from './registry.js';
import type { SettleWaiter } from './settle-waiters.js';
import { messageOf, stackOf } from '../core/message-of.js';

/** Dead letters keep this much of a message and of a stack, in characters. */
const MAX_ERROR = 1_024;
const MAX_STACK = 8_192;

/** The intake that a delivery came through. */
export interface TrackerHome {
  readonly spec: SourceSpec;
  readonly source: Source | undefined;
  readonly inFlight: Bag<Tracker>;
  /** The delivery no longer takes a place. */
  leave(delivery: Delivery): void;
}

/** What the consumer knows of a delivery in flight: its handlers that still run, what they made of it. */
export class Tracker implements BagItem {
  place = -1;
  pending = 0;
  started = 0;
  /** The first of its handlers. */
  first: HandlerEntry | undefined;
  /** The publisher that waits for it. */
  waiter: SettleWaiter | undefined;
  /** Settled early (released at shutdown, claim lost): what its handlers still return does not count. */
  closed = false;
  failures: { handler: string; error: unknown }[] | undefined;
  private rows: DeadLetterRow[] | undefined;
  private released = false;
  private controller: AbortController | undefined;
  private abortReason: unknown;

  constructor(
    readonly delivery: Delivery,
    /** Called once, when the last handler has settled, with the job that was last. */
    readonly settled: (tracker: Tracker, job: HandlerJob, settlement: Settlement) => void,
    readonly intake: TrackerHome | undefined,
  ) {}

  /** Made when a handler first asks for it. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.abortReason !== undefined) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }

  abort(reason: Error): void {
    this.abortReason = reason;
    this.controller?.abort(reason);
  }

  /** Takes one handler's settlement. */
  take(handler: string, settlement: Settlement): void {
    if (settlement.kind === 'ack') return;
    if (settlement.kind === 'release') {
      this.released = true;
      return;
    }
    (this.failures ??= []).push({ handler, error: settlement.error });
    (this.rows ??= []).push(deadLetterRow(handler, settlement, this.delivery.attempt));
  }

  verdict(): Verdict {
    if (this.released) return VERDICT_RELEASE;
    return this.rows === undefined ? VERDICT_ACK : { kind: 'ack', deadLetters: this.rows };
  }
}

function deadLetterRow(
  handler: string,
  { reason, error }: Extract<Settlement, { kind: 'dead-letter' }>,
  attempts: number,
): DeadLetterRow {
  return {
    handler,
    reason,
    attempts,
    error: messageOf(error).slice(0, MAX_ERROR),
    stack: stackOf(error)?.slice(0, MAX_STACK),
  };
}

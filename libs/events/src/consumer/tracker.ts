import type { DeadLetterRow, Delivery, RetryRow, Settlement, Verdict } from '../core/delivery.js';
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

/** One handler's attempt, as far as its settlement needs it. */
export interface Attempt {
  readonly entry: HandlerEntry;
  readonly attempt: number;
  readonly failures: number;
}

/** What the consumer knows of a delivery in flight: its handlers that still run, what they made of it. */
export class Tracker implements BagItem {
  place = -1;
  pending = 0;
  started = 0;
  /** Its handlers. */
  entries: readonly HandlerEntry[] = [];
  /** Which of them has it, where it is a request: that is for one after the other, until one wants it. */
  turn = 0;
  /** The publisher that waits for it. */
  waiter: SettleWaiter | undefined;
  /** Settled early (released at shutdown, claim lost): what its handlers still return does not count. */
  closed = false;
  /** Called when its last handler has settled, whatever becomes of that. */
  ended: (() => void) | undefined;
  failed: { handler: string; error: unknown }[] | undefined;
  private settledEntries: Set<HandlerEntry> | undefined;
  private rows: DeadLetterRow[] | undefined;
  private retries: RetryRow[] | undefined;
  private released: Attempt[] | undefined;
  private aborters: ((reason: Error) => void)[] | undefined;
  private abortReason: Error | undefined;

  constructor(
    readonly delivery: Delivery,
    /** Called once, when the last handler has settled, with the job that was last. */
    readonly settled: (tracker: Tracker, job: HandlerJob, settlement: Settlement) => void,
    readonly intake: TrackerHome | undefined,
  ) {}

  /** Calls `abort` when the delivery is given up; at once if it has been. */
  onAbort(abort: (reason: Error) => void): void {
    if (this.abortReason !== undefined) abort(this.abortReason);
    else (this.aborters ??= []).push(abort);
  }

  abort(reason: Error): void {
    this.abortReason = reason;
    for (const abort of this.aborters ?? []) abort(reason);
    this.aborters = undefined;
  }

  get aborted(): boolean {
    return this.abortReason !== undefined;
  }

  /** Takes one handler's settlement. */
  take(run: Attempt, settlement: Settlement): void {
    if (this.entries.length > 1) (this.settledEntries ??= new Set()).add(run.entry);
    if (settlement.kind === 'ack') return;
    if (settlement.kind === 'release') {
      (this.released ??= []).push(run);
      return;
    }
    const { name } = run.entry.declaration;
    if (settlement.kind === 'retry') {
      if (settlement.counted) (this.failed ??= []).push({ handler: name, error: settlement.error });
      (this.retries ??= []).push(this.retryRow(run, settlement.delay, settlement.counted));
      return;
    }
    (this.failed ??= []).push({ handler: name, error: settlement.error });
    (this.rows ??= []).push(deadLetterRow(name, settlement, run.attempt));
  }

  verdict(): Verdict {
    const { released, rows, retries } = this;
    if (released === undefined && rows === undefined && retries === undefined) return VERDICT_ACK;
    if (released?.length === this.entries.length) return VERDICT_RELEASE;
    // An inbox has no rows for single handlers.
    if (this.intake?.spec.kind === 'inbox' && (released !== undefined || retries !== undefined)) return VERDICT_RELEASE;
    return {
      kind: 'ack',
      deadLetters: rows,
      // One that was released while others have settled: it alone is handed over again.
      retries: released === undefined ? retries : [...(retries ?? []), ...released.map((run) => this.again(run))],
    };
  }

  /** Nothing of it has begun, and this handler alone is next. */
  waitsFor(entry: HandlerEntry): boolean {
    return this.started === 0 && this.pending === 1 && this.entries[this.turn] === entry;
  }

  /** Nobody else here is to handle it, and somebody else might: then a handler that is closed gives it back. */
  isOnly(entry: HandlerEntry): boolean {
    if (this.delivery.event?.mode === 'request') return true;
    const kind = this.intake?.spec.kind;
    if (kind === undefined || kind === 'process') return false;
    return kind !== 'inbox' || (this.entries.length === 1 && this.entries[0] === entry);
  }

  /** What to settle when it is given up before all its handlers have settled. */
  verdictOfRelease(): Verdict {
    const kind = this.intake?.spec.kind;
    if (this.settledEntries === undefined || kind === 'process' || kind === 'inbox') return VERDICT_RELEASE;
    const settled = this.settledEntries;
    const { attempt, failures } = this.delivery;
    for (const entry of this.entries)
      if (!settled.has(entry)) (this.released ??= []).push({ entry, attempt, failures });
    return this.verdict();
  }

  private again(run: Attempt): RetryRow {
    return this.retryRow(run, 0, false);
  }

  private retryRow({ entry, attempt, failures }: Attempt, delay: number, counted: boolean): RetryRow {
    const { delivery, intake } = this;
    const more = counted ? 1 : 0;
    return {
      // An anycast event is for any handler, unless it has been addressed to one.
      handler: intake?.spec.kind === 'anycast' ? delivery.handler : entry.declaration.name,
      delay,
      attempt: attempt + more,
      failures: failures + more,
    };
  }
}

export function deadLetterRow(
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

import { packBatch, type Batch, type Texts } from './batch.js';
import { BackendError, isEventsError } from '../../core/errors.js';
import { messageOf } from '../../core/message-of.js';
import type { Connection } from './connection.js';
import { isPassing } from './reply-errors.js';

/** Characters of events that travel in one call. */
const MAX_SIZE = 1 << 20;

/** One event that waits to be stored. */
export interface Waiting extends Texts {
  resolve(ms: number): void;
  reject(error: Error): void;
}

/** What a script says of a batch. */
export type BatchReply =
  readonly ['OK', string, number, ...(string | number)[]] | readonly ['NEW'] | readonly ['FULL'] | readonly ['GONE'];

/** Where a lane's events go. */
export interface LaneTarget {
  /** Calls the script. `since`: '' or the id since which the events may already be stored. */
  send(batch: Batch, since: string): Promise<BatchReply>;
  /** The stream is new: makes ready what must be before its first entry. */
  prepare(): Promise<void>;
  /** What FULL or GONE means here. */
  refusal(reply: 'FULL' | 'GONE'): Error;
  dropped(count: number): void;
}

/** What all lanes of a driver share. */
export interface LaneHost {
  readonly connection: Connection;
  /** Events that one call may carry. */
  readonly batch: number;
  /** How long a publish waits for a lost connection, ms. */
  readonly grace: number;
  /** A stream id before anything that is sent from now on. */
  serverIdNow(): string;
  /** Events left the buffer. */
  sent(events: number, size: number): void;
}

/**
 * Sends the events of one stream in order: those of one tick together, one call under way at a time, each event with its
 * own result. A call whose answer was lost is sent again, flagged, before anything newer.
 */
export class PublishLane {
  private readonly queue: Waiting[] = [];
  private head = 0;
  private scheduled = false;
  private sending = false;

  constructor(
    private readonly host: LaneHost,
    private readonly target: LaneTarget,
    private readonly idle: () => void,
  ) {}

  push(waiting: Waiting): void {
    this.queue.push(waiting);
    if (this.scheduled || this.sending) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      void this.flush();
    });
  }

  private async flush(): Promise<void> {
    this.sending = true;
    for (let batch = this.next(); batch.length > 0; batch = this.next()) {
      try {
        await this.store(batch);
      } catch (error) {
        for (const each of batch) each.reject(error instanceof Error ? error : new BackendError(messageOf(error)));
      }
      this.host.sent(
        batch.length,
        batch.reduce((sum, each) => sum + each.ce.length + each.data.length, 0),
      );
    }
    this.sending = false;
    this.idle();
  }

  private next(): Waiting[] {
    const batch: Waiting[] = [];
    let size = 0;
    for (
      let each = this.queue[this.head];
      each !== undefined && batch.length < this.host.batch;
      each = this.queue[this.head]
    ) {
      size += each.ce.length + each.data.length;
      if (batch.length > 0 && size > MAX_SIZE) break;
      batch.push(each);
      this.head++;
    }
    if (this.head === this.queue.length) {
      this.queue.length = 0;
      this.head = 0;
    } else if (this.head > 4_096) {
      this.queue.splice(0, this.head);
      this.head = 0;
    }
    return batch;
  }

  private async store(batch: readonly Waiting[]): Promise<void> {
    const reply = await this.send(packBatch(batch));
    if (reply[0] === 'OK') {
      this.report(batch, reply);
      return;
    }
    if (reply[0] === 'FULL' && batch.length > 1) {
      for (const each of batch)
        await this.store([each]).catch((error: unknown) => {
          each.reject(error as Error);
        });
      return;
    }
    throw this.target.refusal(reply[0] === 'GONE' ? 'GONE' : 'FULL');
  }

  /** Sends until there is an answer, or until the connection has been away for too long. */
  private async send(batch: Batch): Promise<BatchReply> {
    const { connection, grace } = this.host;
    let since = '';
    for (;;) {
      const before = this.host.serverIdNow();
      try {
        const reply = await this.target.send(batch, since);
        if (reply[0] !== 'NEW') return reply;
        await this.target.prepare();
      } catch (error) {
        const unavailable = isEventsError(error, 'BACKEND_UNAVAILABLE');
        if (!unavailable && !isPassing(error))
          throw new BackendError(`Redis refused the event: ${messageOf(error)}`, error);
        if (unavailable && (error as { outcome?: string }).outcome === 'unknown' && since === '') since = before;
        // Always a pause: a client may refuse commands before it says that its connection is gone.
        await connection.rest();
        if (!(await connection.whenUp(grace)))
          throw connection.unavailable(since === '' ? 'not-stored' : 'unknown', error);
      }
    }
  }

  private report(
    batch: readonly Waiting[],
    [, ms, dropped, ...failures]: Extract<BatchReply, readonly ['OK', ...unknown[]]>,
  ): void {
    if (dropped > 0) this.target.dropped(dropped);
    const refused = new Map<number, string>();
    for (let index = 0; index < failures.length; index += 2)
      refused.set(Number(failures[index]), String(failures[index + 1]));
    const time = Number(ms);
    for (const [index, each] of batch.entries()) {
      const message = refused.get(index);
      if (message === undefined) each.resolve(time);
      else each.reject(new BackendError(`Redis refused the event: ${message}`));
    }
  }
}

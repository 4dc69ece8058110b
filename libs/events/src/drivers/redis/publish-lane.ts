import { packBatch, type Batch, type Texts } from './batch.js';
import type { Clock } from '../../core/clock.js';
import { BackendError, BackendUnavailableError, isEventsError } from '../../core/errors.js';
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
export interface LaneTarget<Event extends Waiting = Waiting> {
  /**
   * Calls the script. `batch` is the same object for a resend. `since`: '' or the id since which the events may already be
   * stored. `events` are those of the batch.
   */
  send(batch: Batch, since: string, events: readonly Event[]): Promise<BatchReply>;
  /** The stream is new: makes ready what must be before its first entry. */
  prepare(): Promise<void>;
  /** What FULL or GONE means here, of one event. */
  refusal(reply: 'FULL' | 'GONE', event: Event): Error;
  dropped(count: number): void;
}

/** What all lanes of a driver share. */
export interface LaneHost {
  readonly bus: string;
  readonly clock: Clock;
  readonly connection: Connection;
  /** Events that one call may carry. */
  readonly batch: number;
  /** How long a batch is tried after its first failure, ms. */
  readonly grace: number;
  /** A stream id before anything that is sent from now on. */
  serverIdNow(): string;
  /** Events left the buffer. */
  sent(events: number, size: number): void;
}

/** How far the storing of a batch has come. */
interface Trial {
  /** '' or the id since which the events may be stored: an answer was lost. */
  since: string;
  /** When it is given up unless there is an answer before, ms; undefined while nothing has failed. */
  end: number | undefined;
  /** Events that waited behind it when it first failed: they have waited as long when it is given up. */
  behind: number;
}

/**
 * Sends the events of one stream in order: those of one tick together, one call under way at a time, each event with its
 * own result. A call whose answer was lost is sent again, flagged, before anything newer. What cannot be stored within the
 * grace time after its first failure is refused, whatever the failure; an event so waits for twice that at most.
 */
export class PublishLane<Event extends Waiting = Waiting> {
  private readonly queue: Event[] = [];
  private head = 0;
  private scheduled = false;
  private sending = false;

  constructor(
    private readonly host: LaneHost,
    private readonly target: LaneTarget<Event>,
    private readonly idle: () => void,
  ) {}

  push(waiting: Event): void {
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
      const trial: Trial = { since: '', end: undefined, behind: 0 };
      try {
        await this.store(batch, trial);
      } catch (error) {
        this.refuse(batch, error);
        if (isEventsError(error, 'BACKEND_UNAVAILABLE')) this.refuseBehind(trial, error);
      }
      this.leave(batch);
    }
    this.sending = false;
    this.idle();
  }

  private next(): Event[] {
    const batch: Event[] = [];
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
    this.compact();
    return batch;
  }

  private compact(): void {
    if (this.head === this.queue.length) {
      this.queue.length = 0;
      this.head = 0;
    } else if (this.head > 4_096) {
      this.queue.splice(0, this.head);
      this.head = 0;
    }
  }

  private leave(batch: readonly Waiting[]): void {
    this.host.sent(
      batch.length,
      batch.reduce((sum, each) => sum + each.ce.length + each.data.length, 0),
    );
  }

  private refuse(batch: readonly Waiting[], error: unknown): void {
    for (const each of batch) each.reject(error instanceof Error ? error : new BackendError(messageOf(error)));
  }

  /** Nothing of what waited behind a batch that was given up has been sent. */
  private refuseBehind({ behind }: Trial, cause: unknown): void {
    if (behind === 0) return;
    const late = this.queue.slice(this.head, this.head + behind);
    this.head += late.length;
    this.compact();
    this.refuse(late, this.unavailable('', cause));
    this.leave(late);
  }

  private async store(batch: readonly Event[], trial: Trial): Promise<void> {
    const reply = await this.send(packBatch(batch), trial, batch);
    if (reply[0] === 'OK') {
      this.report(batch, reply);
      return;
    }
    const [first, second] = batch;
    // Of several some may fit, and some be there already.
    if (second !== undefined && (reply[0] === 'FULL' || batch.some(({ once }) => once)))
      await this.storeEach(batch, trial);
    else if (first !== undefined) throw this.target.refusal(reply[0] === 'GONE' ? 'GONE' : 'FULL', first);
  }

  private async storeEach(batch: readonly Event[], trial: Trial): Promise<void> {
    const { since } = trial;
    for (const [index, each] of batch.entries()) {
      trial.since = since;
      try {
        await this.store([each], trial);
      } catch (error) {
        this.refuse([each], error);
        if (!isEventsError(error, 'BACKEND_UNAVAILABLE')) continue;
        this.refuse(batch.slice(index + 1), this.unavailable(since, error));
        throw error;
      }
    }
  }

  /** Sends until there is an answer, or until the grace time is over. */
  private async send(batch: Batch, trial: Trial, events: readonly Event[]): Promise<BatchReply> {
    const { connection, clock } = this.host;
    for (;;) {
      const before = this.host.serverIdNow();
      try {
        const reply = await this.target.send(batch, trial.since, events);
        if (reply[0] !== 'NEW') {
          trial.end = undefined;
          return reply;
        }
        await this.prepare(trial);
      } catch (error) {
        const unavailable = isEventsError(error, 'BACKEND_UNAVAILABLE');
        if (!unavailable && !isPassing(error))
          throw new BackendError(`Redis refused the event: ${messageOf(error)}`, error);
        if (unavailable && (error as { outcome?: string }).outcome === 'unknown' && trial.since === '')
          trial.since = before;
        const end = this.fail(trial);
        // Always a pause: a client may refuse commands before it says that its connection is gone.
        if (clock.now() < end) await connection.rest();
        if (!(await connection.whenUp(Math.max(0, end - clock.now()))) || clock.now() >= end)
          throw this.unavailable(trial.since, error);
      }
    }
  }

  /** Makes the stream ready, within the grace time: it would wait for a lost connection for ever. */
  private async prepare(trial: Trial): Promise<void> {
    const { clock, connection } = this.host;
    const { end } = trial;
    const left = Math.max(0, this.fail(trial) - clock.now());
    let cancel = (): void => undefined;
    const late = new Promise<void>((_resolve, reject) => {
      const timer = clock.after(
        left,
        () => {
          reject(connection.unavailable('not-stored'));
        },
        'awaited',
      );
      cancel = () => {
        timer.cancel();
      };
    });
    await Promise.race([this.target.prepare(), late]).finally(cancel);
    trial.end = end;
  }

  /** Notes a failure. Returns when the batch is given up, ms. */
  private fail(trial: Trial): number {
    if (trial.end === undefined) {
      trial.end = this.host.clock.now() + this.host.grace;
      trial.behind = this.queue.length - this.head;
    }
    return trial.end;
  }

  private unavailable(since: string, cause: unknown): BackendUnavailableError {
    const outcome = since === '' ? 'not-stored' : 'unknown';
    // What the server answers says more than that there is no connection.
    if (!isPassing(cause)) return this.host.connection.unavailable(outcome, cause);
    return new BackendUnavailableError(
      `Bus '${this.host.bus}': Redis takes no events now, and has not for ${String(this.host.grace)} ms: ${messageOf(cause)}`,
      { outcome, cause },
    );
  }

  private report(
    batch: readonly Waiting[],
    [, ms, dropped, ...others]: Extract<BatchReply, readonly ['OK', ...unknown[]]>,
  ): void {
    if (dropped > 0) this.target.dropped(dropped);
    const special = new Map<number, string | number>();
    for (let index = 0; index < others.length; index += 2) special.set(Number(others[index]), others[index + 1] ?? '');
    const time = Number(ms);
    for (const [index, each] of batch.entries()) {
      const result = special.get(index) ?? time;
      if (typeof result === 'number') each.resolve(result);
      else each.reject(new BackendError(`Redis refused the event: ${result}`));
    }
  }
}

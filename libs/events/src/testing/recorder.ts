import { inspect } from 'node:util';
import type { EventContext } from '../core/context.js';
import type { EventHandler } from '../core/handler.js';
import { waitFor, type WaitOptions } from './wait-for.js';

/** An event as a recorder's handler got it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in EventHandler: tests narrow it themselves
export interface RecordedEvent<Payload = any> {
  readonly payload: Payload;
  readonly context: EventContext;
  /** As they were when the handler was called. */
  readonly attempt: number;
  readonly redelivered: boolean;
}

/**
 * Records what a handler gets, in the order in which it is called: give `recorder.handler` to `subscribe`, publish, and
 * `await recorder.count(n)`.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in EventHandler: tests narrow it themselves
export class EventsRecorder<Payload = any> {
  private recorded: RecordedEvent<Payload>[] = [];

  /** @param inner does the work of the handler, after the event is recorded; its result is the handler's */
  constructor(private readonly inner?: EventHandler<Payload>) {}

  readonly handler = (payload: Payload, context: EventContext): unknown => {
    const { attempt, redelivered } = context;
    this.recorded.push({ payload, context, attempt, redelivered });
    return this.inner?.(payload, context);
  };

  get events(): readonly RecordedEvent<Payload>[] {
    return this.recorded;
  }

  get payloads(): Payload[] {
    return this.recorded.map(({ payload }) => payload);
  }

  get types(): string[] {
    return this.recorded.map(({ context }) => context.type);
  }

  get ids(): string[] {
    return this.recorded.map(({ context }) => context.id);
  }

  /** The event recorded last. @throws Error when there is none */
  get last(): RecordedEvent<Payload> {
    const last = this.recorded.at(-1);
    if (last === undefined) throw new Error('The recorder has no event yet.');
    return last;
  }

  /**
   * Resolves with the events when there are at least `n`.
   * @throws Error that tells what came, when the time is up
   */
  async count(n: number, options: WaitOptions = {}): Promise<readonly RecordedEvent<Payload>[]> {
    await waitFor(
      () => {
        if (this.recorded.length < n) throw new Error(`${String(this.recorded.length)} came: ${this.summary()}`);
        return true;
      },
      { what: `${String(n)} recorded events`, ...options },
    );
    return this.recorded;
  }

  /** Forgets what was recorded. */
  clear(): void {
    this.recorded = [];
  }

  private summary(): string {
    const rows = this.recorded.map(
      ({ context, payload }) => `${context.type} ${inspect(payload, { breakLength: Infinity })}`,
    );
    return inspect(rows, { maxArrayLength: 20, maxStringLength: 200 });
  }
}

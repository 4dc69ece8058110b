import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import type { DeadLetter, DeadLetterFilter } from '../../bus/dead-letters.js';
import type { EventBus } from '../../bus/event-bus.js';
import type { Listenable } from '../../bus/publish-options.js';
import type { SubscribeOptions } from '../../bus/subscription.js';
import { isEventsError, type EventsError, type EventsErrorCode } from '../../core/errors.js';
import type { EventHandler } from '../../core/handler.js';
import type { RetryOptions } from '../../ports/options.js';
import { EventsRecorder } from '../recorder.js';
import { waitForOutcome, type Outcome } from '../wait-for.js';
import type { Harness, HarnessBusOptions, HarnessDeadLetter } from './harness.js';

/** How long a test looks on to see that nothing more comes, ms: longer than a member waits whose turn it is not. */
const QUIET = 150;

/** How a recorded handler listens; `then` is its work. */
export interface RecordOptions extends SubscribeOptions {
  readonly then?: EventHandler;
}

/** What counts what has come. */
export interface Counting {
  readonly events: { readonly length: number };
}

/** A door that handlers wait at. */
export class Gate {
  private open_!: () => void;
  readonly opened = new Promise<void>((resolve) => (this.open_ = resolve));

  /** A handler that waits until the door opens. */
  readonly handler = (): Promise<void> => this.opened;

  open(): void {
    this.open_();
  }
}

/** A harness with what tests keep needing. The doors open when the test ends, so that no handler holds up the closing. */
export class Stage {
  private readonly gates: Gate[] = [];

  constructor(readonly harness: Harness) {}

  bus(options?: HarnessBusOptions): Promise<EventBus> {
    return this.harness.bus(options);
  }

  /** Several processes with the same options. */
  buses(count: number, options?: HarnessBusOptions): Promise<EventBus[]> {
    return Promise.all(Array.from({ length: count }, () => this.harness.bus(options)));
  }

  gate(): Gate {
    const gate = new Gate();
    this.gates.push(gate);
    return gate;
  }

  openGates(): void {
    for (const gate of this.gates) gate.open();
  }

  /** Subscribes a handler that records. In a group its name is `handler` unless said otherwise. */
  async record(bus: EventBus, pattern: Listenable, options: RecordOptions = {}): Promise<EventsRecorder> {
    const { then, ...rest } = options;
    const recorder = new EventsRecorder(then);
    const name = rest.group === undefined ? {} : { name: 'handler' };
    await bus.subscribe(pattern, recorder.handler, { ...name, ...rest });
    return recorder;
  }

  /** Waits until the predicate holds, 5 s at most, or what `timeout` says. */
  until(what: string, predicate: () => unknown, timeout?: string): Promise<unknown> {
    return this.harness.waitFor(predicate, { what, ...(timeout === undefined ? {} : { timeout }) });
  }

  /** Waits until the recorders have `count` events together; then that no more come. */
  async exactly(count: number, ...recorders: readonly Counting[]): Promise<void> {
    await this.atLeast(count, ...recorders);
    await this.quiet();
    assert.equal(total(recorders), count, `${String(count)} events, and no more`);
  }

  async atLeast(count: number, ...recorders: readonly Counting[]): Promise<void> {
    await this.until(`${String(count)} events`, () => {
      assert.ok(total(recorders) >= count, `${String(total(recorders))} came`);
      return true;
    });
  }

  /** Lets enough time pass for what should not come to come. */
  quiet(): Promise<void> {
    return this.harness.advance(QUIET);
  }

  /** How a promise ends, with time passing meanwhile. */
  outcome<T>(promise: PromiseLike<T>): Promise<Outcome<T>> {
    return waitForOutcome(promise, { timeout: '20s', between: (elapsed) => this.harness.advance(elapsed) });
  }

  async value<T>(promise: PromiseLike<T>): Promise<T> {
    const outcome = await this.outcome(promise);
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  /** The error that a promise is rejected with, which must be the library's and have one of these codes. */
  async refusal(promise: PromiseLike<unknown>, ...codes: readonly EventsErrorCode[]): Promise<EventsError> {
    const outcome = await this.outcome(promise);
    assert.equal(outcome.status, 'rejected', `expected ${codes.join(' or ')}`);
    const { reason } = outcome as { reason: unknown };
    assert.ok(isEventsError(reason), `expected ${codes.join(' or ')}, got ${String(reason)}`);
    assert.ok(codes.includes(reason.code), `expected ${codes.join(' or ')}, got ${reason.code}: ${reason.message}`);
    return reason;
  }

  /** Waits for `count` dead letters, oldest first; more are an error. */
  async deadLetters(count: number): Promise<readonly HarnessDeadLetter[]> {
    const rows = await this.harness.waitFor(
      async () => {
        const found = await this.harness.deadLetters();
        assert.ok(found.length >= count, `${String(found.length)} dead letters`);
        return found;
      },
      { what: `${String(count)} dead letters`, timeout: '15s' },
    );
    assert.equal(rows.length, count, `dead letters: ${JSON.stringify(rows)}`);
    return rows;
  }

  /** Waits until the bus lists `count` dead letters that fit, oldest first; more are an error. */
  async letters(bus: EventBus, count: number, filter: DeadLetterFilter = {}): Promise<readonly DeadLetter[]> {
    const { items, total } = await this.harness.waitFor(
      async () => {
        const page = await bus.deadLetters.list({ ...filter, pageSize: 1_000 });
        assert.ok(page.total >= count, `${String(page.total)} dead letters`);
        return page;
      },
      { what: `${String(count)} dead letters`, timeout: '15s' },
    );
    assert.equal(total, count, `dead letters: ${JSON.stringify(items)}`);
    return [...items].reverse();
  }

  /** Random numbers from 0 to below 1, the same for the same seed. */
  random(): { readonly seed: number; readonly next: () => number } {
    const seed = this.harness.seed ?? randomInt(2 ** 31);
    let state = seed;
    // mulberry32
    const next = (): number => {
      state = (state + 0x6d2b79f5) | 0;
      let value = Math.imul(state ^ (state >>> 15), 1 | state);
      value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
      return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
    };
    return { seed, next };
  }
}

/** 0 … count - 1. */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Retries that a test can wait for: so many attempts in all, 20 ms apart. */
export function soon(attempts: number): RetryOptions {
  return { attempts, delay: 20, backoff: 'fixed', jitter: false };
}

/** A handler that fails at its first `times` attempts; the message of its error tells which. */
export function failing(times = Infinity): EventHandler {
  return (_, { attempt }) => {
    if (attempt <= times) throw new Error(`attempt ${String(attempt)} fails`);
  };
}

/** The attempts of what was recorded, in order. */
export function attempts(recorder: EventsRecorder): number[] {
  return recorder.events.map(({ attempt }) => attempt);
}

/** Publishes the numbers 0 … count - 1, without waiting for one before the next. */
export async function publishNumbers(bus: EventBus, type: string, count: number, from = 0): Promise<void> {
  await Promise.all(numbers(count).map((number) => bus.publish(type, from + number)));
}

/** The payloads of several recorders, as sorted numbers. */
export function sorted(...recorders: readonly EventsRecorder[]): number[] {
  return recorders.flatMap((recorder) => recorder.payloads as number[]).sort((a, b) => a - b);
}

function total(recorders: readonly Counting[]): number {
  return recorders.reduce((sum, recorder) => sum + recorder.events.length, 0);
}

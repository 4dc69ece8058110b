import type { EventBus } from '../../bus/event-bus.js';
import type { DeadLetterReason } from '../../core/delivery.js';
import type { TestBusOptions } from '../open-bus.js';
import type { Truthy, WaitOptions } from '../wait-for.js';

/** What a backend may do beyond what every backend does; a test that needs it is skipped, by name, where it is missing. */
export type ConformanceCapability =
  /** `rawEntry` and `rawCardEntry` are there: other programs can write entries. */
  | 'raw-entries'
  /** Entries that others wrote with any fields are taken as events. */
  | 'foreign-entries'
  /** `isolate: false` hands payloads over by reference. */
  | 'by-reference'
  /** A caller's `id` deduplicates. */
  | 'deduplication';

/** Options of a bus that a test opens; the backend is the harness's. */
export type HarnessBusOptions = Omit<TestBusOptions, 'backend' | 'url' | 'redis' | 'connection' | 'keyPrefix'>;

/** A card entry of another program: whether it says so, as the contract of card streams asks for. Defaults to true. */
export interface RawCardOptions {
  readonly notify?: boolean;
}

/** A dead letter, as far as every backend can tell it. */
export interface HarnessDeadLetter {
  /** Of a card's letter: its topic. */
  readonly type: string;
  readonly cardId?: string | undefined;
  /** Empty where the entry could not be read. */
  readonly id: string;
  readonly reason: DeadLetterReason;
  readonly handler?: string | undefined;
  readonly group?: string | undefined;
  readonly attempts: number;
  readonly error: string;
}

/**
 * One fresh, empty backend and the processes on it: what a driver brings to be tested. Where it has a server, each bus
 * has connections of its own and all have one key prefix that no other harness has.
 */
export interface Harness {
  /** Opens a bus that receives, as another process would. */
  bus(options?: HarnessBusOptions): Promise<EventBus>;
  /** The process dies at once: nothing is drained, handed over or said. What its handlers still do has no effect. */
  crash(bus: EventBus): Promise<void>;
  /** What is in the dead letters now, of all types, subscribers and topics of cards. */
  deadLetters(): Promise<readonly HarnessDeadLetter[]>;
  /** Writes an entry into the log of a type, as another program would. */
  rawEntry?(type: string, fields: Readonly<Record<string, string>>): Promise<void>;
  /** Writes an entry into the queue of a card, as another program would, registered or not. */
  rawCardEntry?(
    topic: string,
    cardId: string,
    fields: Readonly<Record<string, string>>,
    options?: RawCardOptions,
  ): Promise<void>;
  /** Lets time pass: a fake clock's where all time is the library's, real time where there is a server. */
  advance(ms: number): Promise<void>;
  /** `waitFor`, in the course of which time passes, whichever time it is. */
  waitFor<T>(predicate: () => T | Promise<T>, options?: WaitOptions): Promise<Truthy<T>>;
  /**
   * Closes every bus that did not crash, and removes what is stored. Rejects when something was left over, or when a card
   * was left with events and is neither ready, owned nor waiting.
   */
  close(): Promise<void>;
  /** For tests with random values; without it they draw one, and print it when they fail. */
  readonly seed?: number;
}

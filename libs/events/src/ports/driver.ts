import type { Clock } from '../core/clock.js';
import type { Delivery, Reply, Verdict } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import type { CardStore } from './cards.js';
import type { EventsLogger } from './logger.js';
import type { IdempotencyStore, LetterStore } from './stores.js';

/**
 * A backend of a bus. One instance serves one bus of one process, from `open` to `close`.
 *
 * Rules for every driver; the conformance suite checks them:
 * - every method but `open` before `open` has resolved, and every method after `close`, rejects with `BusClosedError`;
 * - `close` twice is once; `close` settles nothing and hands nothing over: the consumer has drained before;
 * - nothing is delivered inside a call of `publish`, `attach` or `request`: always later;
 * - a failure of one entry never ends the flow of the others.
 */
export interface EventDriver {
  readonly capabilities: DriverCapabilities;

  /**
   * Connects and claims the instance id. Notes the position at which sources with `startFrom: 'open'` begin.
   * @throws BackendUnavailableError when the backend is not there within the connect timeout
   * @throws InstanceIdInUseError when another live process holds `host.instanceId`
   */
  open(host: DriverHost): Promise<void>;

  /**
   * Stores an event where its mode says. Resolves when it is stored, and never when it is not.
   * Returns the time of storing, in milliseconds since the epoch. Events of one type of one publisher keep their order.
   * @throws BackendUnavailableError, BackendError, StreamFullError, EventsOverloadedError, NoSuchInstanceError (unicast)
   * @throws UnroutableError (mandatory)
   */
  publish(event: EventEnvelope, options?: StoreOptions): number | Promise<number>;

  /** Begins to receive for one subscriber: nothing until `listen`, but for an inbox. */
  attach(spec: SourceSpec, sink: Sink): Promise<Source>;

  /**
   * Sends a request to one other live process that answers `event.type` and waits for the reply.
   * `timeout` in milliseconds; `signal` ends the wait.
   * @throws NoHandlerError after re-reading who is alive; RequestTimeoutError; WaitAbortedError; ResponderLostError
   */
  request(event: EventEnvelope, timeout: number, signal?: AbortSignal): Promise<Reply>;

  /** The processes that are alive, this one among them. */
  members(): Promise<readonly Member[]>;

  /** The dead letters of the bus. */
  readonly deadLetters: LetterStore;
  /** What idempotent handlers have done. */
  readonly idempotency: IdempotencyStore;
  /** Queues of cards, each in strict order. */
  readonly cards: CardStore;

  /** Leaves and disconnects what it opened itself. */
  close(): Promise<void>;
}

/** How an event is stored. */
export interface StoreOptions {
  /** Anycast: this process takes it if it can, as far as the backend can arrange that. */
  readonly preferLocal?: boolean;
  /** Refuse it (`UnroutableError`) when no group and no live process listens to it. */
  readonly mandatory?: boolean;
  /**
   * An event of this type (unicast: for this target) and id that was stored within the last 10 minutes is not stored
   * again; the call resolves all the same.
   */
  readonly deduplicate?: boolean;
}

/** What a driver can do; the conformance suite picks its tests by it. */
export interface DriverCapabilities {
  readonly name: string;
  /** Stored events outlive the process. */
  readonly durable: boolean;
  /** Other processes can take part. */
  readonly distributed: boolean;
}

/** What a driver gets from the bus that it serves. */
export interface DriverHost {
  readonly bus: string;
  readonly service: string;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly logger: EventsLogger;
  /** Tells people and programs about trouble that no caller can be told about. Never throws. */
  warn(warning: DriverWarning): void;
}

/** Trouble in the background. `cause` is a stable word for programs. */
export interface DriverWarning {
  readonly cause:
    | 'gap'
    | 'drop'
    | 'dead-letter'
    | 'connection'
    | 'reclaimed'
    | 'group-lost'
    | 'group-idle'
    | 'server-settings'
    | 'types'
    /** Events of a card are gone that were handed over, or others consume its stream too. */
    | 'cards'
    /** A card waits with its head for somebody to resume or skip it. */
    | 'parked'
    /** A handler went on after its timeout and its signal. */
    | 'stuck'
    /** What a process said of a card that it holds no more was refused. */
    | 'card-lost'
    /** Events cause events in a circle. */
    | 'loop'
    | 'internal';
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * Whom a source receives for.
 * - `process`: every broadcast event, once for this process; nothing to settle.
 * - `group`: the broadcast events that this member of the durable group takes.
 * - `anycast`: the anycast events that this process takes, of the one anycast group of each type.
 * - `inbox`: the unicast events for this process, of every type; has no patterns.
 * - `requests`: the requests that this process is asked to answer.
 */
export type SourceSpec =
  { readonly kind: 'process' | 'anycast' | 'inbox' | 'requests' } | { readonly kind: 'group'; readonly group: string };

/** `open`: what came after the driver opened; `new`: what comes after the call; `earliest`: all that is retained. */
export type StartFrom = 'open' | 'new' | 'earliest';

/** The consumer's side of a source. */
export interface Sink {
  /** How many more deliveries are welcome now. A driver never hands over more. */
  room(): number;
  /** Hands one over. Never throws. Returns before the handlers have run. */
  deliver(delivery: Delivery): void;
  /** The claim on a delivery that is still being handled is lost to somebody else. */
  revoke(delivery: Delivery): void;
}

/** Tells which deliveries came after a pattern was added; `undefined` in place of a gate: all of them. */
export interface Gate {
  admits(delivery: Delivery): boolean;
  /** True when it will never refuse again. */
  readonly spent: boolean;
}

/** The driver's side of a source. */
export interface Source {
  /**
   * Adds a pattern (twice is once). A pattern added to a `process` source counts from this call on: events of before
   * that are still on their way do not pass the gate. For a group, `startFrom` applies if the pattern is new to the group.
   */
  listen(pattern: string, startFrom: StartFrom): Promise<Gate | undefined>;
  /** Removes a pattern; an unknown one does nothing. What is in flight stays in flight. */
  unlisten(pattern: string): Promise<void>;
  /** Says that `room()` has grown from nothing. */
  pull(): void;
  /**
   * Ends a delivery: acknowledgement, retries and dead letters together, or release for others, or the reply to a
   * request. Called once a delivery, for `process` again for what failed after retries: there it files the dead letters
   * and does nothing else, because the consumer itself keeps the retries of `process` and `inbox`.
   * Resolves when the backend has it; a lost claim is not an error.
   */
  settle(delivery: Delivery, verdict: Verdict): void | Promise<void>;
  /**
   * Notes, for good, that a delivery of `group` or `anycast` is about to be handled alone in this process, because its
   * consumers have died with it. Resolves with how often that was noted before; the end of the delivery clears it.
   */
  alone(delivery: Delivery): Promise<number>;
  /** Takes nothing more; resolves when nothing more will be delivered. What is in flight may still be settled. */
  pause(): Promise<void>;
  /** Pauses, and ends the subscription of this process. Never drops pending entries: they go to other members. */
  close(): Promise<void>;
}

/** A live process on the bus. */
export interface Member {
  readonly instanceId: string;
  readonly service: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** What it answers requests of. */
  readonly answers: readonly string[];
  /** Its groups, with their patterns. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

import { eventTypeOfInstance, type EventClass } from '../core/event-class.js';
import { EventTypeChecker } from '../core/event-type.js';
import type { EventEnvelope, EventMode } from '../core/envelope.js';
import { InvalidEventError, InvalidOptionError } from '../core/errors.js';
import { HandlersFailedError } from '../core/publish-errors.js';
import type { RetryPolicy } from '../core/retry-policy.js';
import type { EventDriver, StoreOptions } from '../ports/driver.js';
import type { EventsLogger } from '../ports/logger.js';
import { EventContracts } from '../validation/event-contracts.js';
import type { EnvelopeFactory } from './envelope-factory.js';
import type { PublishOptions } from './publish-options.js';
import { PublishRetries, publishRetryOf } from './publish-retry.js';

/** What the publisher asks of this process's receiving half. */
export interface LocalHandlers {
  /** Waits until the event has had its first attempt at every ungrouped handler of this process; gives the failures. */
  expect(id: string, type: string): Promise<{ handler: string; error: unknown }[]>;
  forget(id: string, type: string): void;
}

/** The storing half of a bus. */
export class Publisher {
  private readonly types: EventTypeChecker = new EventTypeChecker();
  /** Checks of what is published that take a while. */
  private readonly checks = new WeakMap<EventEnvelope, Promise<void>>();

  constructor(
    private readonly driver: EventDriver,
    private readonly envelopes: EnvelopeFactory,
    private readonly local: LocalHandlers,
    private readonly debug: EventsLogger | undefined,
    private readonly contracts: EventContracts = new EventContracts(),
    private readonly retries: PublishRetries = new PublishRetries(),
  ) {}

  /** Makes the envelope of a publish call. @throws every error of bad input */
  envelope(
    event: string | object,
    payload: unknown,
    options: PublishOptions | undefined,
    mode?: EventMode,
  ): EventEnvelope {
    if (typeof event === 'string') {
      this.types.check(event);
      return this.envelopes.make(event, 1, payload, mode ?? this.mode(event, options), options);
    }
    if (typeof event !== 'object' || (event as unknown) === null) {
      throw new InvalidEventError(
        `publish() takes an event type or an instance of an @EventType class, not ${typeof event}.`,
      );
    }
    const { type, version } = eventTypeOfInstance(event);
    return this.check(event, this.envelopes.make(type, version, event, mode ?? this.mode(type, options), options));
  }

  /** Waits for the rules of an envelope's class, where they take a while: rejects with EventValidationError. */
  checked(envelope: EventEnvelope): Promise<void> | undefined {
    return this.checks.get(envelope);
  }

  /** Stores the envelope, and gives the time of storing, ms. Synchronous where the driver is. */
  store(envelope: EventEnvelope, options: PublishOptions | undefined): number | Promise<number> {
    const checking = this.checks.get(envelope);
    if (checking !== undefined) {
      this.checks.delete(envelope);
      return checking.then(() => this.store(envelope, options));
    }
    this.debug?.debug(
      `publish ${envelope.mode} '${envelope.type}' ${envelope.id} correlation=${envelope.correlationId}`,
    );
    if (options === undefined) return this.driver.publish(envelope);
    const how = storeOptionsOf(options);
    const retry = options.retry === undefined ? undefined : publishRetryOf(options.retry);
    if (options.settle === true) return this.storeAndSettle(envelope, how, retry);
    return this.put(envelope, how, retry);
  }

  /** Tries nothing again any more: publishes that wait for the backend reject with BusClosedError. */
  close(): void {
    this.retries.close();
  }

  private put(
    envelope: EventEnvelope,
    how: StoreOptions | undefined,
    retry: RetryPolicy | undefined,
  ): number | Promise<number> {
    if (retry === undefined) return this.driver.publish(envelope, how);
    // What may be stored already is not refused for want of listeners.
    return this.retries.store(envelope, retry, (maybeStored) =>
      this.driver.publish(envelope, maybeStored ? { ...how, mandatory: false } : how),
    );
  }

  /** Applies the rules of the event's class. @throws EventValidationError */
  private check(event: object, envelope: EventEnvelope): EventEnvelope {
    const checking = this.contracts.of(event.constructor as EventClass)?.check(event, envelope);
    if (checking === undefined) return envelope;
    // Who sends the envelope hears of it.
    checking.catch(() => undefined);
    this.checks.set(envelope, checking);
    return envelope;
  }

  private async storeAndSettle(
    envelope: EventEnvelope,
    how: StoreOptions | undefined,
    retry: RetryPolicy | undefined,
  ): Promise<number> {
    const { id, type } = envelope;
    const settled = this.local.expect(id, type);
    let time: number;
    try {
      time = await this.put(envelope, how, retry);
    } catch (error) {
      this.local.forget(id, type);
      throw error;
    }
    const failures = await settled;
    if (failures.length > 0) throw new HandlersFailedError(type, id, failures);
    return time;
  }

  private mode(type: string, options: PublishOptions | undefined): EventMode {
    if (options === undefined) return 'broadcast';
    const { target, settle, preferLocal, retry, id } = options;
    const mode = options.mode ?? (target === undefined ? 'broadcast' : 'unicast');
    if (!['broadcast', 'anycast', 'unicast'].includes(mode))
      throw new InvalidOptionError('mode', mode, "'broadcast', 'anycast' or 'unicast'");
    if ((mode === 'unicast') !== (target !== undefined))
      throw new InvalidOptionError(
        `publish('${type}') target`,
        target,
        "an instance id, together with mode 'unicast' only",
      );
    if (target !== undefined && (typeof target !== 'string' || target === ''))
      throw new InvalidOptionError('target', target, 'an instance id');
    if (settle === true && mode !== 'broadcast')
      throw new InvalidOptionError('settle', `mode '${mode}'`, "mode 'broadcast'");
    if (settle === true && retry !== undefined && id !== undefined)
      throw new InvalidOptionError('settle', 'retry and an id', 'retry or an id of your own, not both');
    if (preferLocal === true && mode !== 'anycast')
      throw new InvalidOptionError('preferLocal', `mode '${mode}'`, "mode 'anycast'");
    return mode;
  }
}

/** How the options say that the event is stored; undefined where they say nothing of it. */
function storeOptionsOf({ preferLocal, mandatory, id, retry, settle }: PublishOptions): StoreOptions | undefined {
  const how = {
    preferLocal: preferLocal === true,
    mandatory: mandatory === true,
    // Handlers tell nothing of an event that is not stored again: with settle somebody would wait for them for ever.
    deduplicate: retry !== undefined || (id !== undefined && settle !== true),
  };
  return how.preferLocal || how.mandatory || how.deduplicate ? how : undefined;
}

import { eventTypeOfInstance } from '../core/event-class.js';
import { EventTypeChecker } from '../core/event-type.js';
import type { EventEnvelope, EventMode } from '../core/envelope.js';
import { HandlersFailedError, InvalidEventError, InvalidOptionError } from '../core/errors.js';
import type { EventDriver } from '../ports/driver.js';
import type { EventsLogger } from '../ports/logger.js';
import type { EnvelopeFactory } from './envelope-factory.js';
import type { PublishOptions } from './publish-options.js';

/** What the publisher asks of this process's receiving half. */
export interface LocalHandlers {
  /** Waits until the event has had its first attempt at every ungrouped handler of this process; gives the failures. */
  expect(id: string, type: string): Promise<{ handler: string; error: unknown }[]>;
  forget(id: string, type: string): void;
}

/** The storing half of a bus. */
export class Publisher {
  private readonly types: EventTypeChecker = new EventTypeChecker();

  constructor(
    private readonly driver: EventDriver,
    private readonly envelopes: EnvelopeFactory,
    private readonly local: LocalHandlers,
    private readonly debug: EventsLogger | undefined,
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
    return this.envelopes.make(type, version, event, mode ?? this.mode(type, options), options);
  }

  /** Stores the envelope, and gives the time of storing, ms. Synchronous where the driver is. */
  store(envelope: EventEnvelope, options: PublishOptions | undefined): number | Promise<number> {
    this.debug?.debug(
      `publish ${envelope.mode} '${envelope.type}' ${envelope.id} correlation=${envelope.correlationId}`,
    );
    if (options?.settle === true) return this.storeAndSettle(envelope);
    return this.driver.publish(envelope, options?.preferLocal === true);
  }

  private async storeAndSettle(envelope: EventEnvelope): Promise<number> {
    const { id, type } = envelope;
    const settled = this.local.expect(id, type);
    let time: number;
    try {
      time = await this.driver.publish(envelope);
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
    const { target, settle, preferLocal } = options;
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
    if (preferLocal === true && mode !== 'anycast')
      throw new InvalidOptionError('preferLocal', `mode '${mode}'`, "mode 'anycast'");
    return mode;
  }
}

import { inspect } from 'node:util';
import type { PublishReceipt } from '../core/context.js';
import type { EventEnvelope } from '../core/envelope.js';

/** The receipt of a stored event; spells id and time when they are read. */
export class Receipt implements PublishReceipt {
  readonly #envelope: EventEnvelope;
  readonly #storedAt: number;

  constructor(envelope: EventEnvelope, storedAt: number) {
    this.#envelope = envelope;
    this.#storedAt = storedAt;
  }

  get id(): string {
    return this.#envelope.id;
  }

  get type(): string {
    return this.#envelope.type;
  }

  get time(): Date {
    return new Date(this.#storedAt);
  }

  toJSON(): PublishReceipt {
    return { id: this.id, type: this.type, time: this.time };
  }

  [inspect.custom](): PublishReceipt {
    return this.toJSON();
  }
}

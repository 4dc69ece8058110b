import { describe, EventsError } from './errors.js';

/** The name of a topic or the id of a card cannot be used. */
export class InvalidCardError extends EventsError {
  constructor(what: 'topic' | 'card id', given: unknown, why: string) {
    const colon = what === 'topic' ? "':', " : '';
    super(
      'INVALID_CARD',
      `${describe(given)} is not a ${what}: ${why}. A ${what} is text of 1 to 512 bytes without ${colon}braces and control characters.`,
    );
  }
}

/** Another service consumes the topic: its cards would be split between the two. */
export class TopicInUseError extends EventsError {
  constructor(topic: string, service: string, bus: string) {
    super(
      'TOPIC_IN_USE',
      `Bus '${bus}': topic '${topic}' is consumed by the service '${service}', and a topic has one. Use another topic or another cards.streamPrefix, or publish to the bus to reach several services; a topic whose service is gone is free after an hour.`,
    );
  }
}

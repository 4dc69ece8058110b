import { EventsOverloadedError } from '../../core/errors.js';

/** Events, and characters of them, that may wait to be sent. */
const MAX_EVENTS = 100_000;
const MAX_SIZE = 64 * (1 << 20);

/** Bounds what waits to be sent. */
export class PublishBuffer {
  private events = 0;
  private size = 0;

  constructor(private readonly bus: string) {}

  /** Counts an event in, or gives the error that refuses it. One is always admitted, however large. */
  admit(size: number): EventsOverloadedError | undefined {
    if (this.events >= MAX_EVENTS || (this.events > 0 && this.size + size > MAX_SIZE))
      return new EventsOverloadedError(this.bus, `${String(this.events)} events`);
    this.events++;
    this.size += size;
    return undefined;
  }

  /** Events left it. */
  sent(events: number, size: number): void {
    this.events -= events;
    this.size -= size;
  }
}

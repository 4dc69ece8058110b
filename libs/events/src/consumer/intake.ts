import type { Delivery } from '../core/delivery.js';
import type { Sink, Source, SourceSpec } from '../ports/driver.js';
import { Bag } from './bag.js';
import type { HandlerEntry } from './registry.js';
import type { Tracker, TrackerHome } from './tracker.js';

export interface IntakeLimits {
  /** Unsettled deliveries. */
  readonly count: number;
  /** Characters of payload in them. */
  readonly size: number;
}

/** What the consumer does with an intake's deliveries. */
export interface IntakeHost {
  readonly bus: string;
  dispatch(intake: Intake, delivery: Delivery): void;
}

/**
 * The consumer's side of one source: counts what is in flight, which is the back-pressure, and remembers it, so that it
 * can be drained, released and aborted.
 */
export class Intake implements Sink, TrackerHome {
  readonly inFlight = new Bag<Tracker>();
  source: Source | undefined;
  /** Most unsettled deliveries. */
  private most: number;
  private count = 0;
  private size = 0;
  private starved = false;
  private open = true;
  private idle: (() => void)[] = [];

  constructor(
    readonly spec: SourceSpec,
    private readonly limits: IntakeLimits,
    private readonly host: IntakeHost,
    /** The one handler that this source is for, where it has its own (`startFrom: 'earliest'`). */
    readonly owner?: HandlerEntry,
  ) {
    this.most = limits.count;
  }

  /** Makes room for what one handler can have in its hands. */
  widen(places: number): void {
    if (places <= this.most) return;
    this.most = places;
    this.source?.pull();
  }

  /** Takes nothing more, whatever the source has. */
  shut(): void {
    this.open = false;
  }

  room(): number {
    if (!this.open) return 0;
    const room = this.size >= this.limits.size ? 0 : this.most - this.count;
    if (room <= 0) this.starved = true;
    return room;
  }

  deliver(delivery: Delivery): void {
    this.count++;
    this.size += delivery.event?.size ?? 0;
    this.host.dispatch(this, delivery);
  }

  revoke(delivery: Delivery): void {
    for (const tracker of this.inFlight) {
      if (tracker.delivery === delivery)
        tracker.abort(new Error('The claim on this event was lost to another process.'));
    }
  }

  /** The delivery no longer takes a place. */
  leave(delivery: Delivery): void {
    this.count--;
    this.size -= delivery.event?.size ?? 0;
    // Half empty before the next read: places that free up one by one must not become reads of one.
    if (this.starved && this.count * 2 <= this.most) {
      this.starved = false;
      this.source?.pull();
    }
    if (this.count === 0 && this.idle.length > 0) {
      const waiting = this.idle;
      this.idle = [];
      for (const resolve of waiting) resolve();
    }
  }

  /** Resolves when nothing is in flight. */
  whenIdle(): Promise<void> {
    return this.count === 0 ? Promise.resolve() : new Promise((resolve) => this.idle.push(resolve));
  }
}

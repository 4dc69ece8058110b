import type { EventEnvelope } from '../../core/envelope.js';

/** How long an id is remembered, ms. */
const WINDOW = 10 * 60_000;
/** Ids that are remembered; beyond them the oldest are forgotten. */
const CAPACITY = 100_000;

/** When events were stored whose publishers asked for deduplication. Keys come from `identityOf`. */
export class RecentIds {
  private readonly times = new Map<string, number>();

  constructor(private readonly capacity = CAPACITY) {}

  get size(): number {
    return this.times.size;
  }

  /** When it was stored, ms, if that was within the last 10 minutes. */
  find(key: string, now: number): number | undefined {
    const time = this.times.get(key);
    return time !== undefined && now - time < WINDOW ? time : undefined;
  }

  add(key: string, time: number): void {
    this.times.delete(key);
    this.times.set(key, time);
    for (const [oldest, stored] of this.times) {
      if (time - stored < WINDOW && this.times.size <= this.capacity) return;
      this.times.delete(oldest);
    }
  }
}

/** What makes two events one: where they go, and their id. */
export function identityOf({ mode, type, target, id }: EventEnvelope): string {
  return `${mode} ${target ?? type} ${id}`;
}

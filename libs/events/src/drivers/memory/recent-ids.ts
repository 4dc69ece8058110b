import { Chain, Link } from '../../core/chain.js';
import type { EventEnvelope } from '../../core/envelope.js';

/** How long an id is remembered, ms. */
const WINDOW = 10 * 60_000;
/** Ids that are remembered; beyond them the oldest are forgotten. */
const CAPACITY = 100_000;

class Recent extends Link {
  constructor(
    readonly key: string,
    readonly time: number,
  ) {
    super();
  }
}

/** When events were stored whose publishers asked for deduplication. Keys come from `identityOf`. */
export class RecentIds {
  private readonly ids = new Map<string, Recent>();
  private readonly order = new Chain<Recent>();

  constructor(private readonly capacity = CAPACITY) {}

  get size(): number {
    return this.ids.size;
  }

  /** When it was stored, ms, if that was within the last 10 minutes. */
  find(key: string, now: number): number | undefined {
    const time = this.ids.get(key)?.time;
    return time !== undefined && now - time < WINDOW ? time : undefined;
  }

  add(key: string, time: number): void {
    this.ids.get(key)?.leave();
    const recent = new Recent(key, time);
    this.ids.set(key, recent);
    this.order.add(recent);
    for (const oldest of this.order) {
      if (time - oldest.time < WINDOW && this.ids.size <= this.capacity) return;
      oldest.leave();
      this.ids.delete(oldest.key);
    }
  }
}

/** What makes two events one: where they go, and their id. */
export function identityOf({ mode, type, target, id }: EventEnvelope): string {
  return `${mode} ${target ?? type} ${id}`;
}

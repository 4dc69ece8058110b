import type { HandlerEntry } from './registry.js';
import type { Lane, LaneGate } from './lane.js';

/**
 * Runs one event alone in the process: nothing else begins, what runs may end. For events whose consumers have died with
 * them in hand: so that their crashes count, and their neighbours' do not.
 */
export class Solo implements LaneGate {
  closed = false;
  private readonly queue: (() => Promise<void>)[] = [];
  private readonly lanes = new Set<Lane>();
  private readonly watched: (() => Iterable<HandlerEntry>)[];
  private quiet: (() => void) | undefined;

  constructor(entries: () => Iterable<HandlerEntry>) {
    this.watched = [entries];
  }

  /** These handlers have this gate too. */
  watch(entries: () => Iterable<HandlerEntry>): void {
    this.watched.push(entries);
  }

  held(lane: Lane): void {
    this.lanes.add(lane);
    if (this.quiet !== undefined && this.isQuiet()) this.quiet();
  }

  /** Calls `run` when nothing else runs; others go on when its promise has settled. It must not reject. */
  add(run: () => Promise<void>): void {
    this.queue.push(run);
    if (this.queue.length === 1) void this.work();
  }

  private async work(): Promise<void> {
    this.closed = true;
    for (const entry of this.entries()) entry.hurry(false);
    for (let run = this.queue[0]; run !== undefined; run = this.queue[0]) {
      if (!this.isQuiet())
        await new Promise<void>((resolve) => {
          this.quiet = resolve;
        });
      this.quiet = undefined;
      await run();
      this.queue.shift();
    }
    this.closed = false;
    const held = [...this.lanes];
    this.lanes.clear();
    for (const lane of held) lane.pump();
  }

  private *entries(): Generator<HandlerEntry> {
    for (const entries of this.watched) yield* entries();
  }

  private isQuiet(): boolean {
    for (const entry of this.entries()) if (entry.lane.running > 0) return false;
    return true;
  }
}

import { randomUUID } from 'node:crypto';
import type { Clock } from '../core/clock.js';
import type { LetterStore, StoredLetter } from '../ports/stores.js';
import { idOf } from './letter-id.js';

/** What a replay came to. */
export interface ReplayResult {
  /** Names the replay; letters that come back have it as `replay`. */
  readonly operation: string;
  readonly replayed: number;
  /** Those that were gone: discarded, or replayed by somebody else. */
  readonly missed: number;
  /** Those that were dead letters again by the end, as far as it was waited for (`maxFailures`). */
  readonly failed: number;
  /** The ids replayed; with `dryRun`, those that would be. */
  readonly ids: readonly string[];
}

/** Replayed before it is looked what became of them, where failures are counted. */
const STEP = 50;
/** How long one step is waited for, and how often it is looked, ms. */
const PATIENCE = 60_000;
const LOOK = 20;

/** One replay of a list of letters. */
export class Replay {
  readonly operation = randomUUID();
  private readonly ids: string[] = [];
  private missed = 0;

  constructor(
    private readonly host: { readonly store: LetterStore; readonly clock: Clock },
    private readonly maxFailures: number | undefined,
  ) {}

  dry(letters: readonly StoredLetter[]): ReplayResult {
    const ids = letters.map(({ type, position }) => idOf(type, position));
    return { operation: this.operation, replayed: 0, missed: 0, failed: 0, ids };
  }

  async run(letters: readonly StoredLetter[]): Promise<ReplayResult> {
    const { maxFailures } = this;
    let failed = 0;
    for (let start = 0; start < letters.length; start += STEP) {
      const step = letters.slice(start, start + STEP);
      await Promise.all(step.map((letter) => this.replay(letter)));
      if (maxFailures === undefined) continue;
      failed = await this.failures(letters, step);
      if (failed >= maxFailures) break;
    }
    const { operation, ids, missed } = this;
    return { operation, replayed: ids.length, missed, failed, ids };
  }

  private async replay({ type, position }: StoredLetter): Promise<void> {
    if (await this.host.store.replay(type, position, this.operation)) this.ids.push(idOf(type, position));
    else this.missed++;
  }

  /** How many of this replay are dead letters again, once the last step has ended or has taken too long. */
  private async failures(letters: readonly StoredLetter[], step: readonly StoredLetter[]): Promise<number> {
    const { store, clock } = this.host;
    const places = new Map(step.map(({ type, group }) => [`${type} ${group ?? ''}`, { type, group }]));
    for (let waited = 0; waited < PATIENCE; waited += LOOK) {
      const outstanding = await Promise.all(
        [...places.values()].map(({ type, group }) => store.outstanding(type, group)),
      );
      if (outstanding.every((each) => each === 0)) break;
      await new Promise<void>((resolve) => {
        clock.after(LOOK, resolve, 'awaited');
      });
    }
    let failed = 0;
    for (const type of new Set(letters.map((letter) => letter.type))) {
      // No more can have come back than went.
      const newest = await store.read(type, undefined, letters.length);
      failed += newest.filter(({ operation }) => operation === this.operation).length;
    }
    return failed;
  }
}

import { randomUUID } from 'node:crypto';
import type { Clock } from '../core/clock.js';
import type { StoredLetter } from '../ports/stores.js';
import { idOf } from './letter-id.js';
import { placeOfLetter, storeOf, type LetterStores } from './letter-shelves.js';

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
    private readonly host: LetterStores & { readonly clock: Clock },
    private readonly maxFailures: number | undefined,
  ) {}

  dry(letters: readonly StoredLetter[]): ReplayResult {
    const ids = letters.map((letter) => idOf(placeOfLetter(letter)));
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

  private async replay(letter: StoredLetter): Promise<void> {
    const place = placeOfLetter(letter);
    if (await storeOf(this.host, place).replay(place.name, place.position, this.operation)) this.ids.push(idOf(place));
    else this.missed++;
  }

  /** How many of this replay are dead letters again, once the last step has ended or has taken too long. */
  private async failures(letters: readonly StoredLetter[], step: readonly StoredLetter[]): Promise<number> {
    const { host } = this;
    const groups = new Map(step.map((letter) => [`${keyOf(letter)} ${letter.group ?? ''}`, letter]));
    for (let waited = 0; waited < PATIENCE; waited += LOOK) {
      const outstanding = await Promise.all(
        [...groups.values()].map((letter) =>
          storeOf(host, placeOfLetter(letter)).outstanding(letter.type, letter.group),
        ),
      );
      if (outstanding.every((each) => each === 0)) break;
      await new Promise<void>((resolve) => {
        host.clock.after(LOOK, resolve, 'awaited');
      });
    }
    let failed = 0;
    for (const letter of new Map(letters.map((each) => [keyOf(each), each])).values()) {
      // No more can have come back than went.
      const newest = await storeOf(host, placeOfLetter(letter)).read(letter.type, undefined, letters.length);
      failed += newest.filter(({ operation }) => operation === this.operation).length;
    }
    return failed;
  }
}

/** The shelf of a letter. */
function keyOf({ type, cardId }: StoredLetter): string {
  return `${cardId === undefined ? 'type' : 'topic'} ${type}`;
}

import { describe, expect, it } from '@jest/globals';
import sqlite from 'node-sqlite3-wasm';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../support/child.js';
import { onCleanup } from '../support/cleanup.js';
import { waitUntil } from '../support/wait.js';
import type { LedgerConfig, Moment } from './children/ledger.js';
import { numbers, seeded, sorted } from './kit.js';
import { oneRedis } from './one-redis.js';

const EVENTS = 12;
const MOMENTS: readonly Moment[] = ['before', 'within', 'after'];

const redis = oneRedis();

describe("effect and event id in one transaction of the handler's own database", () => {
  it('the process is killed before, within and after the transaction: every effect happens once', () =>
    seeded(async ({ below }) => {
      // Each moment once, then three at random.
      const deaths = new Map<number, Moment>(MOMENTS.map((moment, index) => [index * 2, moment]));
      while (deaths.size < 6) deaths.set(6 + below(EVENTS - 6), MOMENTS[below(3)] ?? 'after');
      const lethal = [...deaths.keys()];
      const ledger = new Ledger(deaths);
      const publisher = await redis.buses.open(redis.url);
      for (const number of numbers(EVENTS)) await publisher.publish('amount.due', number);

      while (!ledger.finished) await ledger.live();

      expect(ledger.booked()).toEqual(numbers(EVENTS));
      // Those whose handler was killed came again, also where the effect had happened.
      for (const number of lethal) expect(ledger.attempts).toContain(`${String(number)} 2`);
      expect(await redis.raw.exists('events:{t:amount.due}:dead')).toBe(0);
    }));
});

/** The process that books, in all its lives, and what it leaves behind. */
class Ledger {
  /** Number and attempt of each run. */
  readonly attempts: string[] = [];
  private readonly done = new Set<number>();
  private readonly database: string;

  constructor(private readonly deaths: Map<number, Moment>) {
    const folder = mkdtempSync(join(tmpdir(), 'ledger-'));
    onCleanup(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    this.database = join(folder, 'ledger.db');
  }

  get finished(): boolean {
    return this.done.size === EVENTS;
  }

  /** Lives until it dies or all is done. */
  async live(): Promise<void> {
    // A dead process holds no locks, but for those of this build of SQLite, which are folders.
    rmSync(`${this.database}.lock`, { recursive: true, force: true });
    const config: LedgerConfig = {
      bus: { backend: 'redis', url: redis.url, reclaimAfter: '1s', prefetch: 1 },
      database: this.database,
      deaths: Object.fromEntries(this.deaths),
    };
    const child = await startChild('test/faults/children/ledger.ts', { args: [JSON.stringify(config)] });
    await waitUntil('death, or the end of the work', () => {
      for (const line of child.lines) if (line.startsWith('done ')) this.done.add(Number(line.slice('done '.length)));
      return child.exit !== undefined || this.finished;
    });
    await child.destroy();
    for (const line of child.lines) {
      const [what, number = ''] = line.split(' ');
      if (what === 'got') this.attempts.push(line.slice('got '.length));
      if (what === 'dies') this.deaths.delete(Number(number));
      if (what === 'error') throw new Error(line);
    }
  }

  booked(): number[] {
    const db = new sqlite.Database(this.database);
    const rows = db.all('SELECT number FROM booked');
    db.close();
    return sorted(rows.map((row) => Number(row['number'])));
  }
}

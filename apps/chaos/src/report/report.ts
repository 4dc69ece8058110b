import type { ChaosOptions } from '../cli.js';
import type { HarmKind } from '../faults/harm.js';
import type { Quantiles } from '../stats.js';
import type { Check, Figure } from '../workloads/workload.js';

export interface Report {
  readonly options: ChaosOptions;
  readonly server: string;
  readonly figures: readonly Figure[];
  /** How often each kind of harm was done. */
  readonly harms: Readonly<Partial<Record<HarmKind, number>>>;
  /** ms */
  readonly handOvers: Readonly<Partial<Record<HarmKind, Quantiles>>>;
  /** From the end of production, and of harm, until nothing was left to do, ms. */
  readonly drainedAfter: number;
  readonly checks: readonly Check[];
  /** What processes warned of, without its numbers, and how often. */
  readonly warnings: Readonly<Record<string, number>>;
}

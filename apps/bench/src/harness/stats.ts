import type { Figures } from './bench.js';

/** @throws RangeError for no values */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const high = sorted[sorted.length >> 1];
  const low = sorted[(sorted.length - 1) >> 1];
  if (high === undefined || low === undefined) throw new RangeError('median of nothing');
  return (low + high) / 2;
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: readonly number[];
}

/** Per metric. */
export function summarize(rounds: readonly Figures[]): Record<string, Summary> {
  const keys = new Set(rounds.flatMap((round) => Object.keys(round)));
  return Object.fromEntries(
    [...keys].map((key) => {
      const values = rounds.flatMap((round) => round[key] ?? []);
      return [key, { median: median(values), min: Math.min(...values), max: Math.max(...values), rounds: values }];
    }),
  );
}

/** Median over the rounds of `of / versus`: what both met in one round, a busy machine say, cancels out. */
export function ratio(of: Summary | undefined, versus: Summary | undefined): number | undefined {
  if (of === undefined || versus === undefined) return undefined;
  const pairs = of.rounds.flatMap((value, round) => {
    const other = versus.rounds[round];
    return other === undefined || other === 0 ? [] : [value / other];
  });
  return pairs.length === 0 ? undefined : median(pairs);
}

import type { Bench, Figures } from '../harness/bench.js';
import { LIMIT, STREAM_CONTENDERS } from './stream.js';

const COMMON_RATE = 2_000;
const SECONDS = 1.5;

/** From the moment at which an event was due until its handler ran. */
export const latency: Bench = {
  name: 'latency',
  title: 'durable delivery, latency',
  how:
    'One process publishes at a fixed rate and consumes; measured in ms from when an event was due until its handler ran. ' +
    `First at half of the system's own throughput, then at ${COMMON_RATE} events/s for all.`,
  baseline: LIMIT,
  columns: [
    { key: 'p50', title: 'half load p50', digits: 2 },
    { key: 'p99', title: 'half load p99', digits: 2 },
    { key: 'max', title: 'half load max', digits: 1 },
    { key: 'half', title: 'half load = events/s' },
    { key: 'p50Common', title: `${COMMON_RATE}/s p50`, digits: 2 },
    { key: 'p99Common', title: `${COMMON_RATE}/s p99`, digits: 2 },
  ],
  goals: [],
  contenders: STREAM_CONTENDERS.map(({ name, kind, system, options }) => ({
    name,
    kind,
    workers: { both: { role: 'stream', system, options: { ...options, single: true } } },
  })),
  plan: (smoke) =>
    smoke
      ? { first: 500, warmups: 1, rounds: 1, size: () => 500 }
      : { first: 2_000, warmups: 4, rounds: 5, size: ({ full = 1_000 }) => Math.round(full) },
  // Sizes are in events of the full load: what the system handles in about a second.
  round: async (team, size, stage) => {
    if (stage !== 'measured') {
      const { rate = NaN } = await team.run('both', { kind: 'throughput', events: size });
      await team.run('both', { kind: 'trim' });
      // The best one: what a warm-up could not do on a busy machine, it can do on a quiet one.
      return { full: stage === 'first' ? rate : Math.max(size, rate) };
    }
    const at = async (rate: number): Promise<Figures> => {
      const figures = await team.run('both', { kind: 'rate', rate, seconds: size >= 1_000 ? SECONDS : SECONDS / 10 });
      await team.run('both', { kind: 'trim' });
      return figures;
    };
    const half = Math.round(size / 2);
    const { p50 = NaN, p99 = NaN, max = NaN } = await at(half);
    const { p50: p50Common = NaN, p99: p99Common = NaN } = await at(COMMON_RATE);
    return { p50, p99, max, half, p50Common, p99Common, full: size };
  },
};

import type { Column, Figures, Plan, Stage, Team } from '../harness/bench.js';

/** Events that are published together. */
const STEP = 500;

export const THROUGHPUT: readonly Column[] = [
  { key: 'rate', title: 'events/s' },
  { key: 'commands', title: 'Redis commands µs/event', digits: 1 },
  { key: 'thread', title: 'Redis thread µs/event', digits: 1 },
  { key: 'node', title: 'Node µs/event', digits: 1 },
  { key: 'rss', title: 'RSS MB' },
];

/** A round is about a second of everybody's. */
export function throughputPlan(smoke: boolean): Plan {
  if (smoke) return { first: STEP, warmups: 1, rounds: 1, size: () => 2 * STEP };
  const size = ({ rate = 0 }: Figures): number => Math.max(4 * STEP, Math.round(rate / STEP) * STEP);
  return { first: 4 * STEP, warmups: 4, rounds: 9, size };
}

/** Does the work, and measures what the server spends on an event of it. */
export async function throughputRound(
  team: Team,
  size: number,
  stage: Stage,
  work: () => Promise<Figures>,
): Promise<Figures> {
  const measure = async (): Promise<Figures> => {
    const { result, commands, thread } = await team.server.cost(work);
    return { ...result, commands: commands / size, thread: thread / size };
  };
  return stage === 'first' ? team.server.learn(measure) : measure();
}

import type { Bench, Contender, Figures, Goal } from '../harness/bench.js';
import { THROUGHPUT, throughputPlan, throughputRound } from './throughput.js';

const LIMIT = 'plain ioredis, one process, no ownership (the limit)';
const GROUPMQ = 'GroupMQ';
const OURS = 'nestjs-cardinal';
const CONCURRENCY = 256;

interface Work {
  readonly name: string;
  readonly title: string;
  readonly perCard: number;
  readonly batch?: number;
  readonly peers: boolean;
}

const WORKS: readonly Work[] = [
  { name: 'cards-10', title: '10 events a card, each acknowledged before the next', perCard: 10, peers: true },
  { name: 'cards-1', title: '1 event a card', perCard: 1, peers: true },
  { name: 'cards-batch', title: '10 events a card, handled together', perCard: 10, batch: 10, peers: false },
];

/** Strict order per card: published, owned, handled in order, acknowledged. */
export const cards: readonly Bench[] = WORKS.map(({ name, title, perCard, batch, peers }) => {
  const options = { perCard, concurrency: CONCURRENCY, ...(batch === undefined ? {} : { batch }) };
  const row = (of: string, kind: Contender['kind'], system: string): Contender => ({
    name: of,
    kind,
    workers: { both: { role: 'stream', system, options } },
  });
  const goals: Goal[] = peers ? [{ of: OURS, versus: GROUPMQ, metric: 'rate', atLeast: 1 }] : [];
  return {
    name,
    title: `cards: ${title}; one process publishes and consumes`,
    how: `150-byte JSON payloads, published 500 at a time, ${CONCURRENCY} cards at once.`,
    baseline: LIMIT,
    columns: THROUGHPUT,
    goals,
    contenders: [
      row(LIMIT, 'limit', 'cards-ioredis'),
      ...(peers ? [row(GROUPMQ, 'peer', 'cards-groupmq')] : []),
      row(OURS, 'ours', 'cards-cardinal'),
    ],
    plan: throughputPlan,
    async round(team, size, stage) {
      const work = (): Promise<Figures> => team.run('both', { kind: 'throughput', events: size });
      const figures = await throughputRound(team, size, stage, work);
      await team.run('both', { kind: 'trim' });
      return figures;
    },
  };
});

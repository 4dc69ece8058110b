import type { Bench, Column, Contender, Figures, Goal, Plan } from '../harness/bench.js';

const LIMIT = 'plain ioredis, one process, no ownership (the limit)';
const GROUPMQ = 'GroupMQ';
const OURS = 'nestjs-cardinal';
const CONCURRENCY = 256;

const COLUMNS: readonly Column[] = [
  { key: 'rate', title: 'events/s' },
  { key: 'commands', title: 'Redis commands µs/event', digits: 1 },
  { key: 'thread', title: 'Redis thread µs/event', digits: 1 },
  { key: 'node', title: 'Node µs/event', digits: 1 },
  { key: 'rss', title: 'RSS MB' },
];

const STEP = 500;

function plan(smoke: boolean): Plan {
  if (smoke) return { first: STEP, warmups: 1, rounds: 1, size: () => 2 * STEP };
  const size = ({ rate = 0 }: Figures): number => Math.max(4 * STEP, Math.round(rate / STEP) * STEP);
  return { first: 4 * STEP, warmups: 4, rounds: 7, size };
}

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
    columns: COLUMNS,
    goals,
    contenders: [
      row(LIMIT, 'limit', 'cards-ioredis'),
      ...(peers ? [row(GROUPMQ, 'peer', 'cards-groupmq')] : []),
      row(OURS, 'ours', 'cards-cardinal'),
    ],
    plan,
    async round(team, size, stage) {
      const work = (): Promise<Figures> => team.run('both', { kind: 'throughput', events: size });
      const measure = async (): Promise<Figures> => {
        const { result, commands, thread } = await team.server.cost(work);
        return { ...result, commands: commands / size, thread: thread / size };
      };
      const figures = await (stage === 'first' ? team.server.learn(measure) : measure());
      await team.run('both', { kind: 'trim' });
      return figures;
    },
  };
});

import type { Bench, Contender, Figures, Goal } from '../harness/bench.js';
import { THROUGHPUT, throughputPlan, throughputRound } from './throughput.js';

export const LIMIT = 'plain ioredis (the limit)';
const MOLECULER = '@moleculer/channels';
const BULLMQ = 'BullMQ';
export const OURS = 'nestjs-cardinal';

interface StreamContender {
  readonly name: string;
  readonly kind: Contender['kind'];
  readonly system: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

export const STREAM_CONTENDERS: readonly StreamContender[] = [
  { name: LIMIT, kind: 'limit', system: 'ioredis' },
  { name: MOLECULER, kind: 'peer', system: 'moleculer' },
  { name: BULLMQ, kind: 'peer', system: 'bullmq' },
  { name: OURS, kind: 'ours', system: 'cardinal', options: { prefetch: 500, concurrency: 100 } },
];

const MORE_OF_OURS: readonly StreamContender[] = [
  {
    name: `${OURS}, publish × 500`,
    kind: 'ours',
    system: 'cardinal',
    options: { prefetch: 500, concurrency: 100, single: true },
  },
  { name: `${OURS}, defaults`, kind: 'ours', system: 'cardinal' },
];

const GOALS: readonly Goal[] = [
  { of: OURS, versus: LIMIT, metric: 'rate', atLeast: 0.8 },
  { of: OURS, versus: BULLMQ, metric: 'rate', atLeast: 6 },
  { of: OURS, versus: MOLECULER, metric: 'rate', atLeast: 3.5 },
];

const HOW =
  '150-byte JSON payloads, stored, handled by a durable group, acknowledged; published 500 at a time; handlers ' +
  'read at most 500 and run at most 100 at once, where the system has such a setting.';

export const stream: Bench = {
  name: 'stream',
  title: 'durable delivery, one process publishes and consumes',
  how: HOW,
  baseline: LIMIT,
  columns: THROUGHPUT,
  goals: GOALS,
  contenders: [...STREAM_CONTENDERS, ...MORE_OF_OURS].map(({ name, kind, ...worker }) => ({
    name,
    kind,
    workers: { both: { role: 'stream', ...worker } },
  })),
  plan: throughputPlan,
  async round(team, size, stage) {
    const work = (): Promise<Figures> => team.run('both', { kind: 'throughput', events: size });
    const figures = await throughputRound(team, size, stage, work);
    await team.run('both', { kind: 'trim' });
    return figures;
  },
};

/** The same events, published by one process and consumed by another. */
export const streamSplit: Bench = {
  name: 'stream-split',
  title: 'durable delivery, one process publishes, another one consumes',
  how: HOW,
  baseline: LIMIT,
  columns: [...THROUGHPUT, { key: 'producerNode', title: 'producer Node µs/event', digits: 1 }],
  goals: [],
  contenders: STREAM_CONTENDERS.map(({ name, kind, system, options }) => ({
    name,
    kind,
    workers: {
      consumer: { role: 'stream', system, options: { ...options, part: 'consumer' } },
      producer: { role: 'stream', system, options: { ...options, part: 'producer' } },
    },
  })),
  plan: throughputPlan,
  async round(team, size, stage) {
    const work = async (): Promise<Figures> => {
      // The consumer is told first; its clock stops with the last acknowledgement.
      const consumer = team.run('consumer', { kind: 'consume', events: size });
      const producer = team.run('producer', { kind: 'produce', events: size });
      const [consumed, produced] = await Promise.all([consumer, producer]);
      return { ...consumed, producerNode: produced['node'] ?? NaN };
    };
    const figures = await throughputRound(team, size, stage, work);
    await team.run('producer', { kind: 'trim' });
    return figures;
  },
};

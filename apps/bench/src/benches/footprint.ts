import type { Bench } from '../harness/bench.js';
import { LIMIT, STREAM_CONTENDERS } from './stream.js';

/** What an event costs in Redis while it waits. */
export const footprint: Bench = {
  name: 'footprint',
  title: 'memory of waiting events in Redis',
  how: 'used_memory before and after publishing 150-byte events that nobody consumes yet.',
  baseline: LIMIT,
  columns: [
    { key: 'bytes', title: 'bytes/event' },
    { key: 'rate', title: 'events/s stored' },
  ],
  goals: [],
  contenders: STREAM_CONTENDERS.map(({ name, kind, system, options }) => ({
    name,
    kind,
    workers: { producer: { role: 'stream', system, options: { ...options, part: 'producer' } } },
  })),
  plan: (smoke) =>
    smoke
      ? { first: 500, warmups: 1, rounds: 1, size: () => 500 }
      : { first: 1_000, warmups: 1, rounds: 3, size: () => 10_000 },
  async round(team, size) {
    const before = await team.server.memory();
    const { rate = NaN } = await team.run('producer', { kind: 'produce', events: size });
    const bytes = ((await team.server.memory()) - before) / size;
    return { bytes, rate };
  },
};

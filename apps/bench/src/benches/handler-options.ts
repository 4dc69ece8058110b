import type { Bench, Figures } from '../harness/bench.js';

const NONE = 'no options';

const HANDLERS = [
  [NONE, 'none'],
  ['timeout 0, 1 attempt', 'bare'],
  ['filter', 'filter'],
  ['idempotent', 'idempotent'],
  ['event class', 'class'],
  ['event class, class-validator', 'validator'],
  ['event class, Standard Schema (zod)', 'schema'],
  ['every event fails once', 'failing'],
] as const;

function bench(asynchronous: boolean): Bench {
  const kind = asynchronous ? 'asynchronous' : 'synchronous';
  return {
    name: asynchronous ? 'handler-options-async' : 'handler-options',
    variant: asynchronous,
    title: `what options of handlers cost: in process, awaited, ${kind} handler, payload { i }, isolate: false`,
    how: 'Ours alone, on memory, publish one after the other. Class events are checked when published and when handled. The clock stops when every handler has run.',
    baseline: NONE,
    columns: [
      { key: 'rate', title: 'events/s' },
      { key: 'nanos', title: 'ns/event' },
    ],
    goals: [],
    contenders: HANDLERS.map(([name, handler]) => ({
      name,
      kind: 'ours',
      workers: { only: { role: 'in-process', system: 'cardinal-options', options: { handler, asynchronous } } },
    })),
    plan: (smoke) => {
      if (smoke) return { first: 1_000, warmups: 1, rounds: 1, size: () => 2_000 };
      const size = ({ rate = 0 }: Figures): number => Math.max(5_000, Math.round((rate * 0.3) / 1_000) * 1_000);
      return { first: 10_000, warmups: 3, rounds: 7, size };
    },
    round: (team, size) => team.run('only', { how: 'publish', events: size }),
  };
}

export const handlerOptions: readonly Bench[] = [bench(false), bench(true)];

import type { Bench, Contender, Figures, Goal } from '../harness/bench.js';

const EMITTER = 'EventEmitter2 alone';
const NEST_EMITTER = '@nestjs/event-emitter';
const OURS = 'nestjs-cardinal';
const NEST_OURS = `${OURS} in Nest`;

interface System {
  readonly name: string;
  readonly kind: Contender['kind'];
  readonly system: string;
  readonly isolate?: boolean;
}

const PEERS: readonly System[] = [
  { name: NEST_EMITTER, kind: 'peer', system: 'nest-event-emitter' },
  { name: EMITTER, kind: 'peer', system: 'event-emitter2' },
];
const SHARED = ', isolate: false';
const OURS_ALL: readonly System[] = [
  { name: OURS + SHARED, kind: 'ours', system: 'cardinal', isolate: false },
  { name: NEST_OURS + SHARED, kind: 'ours', system: 'nest-cardinal', isolate: false },
  { name: OURS, kind: 'ours', system: 'cardinal', isolate: true },
  { name: NEST_OURS, kind: 'ours', system: 'nest-cardinal', isolate: true },
];

const WAYS = {
  publish: { text: 'awaited', peers: 'emitAsync', ours: 'publish' },
  settle: { text: 'awaited until handled', peers: 'emitAsync', ours: 'publish with settle' },
  emit: { text: 'fire and forget', peers: 'emit', ours: 'emit' },
} as const;

interface Shape {
  readonly name: string;
  readonly how: keyof typeof WAYS;
  /** Defaults to `{ i }`. */
  readonly payload?: 'order';
  /** The handler awaits something. */
  readonly asynchronous?: boolean;
  readonly goals?: readonly Goal[];
}

function bench({ name, how, payload, asynchronous = false, goals = [] }: Shape): Bench {
  const way = WAYS[how];
  const atOnce = how === 'emit' ? 'in bursts of 1,000' : 'one after the other';
  const what = payload === 'order' ? '150 bytes of JSON' : '{ i }';
  return {
    name,
    variant: payload === 'order' || asynchronous,
    title: `in process, ${way.text}, ${asynchronous ? 'asynchronous' : 'synchronous'} handler, payload ${what}`,
    how: `Peers: ${way.peers}, wildcards on; ours: ${way.ours}, on memory; ${atOnce}. The clock stops when every handler has run.`,
    baseline: NEST_EMITTER,
    columns: [
      { key: 'rate', title: 'events/s' },
      { key: 'nanos', title: 'ns/event' },
    ],
    goals,
    contenders: [...PEERS, ...OURS_ALL].map(({ name: contender, kind, system, isolate }) => ({
      name: contender,
      kind,
      workers: { only: { role: 'in-process', system, options: { payload, isolate, asynchronous } } },
    })),
    plan: (smoke) => {
      if (smoke) return { first: 1_000, warmups: 1, rounds: 1, size: () => 2_000 };
      const size = ({ rate = 0 }: Figures): number => Math.max(10_000, Math.round((rate * 0.3) / 1_000) * 1_000);
      return { first: 20_000, warmups: 4, rounds: 9, size };
    },
    round: (team, size) => {
      // Peers have no word of its own for it: emitAsync waits for the handlers.
      const own = team.contender.kind === 'peer' && how === 'settle' ? 'publish' : how;
      return team.run('only', { how: own, events: size });
    },
  };
}

function goals(atLeast: number): Goal[] {
  return [
    { of: NEST_OURS + SHARED, versus: NEST_EMITTER, metric: 'rate', atLeast },
    { of: OURS + SHARED, versus: EMITTER, metric: 'rate', atLeast },
  ];
}

export const inProcess: readonly Bench[] = [
  bench({ name: 'in-process-awaited', how: 'publish', goals: goals(1) }),
  bench({ name: 'in-process-awaited-async', how: 'publish', asynchronous: true, goals: goals(1) }),
  bench({ name: 'in-process-awaited-150', how: 'publish', payload: 'order' }),
  bench({ name: 'in-process-settled', how: 'settle' }),
  bench({ name: 'in-process-emit', how: 'emit', goals: goals(2) }),
  bench({ name: 'in-process-emit-async', how: 'emit', asynchronous: true, goals: goals(2) }),
  bench({ name: 'in-process-emit-150', how: 'emit', payload: 'order' }),
];

import type { Bench, Contender } from '../harness/bench.js';

const NEST = '@nestjs/microservices Redis';
const OURS = 'nestjs-cardinal';
const NEST_OURS = `${OURS} in Nest`;
const AT_ONCE = 200;
/** A round at 200 at once has this many times the requests of a serial one. */
const PARALLEL_FACTOR = 5;

function contender(name: string, kind: Contender['kind'], system: string, turn: boolean): Contender {
  const options = { turn };
  return {
    name,
    kind,
    workers: { responder: { role: 'responder', system, options }, caller: { role: 'caller', system } },
  };
}

function bench(name: string, turn: boolean, goals: Bench['goals']): Bench {
  return {
    name,
    variant: turn,
    title: `request-response over Redis between two processes, ${turn ? 'handlers that take a turn of the event loop' : 'synchronous handlers'}`,
    how: `150-byte requests, answered with { i }. Serial: one at a time. Then ${AT_ONCE} at once. Latencies in ms; every request was answered by the other process.`,
    baseline: NEST,
    columns: [
      { key: 'p50', title: 'serial p50', digits: 3 },
      { key: 'p99', title: 'serial p99', digits: 3 },
      { key: 'rate', title: `${AT_ONCE} at once: requests/s` },
      { key: 'p50AtOnce', title: '…p50', digits: 1 },
      { key: 'p99AtOnce', title: '…p99', digits: 1 },
      { key: 'commands', title: 'Redis commands µs/request', digits: 1 },
      { key: 'thread', title: 'Redis thread µs/request', digits: 1 },
    ],
    goals,
    contenders: [
      contender('plain ioredis PUBLISH (the limit)', 'limit', 'ioredis', turn),
      contender(NEST, 'peer', 'nest-microservices', turn),
      contender(OURS, 'ours', 'cardinal', turn),
      contender(NEST_OURS, 'ours', 'nest-cardinal', turn),
    ],
    plan: (smoke) =>
      smoke
        ? { first: 20, warmups: 1, rounds: 1, size: () => 50 }
        : { first: 300, warmups: 4, rounds: 9, size: ({ p50 = 1 }) => Math.max(300, Math.round(500 / p50)) },
    async round(team, size, stage) {
      const before = await team.run('responder', {});
      const { p50 = NaN, p99 = NaN } = await team.run('caller', { requests: size, atOnce: 1 });
      const many = size * PARALLEL_FACTOR;
      const work = () => team.server.cost(() => team.run('caller', { requests: many, atOnce: AT_ONCE }));
      const { result, commands, thread } = await (stage === 'first' ? team.server.learn(work) : work());
      const after = await team.run('responder', {});
      const answered = (after['answered'] ?? 0) - (before['answered'] ?? 0);
      if (answered !== size + many) throw new Error(`${size + many} requests, but the responder answered ${answered}`);
      const { rate = NaN, p50: p50AtOnce = NaN, p99: p99AtOnce = NaN } = result;
      return { p50, p99, rate, p50AtOnce, p99AtOnce, commands: commands / many, thread: thread / many };
    },
  };
}

const GOALS = [NEST_OURS, OURS].flatMap((of) => [
  { of, versus: NEST, metric: 'p50', atMost: 1.2 },
  { of, versus: NEST, metric: 'rate', atLeast: 1.5 },
]);

export const request: readonly Bench[] = [bench('request', false, GOALS), bench('request-turn', true, [])];

import hdr from 'hdr-histogram-js';
import { order } from '../contenders/payload.js';
import type { Caller, OpenCaller } from '../contenders/request/request-peer.js';
import type { Figures, Role, Setup, Task } from '../harness/bench.js';

const SYSTEMS: Readonly<Record<string, () => Promise<OpenCaller>>> = {
  ioredis: async () => (await import('../contenders/request/plain-ioredis.js')).openPlainCaller,
  'nest-microservices': async () => (await import('../contenders/request/nest-microservices.js')).openNestCaller,
  cardinal: async () => (await import('../contenders/request/cardinal.js')).openCardinalCaller,
  'nest-cardinal': async () => (await import('../contenders/request/nest-cardinal.js')).openNestCardinalCaller,
};

/** Asks a responder in another process, `atOnce` requests at a time. */
export async function open(setup: Setup): Promise<Role> {
  const load = SYSTEMS[setup.system];
  if (load === undefined) throw new Error(`no system '${setup.system}'`);
  const caller = await (await load())(setup);
  return {
    run: (task) => ask(caller, task),
    close: () => caller.close(),
  };
}

async function ask(caller: Caller, task: Task): Promise<Figures> {
  const requests = Number(task['requests']);
  const atOnce = Number(task['atOnce']);
  const took = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 120_000_000,
    numberOfSignificantValueDigits: 3,
  });
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < requests) {
      const payload = order(next++);
      const start = performance.now();
      const { i } = await caller.ask(payload);
      took.recordValue(Math.max(1, Math.round((performance.now() - start) * 1_000)));
      if (i !== payload.i) throw new Error(`asked ${payload.i}, got the answer to ${i}`);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: atOnce }, one));
  const seconds = (performance.now() - start) / 1_000;
  return {
    rate: requests / seconds,
    p50: took.getValueAtPercentile(50) / 1_000,
    p99: took.getValueAtPercentile(99) / 1_000,
  };
}

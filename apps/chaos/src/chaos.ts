import { Redis } from 'ioredis';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosOptions } from './cli.js';
import { Crew } from './crew/crew.js';
import { Worker } from './crew/worker-process.js';
import { Faults } from './faults/faults.js';
import type { Harm, HarmKind } from './faults/harm.js';
import { Random } from './random.js';
import type { Report } from './report/report.js';
import type { RedisServer } from './server/redis-server.js';
import { scan } from './server/scan.js';
import { quantiles, type Quantiles } from './stats.js';
import { CardsWorkload } from './workloads/cards/cards-workload.js';
import { none, type Check, type Workload } from './workloads/workload.js';

/** A process and bus on standalone has so many. */
const CONNECTIONS = 2;
/** Nothing more is expected when nothing has moved for so long, ms. */
const STUCK = 60_000;
const LOOK = 20;
/** What differs from one warning to the next: ids, numbers. */
const VARYING = /[0-9a-f]{8}-[0-9a-f-]{27}|\d+(?:-\d+)?/g;

/** Runs it once. */
export async function runChaos(options: ChaosOptions, server: RedisServer): Promise<Report> {
  const { seed, lease, processes } = options;
  const prefix = `chaos:${randomBytes(4).toString('hex')}:`;
  const redis = new Redis(server.url);
  const workload = await CardsWorkload.open({ ...options, prefix, url: server.url });
  const warnings = new Map<string, number>();
  const heard = (line: string): void => {
    const text = line.replace(VARYING, '…');
    warnings.set(text, (warnings.get(text) ?? 0) + 1);
  };
  const crew = new Crew((number) =>
    Worker.start(
      { role: workload.role, instanceId: `worker-${number}`, directUrl: server.url, prefix, seed, lease },
      heard,
    ),
  );
  try {
    await Promise.all(Array.from({ length: processes }, () => crew.hire()));
    const now = async (): Promise<number> => {
      const [seconds, micros] = await redis.time();
      return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
    };
    const faults = new Faults({ crew, workload, lease, now, random: Random.of(seed, 'faults') });
    const signal = AbortSignal.timeout(options.minutes * 60_000);
    await Promise.all([workload.produce(signal), faults.run(signal)]);
    const drainedAfter = await drained(workload);
    const connections = connectionsOf(crew);
    const findings = await workload.verify(faults.done);
    return {
      options,
      server: server.origin,
      figures: findings.figures,
      harms: timesOf(faults.done),
      handOvers: summarized(findings.handOvers),
      drainedAfter,
      checks: [...findings.checks, connections, endedByThemselves(warnings)],
      warnings: Object.fromEntries(warnings),
    };
  } finally {
    await crew.close();
    await workload.close();
    await sweep(redis, prefix);
    await redis.quit();
  }
}

/** Resolves with how long it took; gives up when nothing has moved for long. */
async function drained(workload: Workload): Promise<number> {
  const began = performance.now();
  let before = '';
  let moved = began;
  for (;;) {
    const left = (await workload.leftover()).join();
    const now = performance.now();
    if (left !== before) moved = now;
    before = left;
    if (left === '' || now - moved > STUCK) return Math.round(now - began);
    await sleep(LOOK);
  }
}

/** Deletes what the run left. */
async function sweep(redis: Redis, prefix: string): Promise<void> {
  for (const key of await scan(redis, `${prefix}*`)) await redis.unlink(key);
}

function connectionsOf(crew: Crew): Check {
  const wrong = crew.members.filter(({ proxy }) => proxy.connections !== CONNECTIONS);
  return none(
    `${CONNECTIONS} connections a process`,
    wrong.map(({ instanceId, proxy }) => `${instanceId} has ${proxy.connections}`),
  );
}

function endedByThemselves(warnings: ReadonlyMap<string, number>): Check {
  const found = [...warnings].filter(([line]) => line.startsWith('a process ended'));
  return none(
    'no process ended by itself',
    found.map(([line, count]) => `${line} (${count})`),
  );
}

function timesOf(harms: readonly Harm[]): Partial<Record<HarmKind, number>> {
  const times: Partial<Record<HarmKind, number>> = {};
  for (const { kind } of harms) times[kind] = (times[kind] ?? 0) + 1;
  return times;
}

function summarized(
  handOvers: Readonly<Partial<Record<HarmKind, readonly number[]>>>,
): Partial<Record<HarmKind, Quantiles>> {
  const found: Partial<Record<HarmKind, Quantiles>> = {};
  for (const [kind, values] of Object.entries(handOvers)) {
    const summary = quantiles(values);
    if (summary) found[kind as HarmKind] = summary;
  }
  return found;
}

import { Redis } from 'ioredis';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BENCHES } from './benches/index.js';
import { parseCli, USAGE, type CliOptions } from './cli.js';
import type { Bench } from './harness/bench.js';
import { gatherFacts, load, renderFacts } from './harness/facts.js';
import { startRedis } from './harness/redis-server.js';
import { runBench, type BenchResult, type RunOptions } from './harness/runner.js';
import { RedisMeter } from './harness/server-meter.js';
import { renderResult } from './harness/table.js';

const DEFAULT_JSON = fileURLToPath(new URL('../results/latest.json', import.meta.url));

function choose({ only, smoke }: CliOptions): readonly Bench[] {
  const unknown = only.filter((each) => !BENCHES.some(({ name }) => name.startsWith(each)));
  if (unknown.length > 0) {
    throw new Error(
      `No bench begins with '${unknown.join("', '")}'. There are: ${BENCHES.map(({ name }) => name).join(', ')}`,
    );
  }
  return only.length === 0
    ? BENCHES.filter(({ variant }) => !(smoke && variant === true))
    : BENCHES.filter(({ name }) => only.some((each) => matches(name, each)));
}

/** A full name means that bench only, unless nothing is called so. */
function matches(name: string, wanted: string): boolean {
  return BENCHES.some((bench) => bench.name === wanted) ? name === wanted : name.startsWith(wanted);
}

async function measure(benches: readonly Bench[], options: CliOptions): Promise<boolean> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const root = 'bench:' + randomBytes(4).toString('hex') + ':';
  const results: BenchResult[] = [];
  try {
    const facts = await gatherFacts(redis, server.origin, options.smoke);
    console.log(renderFacts(facts));
    const run: RunOptions = {
      smoke: options.smoke,
      redisUrl: server.url,
      prefix: root,
      meter: () => new RedisMeter(redis, server.url),
      contender: options.contender,
      rounds: options.rounds,
      profiles: options.profiles && resolve(options.profiles),
      progress,
    };
    for (const bench of benches) {
      const result = await runBench(bench, run);
      await sweep(redis, root);
      progress('');
      console.log(renderResult(result));
      results.push(result);
    }
    const file = resolve(options.json ?? DEFAULT_JSON);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ ...facts, loadAtEnd: load(), benches: results }, undefined, 2) + '\n');
    console.log(`Load at the end: ${load()}. JSON: ${file}`);
  } finally {
    await sweep(redis, root).catch(() => undefined);
    redis.disconnect();
    await server.stop();
  }
  return results.every(({ rows }) => rows.every(({ error }) => error === undefined));
}

/** Deletes what a bench left. */
async function sweep(redis: Redis, prefix: string): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', 1_000);
    if (keys.length > 0) await redis.unlink(...keys);
    cursor = next;
  } while (cursor !== '0');
}

/** One line that overwrites itself, on a terminal. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
}

function list(): void {
  for (const { name, title, contenders } of BENCHES) {
    console.log(`${name}: ${title}`);
    for (const contender of contenders) console.log(`  ${contender.name}`);
  }
}

// Ends the private server on the way; the children end when their channel closes.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

try {
  const options = parseCli(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else if (options.list) list();
  else if (!(await measure(choose(options), options))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

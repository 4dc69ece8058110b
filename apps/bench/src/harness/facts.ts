import type { Redis } from 'ioredis';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = [
  'nestjs-cardinal',
  '@nestjs/core',
  '@nestjs/event-emitter',
  '@nestjs/microservices',
  '@moleculer/channels',
  'moleculer',
  'bullmq',
  'ioredis',
];

/** Where the figures come from. */
export interface Facts {
  readonly date: string;
  readonly command: string;
  readonly smoke: boolean;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Of the last minute. A busy machine shows in the spread of the figures. */
  readonly loadAtStart: number;
  readonly system: string;
  readonly node: string;
  readonly redis: string;
  readonly versions: Readonly<Record<string, string>>;
}

export async function gatherFacts(redis: Redis, origin: string, smoke: boolean): Promise<Facts> {
  const info = await redis.info('server');
  return {
    date: new Date().toISOString(),
    command: ['node', ...process.execArgv, ...process.argv.slice(1)].join(' '),
    smoke,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadAtStart: load(),
    system: `${platform()} ${release()}`,
    node: process.version,
    redis: `${/^redis_version:(.*)$/m.exec(info)?.[1]?.trim() ?? 'unknown'} (${origin})`,
    versions: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
  };
}

export function load(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

export function renderFacts(facts: Facts): string {
  const { cpu, cores, memoryGiB, loadAtStart, system, node, redis, versions } = facts;
  return [
    `nestjs-cardinal bench · ${facts.date}${facts.smoke ? ' · smoke sizes: the figures mean nothing' : ''}`,
    `  command   ${facts.command}`,
    `  machine   ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, load ${loadAtStart} at the start`,
    `  runtime   Node ${node}, Redis ${redis}`,
    `  versions  ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(' · ')}`,
    '',
  ].join('\n');
}

/** Read from the file system: a package's `exports` may hide its package.json. */
function versionOf(name: string): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const file = join(dir, 'node_modules', name, 'package.json');
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    if (dir === dirname(dir)) return 'not installed';
  }
}

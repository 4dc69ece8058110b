import type { Redis } from 'ioredis';
import type { ServerMeter } from './bench.js';
import { monitor } from './monitor.js';

interface Sample {
  /** Microseconds by command. */
  readonly commands: ReadonlyMap<string, number>;
  /** Microseconds of the main thread. */
  readonly thread: number;
}

/** Its time is that of the commands in it, which are counted by themselves. */
const CONTAINERS = new Set(['exec']);
const OUR_OWN = new Set(['auth', 'info', 'monitor']);

/** Reads `INFO` on a connection of its own. */
export class RedisMeter implements ServerMeter {
  /** Per command, which part of its calls came from a script. */
  private nested = new Map<string, number>();

  constructor(
    private readonly redis: Redis,
    private readonly url: string,
  ) {}

  async cost<T>(work: () => Promise<T>): Promise<{ result: T; commands: number; thread: number }> {
    const before = await this.sample();
    const result = await work();
    const after = await this.sample();
    let commands = 0;
    for (const [name, usec] of after.commands) {
      const spent = usec - (before.commands.get(name) ?? 0);
      commands += spent * (1 - (this.nested.get(name) ?? 0));
    }
    return { result, commands, thread: after.thread - before.thread };
  }

  async learn<T>(work: () => Promise<T>): Promise<T> {
    const calls = new Map<string, { all: number; scripted: number }>();
    const seen = (name: string, source: string): void => {
      const count = calls.get(name) ?? { all: 0, scripted: 0 };
      count.all++;
      if (source === 'lua') count.scripted++;
      calls.set(name, count);
    };
    // A server that does not let us watch: what scripts do counts twice.
    const watch = await monitor(this.url, seen).catch(() => undefined);
    try {
      return await work();
    } finally {
      watch?.close();
      this.nested = new Map([...calls].map(([name, { all, scripted }]) => [name, scripted / all]));
    }
  }

  async memory(): Promise<number> {
    return Number(field(await this.redis.info('memory'), 'used_memory'));
  }

  async cpu(): Promise<number> {
    const info = await this.redis.info('cpu');
    return ['user', 'sys'].reduce((sum, kind) => sum + Number(field(info, `used_cpu_${kind}`)), 0) * 1e6;
  }

  private async sample(): Promise<Sample> {
    const [stats, cpu] = await Promise.all([this.redis.info('commandstats'), this.redis.info('cpu')]);
    const commands = new Map<string, number>();
    for (const [, name = '', usec] of stats.matchAll(/^cmdstat_([^:|]+)[^:]*:calls=\d+,usec=(\d+)/gm)) {
      if (CONTAINERS.has(name) || OUR_OWN.has(name)) continue;
      commands.set(name, (commands.get(name) ?? 0) + Number(usec));
    }
    const seconds = ['user', 'sys'].map((kind) => Number(field(cpu, `used_cpu_${kind}_main_thread`)));
    return { commands, thread: seconds.reduce((sum, each) => sum + each, 0) * 1e6 };
  }
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? 'NaN';
}

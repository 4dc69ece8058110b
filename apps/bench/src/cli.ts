import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run bench -- [options]        (or: node apps/bench/dist/main.js [options])

  --only <name>       benches whose name is this, or begins with it; several: comma-separated
  --contender <text>  only contenders whose name contains it, and the one that ratios refer to
  --rounds <n>        measured rounds
  --smoke             tiny sizes: proves that everything runs, measures nothing; leaves out variants of other benches
  --json <file>       where the results go as JSON (default: apps/bench/results/latest.json)
  --cpu-prof <dir>    every child process writes a CPU profile there (slows it down)
  --list              names of the benches and their contenders
  --help

EVENTS_BENCH_REDIS_URL  a Redis server to use instead of a private one (only keys that begin with 'bench:' are touched)`;

export interface CliOptions {
  readonly only: readonly string[];
  readonly contender: string | undefined;
  readonly rounds: number | undefined;
  readonly smoke: boolean;
  readonly json: string | undefined;
  readonly profiles: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

/** @throws Error that says what is wrong */
export function parseCli(args: readonly string[]): CliOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true, default: [] },
      contender: { type: 'string' },
      rounds: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      json: { type: 'string' },
      'cpu-prof': { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isSafeInteger(rounds) && rounds >= 1)) {
    throw new Error(`--rounds takes a whole number from 1, not '${values.rounds ?? ''}'`);
  }
  return {
    only: values.only.flatMap((each) => each.split(',')).filter((each) => each !== ''),
    contender: values.contender,
    rounds,
    smoke: values.smoke,
    json: values.json,
    profiles: values['cpu-prof'],
    list: values.list,
    help: values.help,
  };
}

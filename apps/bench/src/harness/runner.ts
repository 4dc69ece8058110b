import { cpus } from 'node:os';
import type { Bench, Contender, Figures, ServerMeter, Stage, Team } from './bench.js';
import { median, ratio, summarize, type Summary } from './stats.js';
import { WorkerProcess } from './worker-process.js';

export interface RunOptions {
  readonly smoke: boolean;
  readonly redisUrl: string;
  /** Every key in Redis begins with it. */
  readonly prefix: string;
  readonly meter: () => ServerMeter;
  /** Contenders whose name contains it, and the baseline. */
  readonly contender?: string | undefined;
  readonly rounds?: number | undefined;
  /** Folder for CPU profiles. */
  readonly profiles?: string | undefined;
  progress(text: string): void;
}

export interface Row {
  readonly name: string;
  readonly kind: Contender['kind'];
  readonly metrics: Record<string, Summary>;
  /** Cores that processes other than the bench's kept busy meanwhile, median. */
  readonly foreign?: number | undefined;
  /** Of the bench's first column, to the baseline. */
  readonly ratio?: number | undefined;
  readonly error?: string | undefined;
}

export interface GoalResult {
  readonly text: string;
  readonly measured?: number | undefined;
  readonly met?: boolean | undefined;
}

export interface BenchResult {
  readonly name: string;
  readonly title: string;
  readonly how: string;
  readonly columns: Bench['columns'];
  readonly baseline: string;
  readonly rows: readonly Row[];
  readonly goals: readonly GoalResult[];
}

class RunningTeam implements Team {
  private readonly workers = new Map<string, WorkerProcess>();
  readonly rounds: Figures[] = [];
  readonly foreign: number[] = [];
  last: Figures = {};
  error: string | undefined;

  constructor(
    readonly contender: Contender,
    readonly server: ServerMeter,
  ) {}

  async open(bench: Bench, options: RunOptions): Promise<void> {
    const slug = this.contender.name.replaceAll(/[^A-Za-z0-9]+/g, '-');
    const { redisUrl, profiles } = options;
    for (const [name, { role, system, options: given = {} }] of Object.entries(this.contender.workers)) {
      const setup = { role, system, redisUrl, prefix: `${options.prefix}${bench.name}:${slug}:`, options: given };
      const file = `${bench.name}_${slug}_${name}.cpuprofile`;
      this.workers.set(name, await WorkerProcess.start(setup, profiles ? { dir: profiles, name: file } : undefined));
    }
  }

  run(worker: string, task: Parameters<Team['run']>[1]): Promise<Figures> {
    const process = this.workers.get(worker);
    if (process === undefined) throw new Error(`${this.contender.name} has no process '${worker}'`);
    return process.run(task);
  }

  /** Microseconds of CPU time of its processes so far. */
  cpu(): number {
    return [...this.workers.values()].reduce((sum, worker) => sum + worker.cpu, 0);
  }

  async close(): Promise<void> {
    await Promise.all([...this.workers.values()].map((worker) => worker.close()));
    this.workers.clear();
  }
}

/** Starts all contenders, then measures them in turn, round by round. One that fails leaves the others running. */
export async function runBench(bench: Bench, options: RunOptions): Promise<BenchResult> {
  const plan = bench.plan(options.smoke);
  const rounds = options.rounds ?? plan.rounds;
  const wanted = bench.contenders.filter(
    ({ name }) => options.contender === undefined || name === bench.baseline || name.includes(options.contender),
  );
  const teams = wanted.map((contender) => new RunningTeam(contender, options.meter()));
  const attempt = async (team: RunningTeam, work: () => Promise<void>): Promise<void> => {
    if (team.error !== undefined) return;
    try {
      await work();
    } catch (error) {
      team.error = error instanceof Error ? error.message : String(error);
      options.progress(`${bench.name}: ${team.contender.name} failed\n`);
      await team.close();
    }
  };
  try {
    await Promise.all(teams.map((team) => attempt(team, () => team.open(bench, options))));
    for (let round = -plan.warmups; round < rounds; round++) {
      const first = round === -plan.warmups;
      const stage: Stage = first ? 'first' : round < 0 ? 'warm-up' : 'measured';
      for (const team of rotated(teams, Math.max(0, round))) {
        options.progress(`${bench.name}: ${stage} ${round + 1} of ${rounds} · ${team.contender.name}`);
        await attempt(team, async () => {
          const measured = await withoutUs(team, () =>
            bench.round(team, first ? plan.first : plan.size(team.last), stage),
          );
          team.last = measured.result;
          if (stage !== 'measured') return;
          team.rounds.push(team.last);
          team.foreign.push(measured.foreign);
        });
      }
    }
  } finally {
    await Promise.all(teams.map((team) => team.close()));
  }
  return report(bench, teams);
}

/** Runs `work`, and tells how many cores processes that are not ours kept busy meanwhile. */
async function withoutUs<T>(team: RunningTeam, work: () => Promise<T>): Promise<{ result: T; foreign: number }> {
  const ours = async (): Promise<number> => {
    const { user, system } = process.cpuUsage();
    return user + system + team.cpu() + (await team.server.cpu());
  };
  const [oursBefore, busyBefore, start] = [await ours(), busy(), performance.now()];
  const result = await work();
  const [oursAfter, busyAfter, end] = [await ours(), busy(), performance.now()];
  return { result, foreign: Math.max(0, (busyAfter - busyBefore - (oursAfter - oursBefore)) / (end - start) / 1_000) };
}

/** Microseconds that the machine's cores have been busy. */
function busy(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) * 1_000;
}

/** Each round begins with another one, so that nobody always follows the same neighbour. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

function report(bench: Bench, teams: readonly RunningTeam[]): BenchResult {
  const metrics = new Map(teams.map((team) => [team.contender.name, summarize(team.rounds)]));
  const first = bench.columns[0]?.key ?? '';
  const rows = teams.map(({ contender: { name, kind }, foreign, error }) => ({
    name,
    kind,
    metrics: metrics.get(name) ?? {},
    foreign: foreign.length === 0 ? undefined : median(foreign),
    ratio: ratio(metrics.get(name)?.[first], metrics.get(bench.baseline)?.[first]),
    error,
  }));
  const goals = bench.goals.map(({ of, versus, metric, atLeast, atMost }) => {
    const title = bench.columns.find(({ key }) => key === metric)?.title ?? metric;
    const bound = atLeast === undefined ? `≤ ${atMost ?? NaN}` : `≥ ${atLeast}`;
    const measured = ratio(metrics.get(of)?.[metric], metrics.get(versus)?.[metric]);
    const met = measured === undefined ? undefined : measured >= (atLeast ?? 0) && measured <= (atMost ?? Infinity);
    return { text: `${title}: ${of} ${bound} × ${versus}`, measured, met };
  });
  const { name, title, how, columns, baseline } = bench;
  return { name, title, how, columns, baseline, rows, goals };
}

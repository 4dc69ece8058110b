import { setTimeout as sleep } from 'node:timers/promises';
import type { Crew } from '../crew/crew.js';
import type { Worker } from '../crew/worker-process.js';
import type { Random } from '../random.js';
import type { Workload } from '../workloads/workload.js';
import type { Harm, HarmKind } from './harm.js';

const WEIGHTS: Readonly<Record<HarmKind, number>> = { kill: 40, stop: 20, term: 20, cut: 15, producer: 5 };
/** Between the beginnings of two harms, ms. */
const PAUSE = [500, 2_000] as const;
/** ms */
const VACANCY = [0, 1_500] as const;
/** In leases. */
const STANDSTILL = [1.5, 3] as const;
/** ms */
const DEAF = [0, 40] as const;
const TERM_TIMEOUT = 20_000;

export interface FaultOptions {
  readonly crew: Crew;
  readonly workload: Workload;
  readonly random: Random;
  /** ms */
  readonly lease: number;
  /** ms of Redis */
  readonly now: () => Promise<number>;
}

/** What is done next, drawn before anything is known of the processes: a seed gives the same plan again. */
interface Plan {
  readonly kind: HarmKind;
  /** Which of those who are free, as a part of 1. */
  readonly victim: number;
  /** Until a process that is gone is replaced, ms. */
  readonly vacancy: number;
  /** How long a process stands still, ms. */
  readonly standstill: number;
  /** How long answers get lost before a cut, ms. */
  readonly deaf: number;
}

/** Does harm, now to one process and now to another. At least one is always left alone. */
export class Faults {
  readonly done: Harm[] = [];
  private readonly harmed = new Set<Worker>();
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly options: FaultOptions) {}

  /** Until the signal aborts; resolves when the last harm is over and everybody is back. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const pause = this.options.random.between(...PAUSE);
      const plan = this.draw();
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      const harm = this.begin(plan).finally(() => this.underWay.delete(harm));
      this.underWay.add(harm);
    }
    await Promise.all(this.underWay);
  }

  private draw(): Plan {
    const { random, lease } = this.options;
    return {
      kind: random.choose(WEIGHTS),
      victim: random.next(),
      vacancy: random.between(...VACANCY),
      standstill: lease * random.between(...STANDSTILL),
      deaf: random.between(...DEAF),
    };
  }

  private async begin(plan: Plan): Promise<void> {
    const { crew, workload } = this.options;
    const { kind } = plan;
    if (kind === 'producer') {
      await this.note(kind, 'producer', []);
      await workload.cutProducer(plan.deaf);
      return;
    }
    const free = crew.members.filter((worker) => !this.harmed.has(worker));
    const victim = free[Math.floor(plan.victim * free.length)];
    if (victim === undefined || free.length < 2) return;
    this.harmed.add(victim);
    try {
      await this[kind](victim, plan);
    } finally {
      this.harmed.delete(victim);
    }
  }

  private async kill(victim: Worker, { vacancy }: Plan): Promise<void> {
    const at = await this.options.now();
    this.options.crew.release(victim);
    await victim.end('SIGKILL');
    // A dead process takes nothing more: this is exact.
    await this.note('kill', victim.instanceId, await this.options.workload.heldBy(victim.instanceId), at);
    await this.replace(vacancy);
  }

  private async stop(victim: Worker, { standstill }: Plan): Promise<void> {
    const at = await this.options.now();
    victim.signal('SIGSTOP');
    await this.note('stop', victim.instanceId, await this.options.workload.heldBy(victim.instanceId), at);
    await sleep(standstill);
    victim.signal('SIGCONT');
  }

  private async term(victim: Worker, { vacancy }: Plan): Promise<void> {
    await this.note('term', victim.instanceId, []);
    this.options.crew.release(victim);
    await victim.end('SIGTERM', TERM_TIMEOUT);
    await this.replace(vacancy);
  }

  private async cut(victim: Worker, { deaf }: Plan): Promise<void> {
    await this.note('cut', victim.instanceId, []);
    await victim.proxy.cut(deaf);
  }

  private async replace(vacancy: number): Promise<void> {
    await sleep(vacancy);
    await this.options.crew.hire();
  }

  private async note(kind: HarmKind, instanceId: string, held: readonly string[], at?: number): Promise<void> {
    this.done.push({ kind, instanceId, held, at: at ?? (await this.options.now()) });
  }
}

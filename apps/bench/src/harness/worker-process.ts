import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Figures, Setup, Task } from './bench.js';

/** What a child process says. */
export type Report =
  | { readonly ready: true }
  | { readonly id: number; readonly figures: Figures; readonly cpu: number }
  | { readonly id?: number; readonly error: string };

/** What it is told. */
export type Order = { readonly id: number; readonly task: Task } | { readonly close: true };

const START_TIMEOUT = 60_000;
const TASK_TIMEOUT = 120_000;
const CLOSE_TIMEOUT = 5_000;

interface Waiting {
  readonly resolve: (figures: Figures) => void;
  readonly reject: (error: Error) => void;
}

/** A forked worker. */
export class WorkerProcess {
  private readonly waiting = new Map<number, Waiting>();
  private readonly exited: Promise<unknown>;
  private sent = 0;
  /** Microseconds of CPU time that the process has used so far, as of its last answer. */
  cpu = 0;

  private constructor(private readonly child: ChildProcess) {
    this.exited = once(child, 'exit');
    child.on('message', (report: Report) => {
      this.take(report);
    });
    child.once('exit', (code, signal) => {
      const error = new Error(`its process ended (${signal ?? `code ${code ?? 'none'}`})`);
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    });
  }

  /** @param profile where Node writes a CPU profile, when wanted: a folder and a file name */
  static async start(setup: Setup, profile?: { dir: string; name: string }): Promise<WorkerProcess> {
    const env = { ...process.env };
    delete env['NODE_OPTIONS'];
    const child = fork(new URL('../worker.js', import.meta.url), [JSON.stringify(setup)], {
      env,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: profile ? ['--cpu-prof', `--cpu-prof-dir=${profile.dir}`, `--cpu-prof-name=${profile.name}`] : [],
    });
    const worker = new WorkerProcess(child);
    try {
      await worker.answer(0, START_TIMEOUT, 'start');
    } catch (error) {
      await worker.kill();
      throw error;
    }
    return worker;
  }

  run(task: Task): Promise<Figures> {
    const id = ++this.sent;
    const answer = this.answer(id, TASK_TIMEOUT, JSON.stringify(task));
    this.tell({ id, task });
    return answer;
  }

  /** Lets it close what it has open; kills it when that takes too long. */
  async close(): Promise<void> {
    if (this.child.connected) this.tell({ close: true });
    const timer = setTimeout(() => this.child.kill('SIGKILL'), CLOSE_TIMEOUT);
    await this.gone();
    clearTimeout(timer);
  }

  private async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.gone();
  }

  private async gone(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.exited;
  }

  private tell(order: Order): void {
    this.child.send(order);
  }

  private take(report: Report): void {
    const id = 'id' in report ? (report.id ?? 0) : 0;
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if ('cpu' in report) this.cpu = report.cpu;
    if ('error' in report) waiting?.reject(new Error(report.error));
    else waiting?.resolve('figures' in report ? report.figures : {});
  }

  private answer(id: number, timeout: number, what: string): Promise<Figures> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new Error(`no answer in ${timeout / 1_000} s to: ${what}`));
      }, timeout);
      this.waiting.set(id, {
        resolve: (figures) => {
          clearTimeout(timer);
          resolve(figures);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }
}

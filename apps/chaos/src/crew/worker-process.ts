import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Proxy } from '../server/proxy.js';
import type { WorkerReport, WorkerSetup } from './setup.js';

const START_TIMEOUT = 30_000;

export type Listener = (line: string) => void;

/** A child process, and the proxy through which it talks to Redis. */
export class Worker {
  private readonly exited: Promise<unknown>;
  private expected = false;

  private constructor(
    readonly instanceId: string,
    readonly proxy: Proxy,
    private readonly child: ChildProcess,
  ) {
    this.exited = once(child, 'exit');
  }

  /** @param heard gets what it warns of */
  static async start(setup: Omit<WorkerSetup, 'url'>, heard: Listener): Promise<Worker> {
    const proxy = await Proxy.to(setup.directUrl);
    const told: WorkerSetup = { ...setup, url: proxy.url };
    const child = fork(new URL('../worker.js', import.meta.url), [JSON.stringify(told)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const worker = new Worker(setup.instanceId, proxy, child);
    await worker.ready(heard);
    child.once('exit', (code, signal) => {
      if (!worker.expected) heard(`a process ended by itself: ${signal ?? `code ${code ?? 'none'}`}`);
    });
    return worker;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it, by SIGKILL where it takes too long. */
  async end(signal: NodeJS.Signals, timeout = 0): Promise<void> {
    this.expected = true;
    this.child.kill(signal);
    const timer = timeout > 0 ? setTimeout(() => this.child.kill('SIGKILL'), timeout) : undefined;
    if (this.child.exitCode === null && this.child.signalCode === null) await this.exited;
    clearTimeout(timer);
    await this.proxy.close();
  }

  private ready(heard: Listener): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        this.expected = true;
        this.child.kill('SIGKILL');
        reject(new Error(`${this.instanceId} did not start: ${why}`));
      };
      const timer = setTimeout(() => {
        fail('no answer');
      }, START_TIMEOUT);
      this.child.once('exit', () => {
        clearTimeout(timer);
        fail('it ended');
      });
      this.child.on('message', (report: WorkerReport) => {
        if ('said' in report) heard(`${report.level}: ${report.said}`);
        else if ('failed' in report) fail(report.failed);
        else {
          clearTimeout(timer);
          resolve();
        }
      });
    });
  }
}

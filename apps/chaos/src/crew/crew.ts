import type { Worker } from './worker-process.js';

const END_TIMEOUT = 20_000;

/** The processes that are meant to be at work. */
export class Crew {
  private readonly workers = new Set<Worker>();
  private started = 0;

  /** @param start makes the process of that number */
  constructor(private readonly start: (number: number) => Promise<Worker>) {}

  get members(): readonly Worker[] {
    return [...this.workers];
  }

  /** One more. */
  async hire(): Promise<void> {
    this.workers.add(await this.start(++this.started));
  }

  /** It counts no longer; whoever says so ends it. */
  release(worker: Worker): void {
    this.workers.delete(worker);
  }

  async close(): Promise<void> {
    const members = this.members;
    this.workers.clear();
    await Promise.all(members.map((worker) => worker.end('SIGTERM', END_TIMEOUT)));
  }
}

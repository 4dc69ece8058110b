/** Work that waits for a place. */
export interface Runnable {
  run(): void;
}

/** Lets at most `limit` of a handler's jobs run at once; the others wait in order. */
export class Lane {
  private active = 0;
  private waiting: Runnable[] = [];
  private head = 0;
  private pumping = false;

  constructor(private readonly limit: number) {}

  /** Jobs that wait for a place. */
  get queued(): number {
    return this.waiting.length - this.head;
  }

  /** Runs the job now if there is a place, else when one gets free. The job calls `leave` when it has ended. */
  enter(job: Runnable): void {
    if (this.active < this.limit && this.queued === 0) {
      this.active++;
      job.run();
    } else {
      this.waiting.push(job);
    }
  }

  leave(): void {
    this.active--;
    if (this.pumping || this.queued === 0) return;
    this.pumping = true;
    try {
      for (
        let next = this.waiting[this.head];
        next !== undefined && this.active < this.limit;
        next = this.waiting[this.head]
      ) {
        this.head++;
        this.active++;
        next.run();
      }
    } finally {
      this.pumping = false;
    }
    if (this.head === this.waiting.length) {
      this.waiting = [];
      this.head = 0;
    } else if (this.head > 1024) {
      this.waiting = this.waiting.slice(this.head);
      this.head = 0;
    }
  }
}

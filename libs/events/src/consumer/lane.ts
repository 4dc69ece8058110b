/** Work that waits for a place. */
export interface Runnable {
  run(): void;
}

/** While it is closed no lane begins anything. */
export interface LaneGate {
  readonly closed: boolean;
  /** Something waits in a lane, or a job of it has ended, while the gate is closed: it wants to be pumped afterwards. */
  held(lane: Lane): void;
}

/** Lets at most `limit` of a handler's jobs run at once; the others wait in order. */
export class Lane {
  private active = 0;
  private waiting: Runnable[] = [];
  private head = 0;
  private pumping = false;

  constructor(
    private readonly limit: number,
    private readonly gate: LaneGate,
  ) {}

  /** Jobs that run. */
  get running(): number {
    return this.active;
  }

  /** Jobs that wait for a place. */
  get queued(): number {
    return this.waiting.length - this.head;
  }

  /** Runs the job now if there is a place, else when one gets free. The job calls `leave` when it has ended. */
  enter(job: Runnable): void {
    if (this.take()) job.run();
    else {
      this.waiting.push(job);
      if (this.gate.closed) this.gate.held(this);
    }
  }

  /** Takes a place if there is one now, for what calls `leave` when it has ended. */
  take(): boolean {
    if (this.active >= this.limit || this.queued > 0 || this.gate.closed) return false;
    this.active++;
    return true;
  }

  /** Runs the job now, whatever else runs or waits. The job calls `leave` when it has ended. */
  force(job: Runnable): void {
    this.active++;
    job.run();
  }

  leave(): void {
    this.active--;
    if (this.gate.closed) this.gate.held(this);
    else this.pump();
  }

  /** Begins what waits, as far as there are places. */
  pump(): void {
    if (this.pumping || this.queued === 0) return;
    this.pumping = true;
    try {
      for (
        let next = this.waiting[this.head];
        next !== undefined && this.active < this.limit && !this.gate.closed;
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

import { afterIo } from '../../../core/clock.js';

/** What is asked of the server, several at once. */
export interface Question {
  fail(error: Error): void;
}

/**
 * Sends questions of one turn of the event loop in one call, and what comes while calls are under way in the next. An
 * answer that fails is everybody's of that call.
 */
export class Coalescer<Asked extends Question> {
  private queue: Asked[] = [];
  private scheduled = false;
  private underWay = 0;
  /** Questions of the calls that are under way. */
  private sent = 0;
  private waiting: (() => void)[] = [];

  /**
   * @param most that one call carries
   * @param calls that may be under way at once
   * @param send answers each; what it throws is the answer of those that have none
   */
  constructor(
    private readonly most: number,
    private readonly calls: number,
    private readonly send: (asked: readonly Asked[]) => Promise<void>,
  ) {}

  ask(asked: Asked): void {
    this.queue.push(asked);
    this.schedule();
  }

  /** Resolves when every question has its answer. */
  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiting.push(resolve);
    });
  }

  /** Questions without an answer. */
  get open(): number {
    return this.queue.length + this.sent;
  }

  private get isIdle(): boolean {
    return this.queue.length === 0 && this.underWay === 0;
  }

  private schedule(): void {
    if (this.scheduled || this.underWay >= this.calls) return;
    this.scheduled = true;
    afterIo(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    const { queue } = this;
    const asked = queue.length > this.most ? queue.splice(0, this.most) : queue;
    if (asked === queue) this.queue = [];
    this.underWay++;
    this.sent += asked.length;
    void this.send(asked)
      .catch((error: unknown) => {
        for (const each of asked) each.fail(error as Error);
      })
      .then(() => {
        this.underWay--;
        this.sent -= asked.length;
        if (this.queue.length > 0) this.schedule();
        else if (this.isIdle) for (const resolve of this.waiting.splice(0)) resolve();
      });
    if (this.queue.length > 0) this.schedule();
  }
}

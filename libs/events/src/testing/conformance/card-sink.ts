import assert from 'node:assert/strict';
import type { CardSubscribeOptions } from '../../bus/cards.js';
import type { EventBus } from '../../bus/event-bus.js';
import type { Subscription } from '../../bus/subscription.js';
import type { CardContext } from '../../core/context.js';
import type { Harness } from './harness.js';

/** The topic of most tests. */
export const TOPIC = 'comment';

const never = new Promise<never>(() => undefined);

/** A process that handles cards. What its handlers still do when it is dead counts for nothing. */
export class CardProcess {
  alive = true;

  constructor(
    readonly bus: EventBus,
    private readonly harness: Harness,
  ) {}

  /** Dies here and now; for a handler that takes its process down. */
  readonly die = async (): Promise<never> => {
    this.alive = false;
    await this.harness.crash(this.bus);
    return never;
  };
}

/** An event as a handler of its card got it. */
export interface CardRun {
  readonly topic: string;
  readonly card: string;
  readonly payload: unknown;
  readonly sequence: string;
  readonly token: string;
  /** As they were when the handler was called. */
  readonly attempt: number;
  readonly redelivered: boolean;
  readonly context: CardContext;
  readonly process: CardProcess;
}

/** What a handler of the sink does. Throwing is failing. */
export type CardWork = (payload: number, context: CardContext, process: CardProcess) => unknown;

/**
 * What the handlers of a topic's cards do in all processes, checked as it happens: one event of a card at once, none before
 * the one ahead of it is settled, and effects that a sink with fencing takes.
 */
export class CardSink {
  /** Runs that began, in order. */
  readonly events: CardRun[] = [];
  /** Those that ended well while their process lived. */
  readonly done: CardRun[] = [];
  /** What was not as promised. */
  readonly problems: string[] = [];
  /** Most cards at work at once. */
  most = 0;
  private readonly running = new Map<string, CardRun>();
  private readonly latest = new Map<string, CardRun>();
  private readonly effects = new Map<string, CardRun>();
  private readonly processes = new Map<EventBus, CardProcess>();

  /**
   * @param ends says that an event may be settled without having been handled well: for good failures that the test makes
   */
  constructor(
    private readonly harness: Harness,
    private readonly work: CardWork = () => undefined,
    private readonly ends: (run: CardRun) => boolean = () => false,
  ) {}

  /** The process of a bus, as far as this sink is concerned. */
  process(bus: EventBus): CardProcess {
    const process = this.processes.get(bus) ?? new CardProcess(bus, this.harness);
    this.processes.set(bus, process);
    return process;
  }

  /** Subscribes in a process. */
  on(
    bus: EventBus,
    options: CardSubscribeOptions = {},
    topics: string | readonly string[] = TOPIC,
  ): Promise<Subscription> {
    const process = this.process(bus);
    const handler = (payload: number, context: CardContext): unknown =>
      process.alive ? this.run(process, payload, context) : never;
    return bus.cards.subscribe<number>(topics, handler, { name: 'handler', ...options });
  }

  /** Cards at work now. */
  atWork(): number {
    return [...this.running.values()].filter(({ process }) => process.alive).length;
  }

  /** Payloads that a card's handlers were called with, or those of all cards. */
  payloads(card?: string): unknown[] {
    return of(card, this.events).map(({ payload }) => payload);
  }

  /** Attempts, as the handlers of a card were called with them. */
  attempts(card?: string): number[] {
    return of(card, this.events).map(({ attempt }) => attempt);
  }

  /** Payloads that were handled well, each once though its process died before the acknowledgement. */
  handled(card: string): unknown[] {
    const rows = new Map(of(card, this.done).map(({ sequence, payload }) => [sequence, payload]));
    return [...rows.values()];
  }

  get last(): CardRun {
    const last = this.events.at(-1);
    assert.ok(last, 'no event came yet');
    return last;
  }

  /** @throws AssertionError that tells what was not as promised */
  check(said = ''): void {
    assert.deepEqual(this.problems, [], said);
  }

  private run(process: CardProcess, payload: number, context: CardContext): unknown {
    const run = runOf(process, payload, context);
    this.begins(run);
    let result: unknown;
    try {
      result = this.work(payload, context, process);
    } catch (error) {
      this.ended(run, false);
      throw error;
    }
    if (!(result instanceof Promise)) {
      this.ended(run, true);
      return result;
    }
    return result.then(
      (value: unknown) => {
        this.ended(run, true);
        return value;
      },
      (error: unknown) => {
        this.ended(run, false);
        throw error;
      },
    );
  }

  private begins(run: CardRun): void {
    const key = keyOf(run);
    const beside = this.running.get(key);
    if (beside?.process.alive === true) this.problem(run, `began while ${text(beside)} ran`);
    const before = this.latest.get(key);
    if (before !== undefined) this.follows(run, before);
    this.events.push(run);
    this.latest.set(key, run);
    this.running.set(key, run);
    this.most = Math.max(this.most, this.atWork());
  }

  private follows(run: CardRun, before: CardRun): void {
    const token = BigInt(run.token) - BigInt(before.token);
    if (token < 0n) this.problem(run, `has a lower token than ${text(before)}`);
    if (token === 0n && run.process !== before.process) this.problem(run, `has the token of ${text(before)}`);
    const place = compareSequence(run.sequence, before.sequence);
    if (place < 0) this.problem(run, `came after ${text(before)}`);
    if (place === 0 && !run.redelivered) this.problem(run, `came again and is not redelivered`);
    if (place > 0 && !this.done.includes(before) && !this.ends(before))
      this.problem(run, `came before ${text(before)} was settled`);
  }

  private ended(run: CardRun, well: boolean): void {
    if (!run.process.alive) return;
    const key = keyOf(run);
    if (this.running.get(key) === run) this.running.delete(key);
    if (!well) return;
    this.done.push(run);
    const last = this.effects.get(key);
    const place = last === undefined ? 1 : compare(run, last);
    if (place > 0) this.effects.set(key, run);
    else this.problem(run, `would be refused by a sink that has taken ${last === undefined ? '' : text(last)}`);
  }

  private problem(run: CardRun, what: string): void {
    this.problems.push(`${text(run)} ${what}`);
  }
}

function runOf(process: CardProcess, payload: unknown, context: CardContext): CardRun {
  const { topic, cardId: card, sequence, fencingToken: token, attempt, redelivered } = context;
  return { topic, card, payload, sequence, token, attempt, redelivered, context, process };
}

/** Places in a queue, `<ms>-<number>`. */
export function compareSequence(a: string, b: string): number {
  const [[ms = 0n, n = 0n], [otherMs = 0n, otherN = 0n]] = [a, b].map((place) => place.split('-').map(BigInt)) as [
    bigint[],
    bigint[],
  ];
  return Number(ms === otherMs ? n - otherN : ms - otherMs);
}

/** As a sink with fencing compares: token, then sequence. */
function compare(a: CardRun, b: CardRun): number {
  const token = BigInt(a.token) - BigInt(b.token);
  return token === 0n ? compareSequence(a.sequence, b.sequence) : Number(token);
}

function of(card: string | undefined, runs: readonly CardRun[]): readonly CardRun[] {
  return card === undefined ? runs : runs.filter((run) => run.card === card);
}

function keyOf({ topic, card }: CardRun): string {
  return `${topic}:${card}`;
}

function text({ topic, card, payload, sequence, token, attempt, process }: CardRun): string {
  const where = `${topic}:${card} ${String(payload)}`;
  return `${where} (${sequence}, token ${token}, attempt ${String(attempt)}, ${process.bus.instanceId})`;
}

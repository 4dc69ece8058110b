/** What a round measured: name of the metric → value. */
export type Figures = Readonly<Record<string, number>>;

/** What a child process is told at its start. It travels as JSON. */
export interface Setup {
  /** A key of the worker's table of roles. */
  readonly role: string;
  /** Which contender plays the role: a key of the role's table. */
  readonly system: string;
  readonly redisUrl: string;
  /** Every key in Redis begins with it. */
  readonly prefix: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** One order to a child process; its answer is `Figures`. It travels as JSON. */
export type Task = Readonly<Record<string, string | number | boolean>>;

/** What a child process does. */
export interface Role {
  run(task: Task): Promise<Figures>;
  close(): Promise<void>;
}

/** One row of a bench: one or more child processes, started in the order in which they are listed. */
export interface Contender {
  readonly name: string;
  /** `limit`: what the server allows, without a library. */
  readonly kind: 'limit' | 'peer' | 'ours';
  readonly workers: Readonly<Record<string, Pick<Setup, 'role' | 'system'> & { readonly options?: Setup['options'] }>>;
}

/** A contender whose processes run. */
export interface Team {
  readonly contender: Contender;
  /** Gives a process an order and waits for its figures. */
  run(worker: string, task: Task): Promise<Figures>;
  /** Measures what the server did meanwhile. */
  readonly server: ServerMeter;
}

/** Watches the Redis server. */
export interface ServerMeter {
  /** Microseconds that the server spent while `work` ran: in commands, and in its main thread as a whole. */
  cost<T>(work: () => Promise<T>): Promise<{ result: T; commands: number; thread: number }>;
  /** Learns which commands scripts run: their time is in the script's too. Slow; for warm-ups. */
  learn<T>(work: () => Promise<T>): Promise<T>;
  /** Bytes in use. */
  memory(): Promise<number>;
  /** Microseconds of CPU time that the server has used so far. */
  cpu(): Promise<number>;
}

/** A metric in the table. The first column of a bench makes the ratio. */
export interface Column {
  readonly key: string;
  readonly title: string;
  /** Digits after the point. Defaults to 0. */
  readonly digits?: number;
}

/** What the design asks for: metric of `of` divided by that of `versus`, in the same round, median. Reported, not asserted. */
export interface Goal {
  readonly of: string;
  readonly versus: string;
  readonly metric: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/**
 * How much is measured. Code that has run only a thousand times is several times slower than it will be, for everybody:
 * the warm-up is long, and its figures do not count.
 */
export interface Plan {
  /** Size of the very first round. */
  readonly first: number;
  /** Rounds that do not count, the first one included. */
  readonly warmups: number;
  readonly rounds: number;
  /** Size of a later round, given the figures of the contender's round before. */
  size(last: Figures): number;
}

/** Which round it is: the first one, one that only warms up, or one that counts. */
export type Stage = 'first' | 'warm-up' | 'measured';

export interface Bench {
  readonly name: string;
  readonly title: string;
  /** The code of another bench with other parameters: a smoke run leaves it out. */
  readonly variant?: boolean;
  /** What was done, in a sentence or two. */
  readonly how: string;
  /** Contender that the ratios refer to. */
  readonly baseline: string;
  readonly columns: readonly Column[];
  readonly goals: readonly Goal[];
  readonly contenders: readonly Contender[];
  plan(smoke: boolean): Plan;
  round(team: Team, size: number, stage: Stage): Promise<Figures>;
}

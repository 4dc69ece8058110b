import { afterIo, type Clock } from '../../core/clock.js';
import type { EventContext } from '../../core/context.js';
import type { Idempotence } from '../../core/declaration.js';
import { ACK, type Delivery, type Settlement } from '../../core/delivery.js';
import { EventEnvelope, type EventMode } from '../../core/envelope.js';
import type { EventsLogger } from '../../ports/logger.js';
import type { Claim, IdempotencyStore } from '../../ports/stores.js';
import { Claims } from '../claims.js';
import { settlementOf, type Step } from '../compose.js';
import type { HandlerJob } from '../job.js';
import { idempotency } from './idempotency.js';

export const LEASE = 9_000;
export const TTL = 60_000;

/** Claims and outcomes by key; times are ms. */
interface Table {
  claim(key: string, owner: string, lease: number, now: number): Claim;
  renew(keys: readonly string[], owner: string, lease: number, now: number): void;
  commit(key: string, owner: string, outcome: string | undefined, ttl: number, now: number): void;
  abort(key: string, owner: string): void;
}

/** A clock in the hands of the test. */
interface MovedClock extends Clock {
  advance(ms: number): Promise<void>;
  pending(): number;
}

/** A backend, what is asked of it in order, and what it refuses. */
export class Backend {
  readonly calls: string[] = [];
  readonly keys = new Set<string>();
  fails: Partial<Record<keyof IdempotencyStore, Error>> = {};
  /** Holds the next claims back. */
  door: Promise<void> | undefined;

  constructor(
    readonly clock: MovedClock,
    private readonly table: Table,
  ) {}

  readonly store: IdempotencyStore = {
    claim: async (key, owner, lease) => {
      this.keys.add(key);
      await this.door;
      return this.call('claim', () => this.table.claim(key, owner, lease, this.clock.now()));
    },
    renew: (keys, owner, lease) =>
      this.call('renew', () => {
        this.table.renew(keys, owner, lease, this.clock.now());
      }),
    commit: (key, owner, outcome, ttl) =>
      this.call('commit', () => {
        this.table.commit(key, owner, outcome, ttl, this.clock.now());
      }),
    abort: (key, owner) =>
      this.call('abort', () => {
        this.table.abort(key, owner);
      }),
  };

  /** Whether something is still renewed, or waited for, at the end of a lease. */
  async beating(): Promise<boolean> {
    await this.clock.advance(LEASE);
    return this.clock.pending() > 0;
  }

  private async call<T>(name: keyof IdempotencyStore, run: () => T): Promise<T> {
    await new Promise<void>(afterIo);
    this.calls.push(name);
    const error = this.fails[name];
    if (error !== undefined) throw error;
    return run();
  }
}

export interface JobOptions {
  readonly mode?: EventMode;
  readonly id?: string;
  readonly source?: string;
  readonly type?: string;
  readonly payload?: unknown;
  readonly remaining?: number;
}

interface TestJob extends HandlerJob {
  readonly lines: string[];
}

export function jobOf(options: JobOptions = {}): TestJob {
  const { mode = 'broadcast', id = 'id-1', source = 's', type = 'order.paid', payload, remaining } = options;
  const event = new EventEnvelope({ type, id, source, sourceInstance: 'i', time: 0, mode });
  const controller = new AbortController();
  const lines: string[] = [];
  const logger = { error: (message: string) => lines.push(message) } as unknown as EventsLogger;
  const context = { id, type, source, handler: 'Orders.pay', signal: controller.signal } as unknown as EventContext;
  const delivery: Delivery = { event, type, attempt: 1, redelivered: false, failures: 0, crashes: 0, remaining };
  const abort = (reason: Error): void => {
    controller.abort(reason);
  };
  const rest = { ephemeral: false, alone: false, failures: 0, result: undefined, error: undefined };
  return {
    ...{ event, delivery, context, logger, lines, payload, abort, ...rest },
    get isAborted() {
      return controller.signal.aborted;
    },
  };
}

export interface ProcessOptions {
  readonly name?: string;
  readonly group?: string;
  readonly bus?: string;
  readonly key?: Idempotence['key'];
}

/** One process with an idempotent handler. */
export class Process {
  runs = 0;
  handler: () => unknown = () => undefined;
  private readonly middleware;

  constructor(backend: Backend, instanceId: string, options: ProcessOptions = {}) {
    const { clock, store } = backend;
    const { name = 'Orders.pay', group, bus = 'default', key } = options;
    this.middleware = idempotency({
      claims: new Claims({ store, owner: instanceId, lease: LEASE, clock }),
      clock,
      bus,
      instanceId,
      declaration: { name, group },
      idempotent: { key, ttl: TTL },
    });
  }

  async run(job: HandlerJob): Promise<Settlement> {
    const step: Step = async () => {
      this.runs++;
      job.result = await this.handler();
      return ACK;
    };
    return settlementOf(this.middleware(job, step));
  }
}

/** Two processes with the same handler. */
export function twoOn(backend: Backend, options?: ProcessOptions): { a: Process; b: Process } {
  return { a: new Process(backend, 'a', options), b: new Process(backend, 'b', options) };
}

export function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

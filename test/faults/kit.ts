import { createHash, randomInt } from 'node:crypto';
import type { EventBus, EventsLogger, SubscribeOptions, Subscription } from 'nestjs-cardinal';
import { openTestBus, type TestBusOptions } from 'nestjs-cardinal/testing';
import { scripts } from '../support/internals.js';
import type { CommandMatch } from '../support/proxy.js';
import { waitUntil, within } from '../support/wait.js';

/** Collects what a bus says. */
export class Lines implements EventsLogger {
  readonly all: string[] = [];
  readonly errors: string[] = [];
  log(line: string): void {
    this.all.push(line);
  }
  debug(line: string): void {
    this.all.push(line);
  }
  warn(line: string): void {
    this.all.push(`warn ${line}`);
  }
  error(line: string): void {
    this.all.push(`error ${line}`);
    this.errors.push(line);
  }
  count(text: string | RegExp): number {
    return this.all.filter((line) => (typeof text === 'string' ? line.includes(text) : text.test(line))).length;
  }
}

/** Opens buses, and closes them all at the end of a test. */
export class Buses {
  private readonly open_ = new Set<EventBus>();

  async open(url: string, options: TestBusOptions = {}, lines = new Lines()): Promise<EventBus> {
    const bus = await openTestBus({ url, shutdownTimeout: '2s', ...options }, { logger: lines });
    this.open_.add(bus);
    return bus;
  }

  /** Two with the same options. Without `lines`, each has its own. */
  async pair(url: string, options?: TestBusOptions, lines?: Lines): Promise<[EventBus, EventBus]> {
    return [await this.open(url, options, lines), await this.open(url, options, lines)];
  }

  async close(): Promise<void> {
    const buses = [...this.open_];
    this.open_.clear();
    await within('the buses to close', Promise.all(buses.map((bus) => bus.close())), 25_000);
  }
}

/** What a new subscription gets, in order; more is added as it comes. */
export async function payloads<Payload = number>(
  bus: EventBus,
  pattern: string,
  options?: SubscribeOptions,
): Promise<Payload[]> {
  const seen: Payload[] = [];
  await bus.subscribe(pattern, (payload: Payload) => void seen.push(payload), options);
  return seen;
}

interface Held {
  /** Payloads whose handlers have begun. */
  readonly seen: readonly number[];
  readonly subscription: Subscription;
  /** Lets them end, and all that come later. */
  open(): void;
}

/** Subscribes with a handler that ends only when the test says so. */
export async function held(bus: EventBus, pattern: string, options?: SubscribeOptions): Promise<Held> {
  const seen: number[] = [];
  let open = (): void => {};
  const door = new Promise<void>((resolve) => (open = resolve));
  const handler = (payload: number): Promise<void> => {
    seen.push(payload);
    return door;
  };
  return { seen, subscription: await bus.subscribe(pattern, handler, options), open };
}

/** What a promise rejects with; undefined when it does not. */
export function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
}

interface Random {
  readonly seed: number;
  next(): number;
  below(limit: number): number;
}

/** Random numbers from 0 to below 1, the same for the same seed (mulberry32). FAULT_SEED repeats a run. */
export function random(): Random {
  const seed = Number(process.env['FAULT_SEED'] ?? randomInt(2 ** 31));
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
  return { seed, next, below: (limit) => Math.floor(next() * limit) };
}

/** Runs it with random numbers; what it fails with names their seed. */
export async function seeded(body: (random: Random) => Promise<void>): Promise<void> {
  const source = random();
  try {
    await body(source);
  } catch (error) {
    throw new Error(`seed ${String(source.seed)}: ${String(error)}`, { cause: error });
  }
}

/** Matches a call of a script. */
export async function script(name: string): Promise<CommandMatch> {
  const lua = (await scripts())[name]?.lua;
  if (lua === undefined) throw new Error(`there is no script ${name}`);
  const sha = createHash('sha1').update(lua).digest('hex');
  return (args) =>
    (args[0] === 'evalsha' && args[1] === sha) || (args[0] === 'eval' && lua.startsWith(args[1]?.slice(0, 200) ?? '?'));
}

export function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** Waits until `size()` reaches `count`. */
export async function reaches(
  what: string,
  count: number,
  size: () => number | Promise<number>,
  timeout = 30_000,
): Promise<void> {
  let last = -1;
  await waitUntil(`${String(count)} ${what}`, async () => (last = await size()) >= count, { timeout }).catch(
    (error: unknown) => {
      throw new Error(`${(error as Error).message}: ${String(last)} came`);
    },
  );
}

export function sorted(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import type { EventContext } from '../../../core/context.js';
import { Reject, RetryLater } from '../../../core/handler-errors.js';
import type { HarnessBusOptions } from '../harness.js';
import { numbers, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
const ATTEMPTS = 4;
const retry = { attempts: ATTEMPTS, delay: 20, backoff: 'exponential', maxDelay: 60 } as const;
const HANDLERS = ['one', 'two', 'own'] as const;
const never = new Promise<never>(() => undefined);

type Kind = 'succeeds' | 'fails' | 'asks for later' | 'rejects' | 'hangs' | 'kills';

/** What a handler makes of an event: this, at its first `times` attempts, or at all of them where it has no more. */
interface Fate {
  readonly kind: Kind;
  readonly times: number;
}

/** Fates drawn from a seed, and what has become of each event at each handler. */
class Fates {
  private readonly fates = new Map<string, Fate>();
  private readonly done = new Map<string, number>();
  /** Kills that are still to come: each costs a reclaim time. */
  private kills = 3;

  constructor(
    private readonly next: () => number,
    private readonly kinds: readonly Kind[],
  ) {}

  /** Draws the fates of an event. */
  draw(n: number): void {
    for (const handler of HANDLERS) {
      const kind = this.kinds[Math.floor(this.next() * this.kinds.length)] ?? 'succeeds';
      const times = 1 + Math.floor(this.next() * (ATTEMPTS + 1));
      const allowed = kind !== 'kills' || (handler !== 'own' && this.kills-- > 0);
      this.fates.set(`${handler} ${String(n)}`, { kind: allowed ? kind : 'succeeds', times });
    }
  }

  /** A handler of this name, in a process that ends as `die` says. */
  handler(name: string, die: () => Promise<never>): (n: number, context: EventContext) => Promise<void> {
    return async (n, { attempt, signal }) => {
      const key = `${name} ${String(n)}`;
      const { kind, times } = this.fates.get(key) ?? { kind: 'succeeds', times: 0 };
      const fails = attempt <= times || times >= ATTEMPTS;
      if (kind === 'rejects' && attempt === Math.min(times, ATTEMPTS)) throw new Reject(key);
      if (kind === 'rejects' || (kind === 'fails' && fails)) throw new Error(key);
      if (kind === 'asks for later' && fails) throw new RetryLater(times * 10);
      if (kind === 'hangs' && attempt === 1) await aborted(signal);
      if (kind === 'kills' && attempt === 1) await die();
      this.done.set(key, (this.done.get(key) ?? 0) + 1);
    };
  }

  /** Those that are handled, with how often. */
  handled(): ReadonlyMap<string, number> {
    return this.done;
  }

  /** Those that can only end as dead letters. */
  doomed(): string[] {
    return [...this.fates].flatMap(([key, { kind, times }]) =>
      kind === 'rejects' || (['fails', 'asks for later'].includes(kind) && times >= ATTEMPTS) ? [key] : [],
    );
  }

  all(): string[] {
    return [...this.fates.keys()];
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('stopped'));
    });
  });
}

/** A process that takes no event before it has both handlers of the group. */
async function member(s: Stage, fates: Fates, options: HarnessBusOptions): Promise<EventBus> {
  const life: { bus?: EventBus; ends: boolean } = { ends: false };
  const die = async (): Promise<never> => {
    life.ends = true;
    if (life.bus !== undefined) await s.harness.crash(life.bus);
    return never;
  };
  const beforeStart = async (bus: EventBus): Promise<void> => {
    for (const name of ['one', 'two']) {
      const handle = fates.handler(name, die);
      const handler = (n: number, context: EventContext): unknown => (life.ends ? never : handle(n, context));
      await bus.subscribe<number>('order.*', handler, { group, name, retry, timeout: 100 });
    }
  };
  life.bus = await s.bus({ ...options, beforeStart });
  if (life.ends) await s.harness.crash(life.bus);
  return life.bus;
}

async function lettered(bus: EventBus): Promise<string[]> {
  const { items, total } = await bus.deadLetters.list({ pageSize: 1_000 });
  assert.equal(items.length, total);
  return items.map(({ handler, event }) => `${String(handler)} ${String(event?.payload)}`);
}

/** Publishes while members come and go, and waits until every event has ended at every handler. */
async function run(s: Stage, kinds: readonly Kind[], closing: boolean): Promise<void> {
  const { seed, next } = s.random();
  const fates = new Fates(next, kinds);
  const options = { reclaimAfter: 1_000, concurrency: 5 };
  const publisher = await s.bus(options);
  const own = fates.handler('own', () => never);
  await publisher.subscribe<number>('order.#', own, { name: 'own', retry, timeout: 100 });
  const open = async (): Promise<EventBus> => member(s, fates, options);
  const members = [await open(), await open()];
  const closings: Promise<void>[] = [];
  let published = 0;
  for (const round of numbers(5)) {
    for (const n of numbers(8)) fates.draw(published + n);
    await Promise.all(numbers(8).map((n) => publisher.publish(`order.${String(n % 3)}`, published + n)));
    published += 8;
    if (!closing) continue;
    members.push(await open());
    const [leaving] = members.splice(Math.floor(next() * 2), 1);
    if (leaving !== undefined) closings.push(leaving.close());
    if (round % 2 === 0) await s.value(Promise.all(closings));
  }
  await s.value(Promise.all(closings));
  // One that lives whatever happens to the others.
  if (!closing) for (const _ of numbers(3)) await open();
  const all = fates.all();
  await s.harness.waitFor(
    async () => {
      const ended = new Set([...fates.handled().keys(), ...(await lettered(publisher))]);
      const left = all.filter((key) => !ended.has(key));
      assert.deepEqual(left, [], `not ended, seed ${String(seed)}`);
      return true;
    },
    { what: 'every event to end at every handler', timeout: '20s' },
  );
  await s.quiet();
  const letters = await lettered(publisher);
  const said = `seed ${String(seed)}`;
  assert.deepEqual(letters.sort(), fates.doomed().sort(), `dead letters, ${said}`);
  const expected = all.filter((key) => !letters.includes(key));
  assert.deepEqual([...fates.handled().keys()].sort(), expected.sort(), `handled, ${said}`);
  if (!closing) return;
  const twice = [...fates.handled()].filter(([, count]) => count !== 1);
  assert.deepEqual(twice, [], `handled more than once though nobody died, ${said}`);
}

export const randomHandlers: ConformanceTopic = {
  name: 'random handlers',
  tests: [
    promise('whatever handlers do while members close: each event is handled once or a dead letter, never both', (s) =>
      run(s, ['succeeds', 'succeeds', 'fails', 'asks for later', 'rejects', 'hangs'], true),
    ),
    promise('and while handlers kill their processes: each event is handled or a dead letter, never both', (s) =>
      run(s, ['succeeds', 'succeeds', 'fails', 'asks for later', 'rejects', 'hangs', 'kills'], false),
    ),
  ],
};

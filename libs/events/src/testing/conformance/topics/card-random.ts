import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import { Reject, RetryLater } from '../../../core/handler-errors.js';
import { turns } from '../../clock.js';
import { lifetimes, rested } from '../card-kit.js';
import { CardSink, TOPIC, type CardWork } from '../card-sink.js';
import { numbers, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const ATTEMPTS = 4;
const CARDS = 12;
const ROUNDS = 5;
const A_ROUND = 6;
const OPTIONS = { cards: { lease: 1_000, quantum: 3 }, shutdownTimeout: 300 };
const HANDLING = {
  concurrency: 4,
  timeout: 100,
  retry: { attempts: ATTEMPTS, delay: 10, backoff: 'exponential', maxDelay: 40 },
} as const;

const never = new Promise<never>(() => undefined);

type Kind = 'succeeds' | 'fails' | 'asks for later' | 'rejects' | 'hangs' | 'kills';

/** What a handler makes of an event: this, at its first `times` attempts, or at all of them where it has no more. */
interface Fate {
  readonly kind: Kind;
  readonly times: number;
  /** Turns of the event loop that it takes. */
  readonly pause: number;
}

/** Fates of events, drawn from a seed, by `<card> <number>`. */
class Fates {
  readonly all = new Map<string, Fate>();
  /** Kills that are still to come: each costs a lease. */
  private kills = 3;

  constructor(
    private readonly next: () => number,
    private readonly kinds: readonly Kind[],
  ) {}

  draw(key: string): void {
    const drawn = this.kinds[Math.floor(this.next() * this.kinds.length)] ?? 'succeeds';
    const kind = drawn === 'kills' && this.kills-- <= 0 ? 'succeeds' : drawn;
    const times = 1 + Math.floor(this.next() * (ATTEMPTS + 1));
    this.all.set(key, { kind, times, pause: Math.floor(this.next() * 4) });
  }

  /** Ends only as a dead letter. */
  doomed(key: string): boolean {
    const { kind = 'succeeds', times = 0 } = this.all.get(key) ?? {};
    return kind === 'rejects' || (['fails', 'asks for later'].includes(kind) && times >= ATTEMPTS);
  }

  readonly work: CardWork = async (n, { cardId, attempt, signal }, { die }) => {
    const key = `${cardId} ${String(n)}`;
    const { kind, times, pause } = this.all.get(key) ?? { kind: 'succeeds', times: 0, pause: 0 };
    await turns(pause);
    const fails = attempt <= times || times >= ATTEMPTS;
    if (kind === 'rejects' && attempt >= Math.min(times, ATTEMPTS)) throw new Reject(key);
    if (kind === 'rejects' || (kind === 'fails' && fails)) throw new Error(key);
    if (kind === 'asks for later' && fails) throw new RetryLater(times * 5);
    if (kind === 'hangs' && attempt === 1) return aborted(signal);
    if (kind === 'kills' && attempt === 1) return die();
    return undefined;
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  if (signal.aborted) throw new Error('stopped');
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('stopped'));
    });
  });
}

async function lettered(bus: EventBus): Promise<string[]> {
  const { items, total } = await bus.deadLetters.list({ topic: TOPIC, pageSize: 1_000 });
  assert.equal(items.length, total);
  return items.map(({ cardId, event }) => `${String(cardId)} ${String(event?.payload)}`);
}

/** Publishes while members come and go, and waits until every event is handled or a dead letter. */
async function run(s: Stage, kinds: readonly Kind[], closing: boolean): Promise<void> {
  const { seed, next } = s.random();
  const said = `seed ${String(seed)}`;
  const fates = new Fates(next, kinds);
  const sink = new CardSink(s.harness, fates.work, ({ card, payload }) => fates.doomed(`${card} ${String(payload)}`));
  const publisher = await s.bus(OPTIONS);
  const members: EventBus[] = [];
  const open = async (): Promise<void> => {
    const bus = await s.bus(OPTIONS);
    members.push(bus);
    await sink.on(bus, HANDLING).catch((error: unknown) => {
      if (sink.process(bus).alive) throw error;
    });
  };
  await open();
  await open();
  const close = (bus: EventBus): Promise<void> =>
    bus.close().catch((error: unknown) => {
      // It may be killed while it closes.
      if (sink.process(bus).alive) throw error;
    });
  const closings: Promise<void>[] = [];
  for (const round of numbers(ROUNDS)) {
    const rows = numbers(A_ROUND).flatMap((n) =>
      numbers(CARDS).map((card) => ({ topic: TOPIC, cardId: String(card), payload: round * A_ROUND + n })),
    );
    for (const { cardId, payload } of rows) fates.draw(`${cardId} ${String(payload)}`);
    await publisher.cards.publishMany(rows);
    await open();
    if (!closing) continue;
    const [leaving] = members.splice(Math.floor(next() * members.length), 1);
    if (leaving !== undefined) closings.push(close(leaving));
    if (round % 2 === 0) await s.value(Promise.all(closings));
  }
  await s.value(Promise.all(closings));
  // More than can still be killed.
  if (kinds.includes('kills')) for (const _ of numbers(4)) await open();
  const all = [...fates.all.keys()];
  await s.harness.waitFor(
    async () => {
      const ended = new Set([...handled(sink).keys(), ...(await lettered(publisher))]);
      assert.deepEqual(all.filter((key) => !ended.has(key)), [], `not ended, ${said}`); // prettier-ignore
      return true;
    },
    { what: 'every event to end', timeout: '30s' },
  );
  await rested(s, publisher);
  const letters = await lettered(publisher);
  assert.deepEqual([...letters].sort(), all.filter((key) => fates.doomed(key)).sort(), `dead letters, ${said}`);
  const expected = all.filter((key) => !letters.includes(key)).sort();
  assert.deepEqual([...handled(sink).keys()].sort(), expected, `handled, ${said}`);
  for (const card of numbers(CARDS).map(String)) {
    const order = numbers(ROUNDS * A_ROUND).filter((n) => !fates.doomed(`${card} ${String(n)}`));
    assert.deepEqual(sink.handled(card), order, `order of card ${card}, ${said}`);
  }
  sink.check(said);
  if (kinds.includes('kills')) return;
  const twice = [...handled(sink)].filter(([, count]) => count !== 1);
  assert.deepEqual(twice, [], `handled more than once though nobody died, ${said}`);
}

function handled(sink: CardSink): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { card, payload } of sink.done) {
    const key = `${card} ${String(payload)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

const GOOD: readonly Kind[] = ['succeeds', 'succeeds', 'succeeds', 'succeeds'];

export const cardRandom: ConformanceTopic = {
  name: 'random handlers of cards',
  tests: [
    promise(
      'whatever handlers do while processes come and go: each card in order, each event handled once or a dead letter',
      (s) => run(s, [...GOOD, 'fails', 'asks for later', 'rejects', 'hangs'], true),
    ),
    promise('and while they kill their processes: in order at a sink with fencing, none lost', (s) =>
      run(s, [...GOOD, 'fails', 'asks for later', 'rejects', 'hangs', 'kills'], false),
    ),
    promise('and both at once', (s) => run(s, [...GOOD, 'fails', 'rejects', 'kills'], true)),
    promise('deaths at random moments, one process after the other: in order, none lost', async (s) => {
      const { seed, next } = s.random();
      const publisher = await s.bus(OPTIONS);
      let deaths = 4;
      const work: CardWork = async (_n, _c, { die }) => {
        await turns(Math.floor(next() * 3));
        if (deaths === 0 || next() > 0.03) return;
        deaths--;
        await die();
        await never;
      };
      const sink = new CardSink(s.harness, work);
      const rows = numbers(200).map((n) => ({ topic: TOPIC, cardId: String(n % 10), payload: Math.floor(n / 10) }));
      await publisher.cards.publishMany(rows);
      const over = (): boolean => handled(sink).size === 200;
      await lifetimes(s, sink, { concurrency: 4, retry: { attempts: 5 } }, over, undefined, OPTIONS);
      for (const card of numbers(10)) assert.deepEqual(sink.handled(String(card)), numbers(20), `seed ${String(seed)}`);
      sink.check(`seed ${String(seed)}`);
      await s.letters(publisher, 0);
      await rested(s, publisher);
    }),
  ],
};

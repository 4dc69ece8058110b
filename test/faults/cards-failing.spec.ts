import { describe, expect, it } from '@jest/globals';
import type { CardContext, EventBus, CardSubscribeOptions } from 'nestjs-cardinal';
import { waitUntil } from '../support/wait.js';
import { CardMember } from './cards-member.js';
import { handling, of, ordered, publish, QUICK, TOPIC, type Handled, type Produced } from './cards-kit.js';
import type { Work } from './children/card-member.js';
import { numbers, reaches } from './kit.js';
import { oneRedis } from './one-redis.js';

const crews: Crew[] = [];
const redis = oneRedis(() => Promise.all(crews.splice(0).map((crew) => crew.stop())));
const { buses } = redis;
const retry = { attempts: 3, delay: 10, maxDelay: 10, jitter: false } as const;
const five: Produced = new Map([
  ['a', numbers(5)],
  ['b', numbers(5)],
]);

/** Numbers of 'a' and the attempts at them, as they came. */
function attempts(seen: readonly Handled[]): string[] {
  return seen.filter(({ card }) => card === 'a').map(({ number, attempt }) => `${String(number)}.${String(attempt)}`);
}

describe('row 10: the head of a card fails every time', () => {
  let mended = false;

  /** Two processes; event 1 of card 'a' fails until it is mended; 'b' is well. */
  async function failing(
    onExhausted: NonNullable<CardSubscribeOptions['onExhausted']>,
  ): Promise<{ bus: EventBus; seen: Handled[] }> {
    mended = false;
    const seen: Handled[] = [];
    const fail = ({ number }: Work, { cardId }: CardContext): void => {
      if (cardId === 'a' && number === 1 && !mended) throw new Error('boom');
    };
    const [bus, other] = await buses.pair(redis.url, QUICK);
    for (const each of [bus, other]) await handling(each, redis.raw, { retry, onExhausted }, fail, seen);
    for (const card of ['a', 'b'])
      await publish(
        bus,
        card,
        numbers(5).map((number) => ({ number })),
      );
    return { bus, seen };
  }

  const state = async (bus: EventBus): Promise<string | undefined> => (await bus.cards.inspect(TOPIC, 'a'))?.state;

  it('dead-letter: it is tried as often as it may be, and its successors come after that', async () => {
    const { bus, seen } = await failing('dead-letter');
    const { dead } = await ordered(redis.raw, { bus, produced: five, buses: 2 });
    expect(attempts(seen)).toEqual(['0.1', '1.1', '1.2', '1.3', '2.1', '3.1', '4.1']);
    expect(dead.map(({ reason, attempts, error }) => ({ reason, attempts, error }))).toEqual([
      { reason: 'handler-failed', attempts: 3, error: 'boom' },
    ]);
  });

  it('park: its successors wait; skip moves it to the dead letters and goes on', async () => {
    const { bus, seen } = await failing('park');
    await waitUntil('the card to be parked', async () => (await state(bus)) === 'parked');
    await reaches('events of the other card', 5, () => of('b', seen).length);
    const record = await bus.cards.inspect(TOPIC, 'a');
    expect(record).toMatchObject({ length: 4, attempts: 3, lastError: 'boom', owner: undefined });
    expect(attempts(seen)).toEqual(['0.1', '1.1', '1.2', '1.3']);

    expect(await bus.cards.skip(TOPIC, 'a')).toBe(true);
    const { dead } = await ordered(redis.raw, { bus, produced: five, buses: 2 });
    expect(dead.map(({ reason }) => reason)).toEqual(['skipped']);
    expect(of('a', seen)).toEqual([0, 1, 1, 1, 2, 3, 4]);
    expect(await bus.cards.skip(TOPIC, 'a')).toBe(false);
  });

  it('park: resume tries it again, from the first attempt', async () => {
    const { bus, seen } = await failing('park');
    await waitUntil('the card to be parked', async () => (await state(bus)) === 'parked');
    expect(await bus.cards.resume(TOPIC, 'a')).toBe(true);
    await reaches('more attempts', 7, () => attempts(seen).length);
    await waitUntil('the card to be parked again', async () => (await state(bus)) === 'parked');
    mended = true;
    expect(await bus.cards.resume(TOPIC, 'a')).toBe(true);
    const { dead } = await ordered(redis.raw, { bus, produced: five, buses: 2 });
    expect(dead).toEqual([]);
    expect(attempts(seen)).toEqual(['0.1', '1.1', '1.2', '1.3', '1.1', '1.2', '1.3', '1.1', '2.1', '3.1', '4.1']);
    expect(await bus.cards.resume(TOPIC, 'a')).toBe(false);
  });

  it('block: it is tried again and again, and nothing passes it', async () => {
    const { bus, seen } = await failing('block');
    await reaches('attempts', 12, () => of('a', seen).length);
    expect(new Set(of('a', seen))).toEqual(new Set([0, 1]));
    mended = true;
    const { dead } = await ordered(redis.raw, { bus, produced: five, buses: 2 });
    expect(dead).toEqual([]);
    const numbersOfA = of('a', seen);
    expect(numbersOfA.slice(numbersOfA.lastIndexOf(1))).toEqual([1, 2, 3, 4]);
  });
});

/** Keeps so many processes alive: one that has died is replaced. */
class Crew {
  readonly members: CardMember[] = [];
  deaths = 0;
  private over = false;

  constructor(private readonly options: CardSubscribeOptions) {
    crews.push(this);
  }

  async start(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.one()));
  }

  /** What all of them began with. */
  got(card: string): { number: number; attempt: number }[] {
    return this.members.flatMap((member) => member.got(card));
  }

  async stop(): Promise<void> {
    this.over = true;
    await Promise.all(this.members.map((member) => member.kill()));
  }

  private async one(): Promise<void> {
    const member = await CardMember.start({ url: redis.url, bus: QUICK, options: this.options });
    if (this.over) return member.kill();
    this.members.push(member);
    void member.process.exited.then(() => {
      if (this.over) return;
      this.deaths += 1;
      void this.one();
    });
  }
}

describe('row 11: a poison event that kills its process', () => {
  const cards = numbers(10).map((number) => `card-${String(number)}`);
  const produced: Produced = new Map(cards.map((card) => [card, numbers(6)]));

  async function poisoned(onExhausted: 'dead-letter' | 'park'): Promise<{ bus: EventBus; crew: Crew }> {
    const bus = await buses.open(redis.url, QUICK);
    const crew = new Crew({ concurrency: 10, retry, onExhausted });
    await crew.start(2);
    await Promise.all(
      cards.map((card, at) =>
        publish(
          bus,
          card,
          numbers(6).map((number) => (at === 3 && number === 2 ? { number, plan: ['crash'] } : { number })),
        ),
      ),
    );
    return { bus, crew };
  }

  /** Twice among others, then alone as often as it has attempts. */
  function expectDeaths(crew: Crew): void {
    expect(crew.got('card-3').filter(({ number }) => number === 2)).toHaveLength(5);
    expect(crew.deaths).toBe(5);
  }

  it('it is counted, and ends as a dead letter; its successors and its neighbours are all handled', async () => {
    const { bus, crew } = await poisoned('dead-letter');
    await waitUntil('its end', async () => (await bus.deadLetters.list()).total === 1, { timeout: 60_000 });
    await reaches('processes', 2, () => crew.members.filter(({ process }) => process.exit === undefined).length);
    const { dead } = await ordered(redis.raw, { bus, produced, buses: 3 });
    expect(dead.map(({ reason, event }) => [reason, (event?.payload as Work).number])).toEqual([['crashed', 2]]);
    expectDeaths(crew);
  });

  it('it is counted, and parked; skip goes on with its successors', async () => {
    const { bus, crew } = await poisoned('park');
    const parked = async (): Promise<boolean> => (await bus.cards.inspect(TOPIC, 'card-3'))?.state === 'parked';
    await waitUntil('the card to be parked', parked, { timeout: 60_000 });
    expectDeaths(crew);
    expect(await bus.cards.skip(TOPIC, 'card-3')).toBe(true);
    await reaches('processes', 2, () => crew.members.filter(({ process }) => process.exit === undefined).length);
    const { dead } = await ordered(redis.raw, { bus, produced, buses: 3 });
    expect(dead.map(({ reason }) => reason)).toEqual(['skipped']);
    expectDeaths(crew);
  });
});

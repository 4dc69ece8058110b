import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { CardTurn } from '../../../ports/cards.js';
import { TestClock, turns } from '../../../testing/clock.js';
import type { MemoryDriver } from '../memory-driver.js';
import { FAILED } from '../memory.spec-kit.js';
import { Card } from './card.js';
import { CardWorld, idsOf, TOPIC, type Desk } from './cards.spec-kit.js';

const CARDS = ['a', 'b', 'c', 'd'];
const STEPS = [
  'publish',
  'publish',
  'next',
  'next',
  'keep',
  'yield',
  'retry',
  'release',
  'bury',
  'park',
  'refill',
  'resume',
  'skip',
  'replay',
  'unregister',
  'crash',
  'leave',
  'wait',
] as const;

/** What a process has of a card: the entries that it has not acknowledged, head first. */
interface Held {
  readonly turn: CardTurn;
  entries: readonly string[];
}

/** Several processes that do anything, and what must be true of all they see. */
class Chaos {
  readonly world = new CardWorld(new TestClock(1_000));
  readonly processes: { driver: MemoryDriver; desk: Desk; seen: number }[] = [];
  readonly held = new Map<CardTurn, Held>();
  readonly produced: string[] = [];
  readonly acknowledged: string[] = [];
  /** By card: what its queue must hold, head first. */
  readonly queues = new Map<string, string[]>(CARDS.map((cardId) => [cardId, []]));
  readonly tokens = new Map<string, bigint>();

  get driver(): MemoryDriver {
    const driver = this.processes[0]?.driver;
    if (driver === undefined) throw new Error('nobody is alive');
    return driver;
  }

  async start(): Promise<void> {
    this.processes.push({ ...(await this.world.process(2, 2)), seen: 0 });
  }

  async step(what: (typeof STEPS)[number], pick: number): Promise<void> {
    const cardId = CARDS[pick % CARDS.length] ?? '';
    const held = [...this.held.values()][pick % Math.max(1, this.held.size)];
    const ref = { topic: TOPIC, cardId };
    const { cards } = this.driver;
    if (what === 'publish') this.publish(cardId);
    else if (what === 'resume') await cards.resume(ref);
    else if (what === 'skip') {
      if (await cards.skip(ref)) this.queue(cardId).shift();
    } else if (what === 'replay') await this.replay();
    else if (what === 'unregister') await cards.unregister(ref, 'drain');
    else if (what === 'wait') await this.world.clock.advance(pick * 100);
    else if (what === 'crash' || what === 'leave') await this.end(pick, what);
    else if (held !== undefined) await this.act(what, held);
    await turns();
    this.look();
  }

  /** Everybody handles everything that is left. */
  async finish(): Promise<void> {
    for (let round = 0; round < 1_000; round++) {
      for (const cardId of CARDS) await this.driver.cards.resume({ topic: TOPIC, cardId });
      for (const held of this.held.values()) await this.act('next', held);
      await this.world.clock.advance(100);
      this.look();
      if ([...this.queues.values()].every(({ length }) => length === 0)) return;
    }
    throw new Error('a card is stuck');
  }

  queue(cardId: string): string[] {
    return this.queues.get(cardId) ?? [];
  }

  private publish(cardId: string): void {
    const id = String(this.produced.length);
    this.produced.push(id);
    this.queue(cardId).push(id);
    this.driver.cards.publish({ topic: TOPIC, cardId }, this.world.event(id));
  }

  private async replay(): Promise<void> {
    const { deadLetters } = this.driver.cards;
    const [letter] = await deadLetters.read(TOPIC, undefined, 1);
    if (letter === undefined) return;
    expect(await deadLetters.replay(TOPIC, letter.position, 'o')).toBe(true);
    this.queue(letter.cardId ?? '').push(letter.event?.id ?? '');
  }

  private async end(pick: number, how: 'crash' | 'leave'): Promise<void> {
    if (this.processes.length < 2) await this.start();
    const [process] = this.processes.splice(pick % this.processes.length, 1);
    if (process === undefined) return;
    for (const turn of process.desk.turns) {
      if (how === 'leave' && turn.held) await turn.release();
      if (how === 'leave') turn.end();
      this.held.delete(turn);
    }
    if (how === 'leave') await process.desk.source.close();
    await process.driver.close();
  }

  private async act(what: (typeof STEPS)[number], held: Held): Promise<void> {
    const { turn } = held;
    const queue = this.queue(turn.cardId);
    const count = what === 'keep' ? held.entries.length - 1 : held.entries.length;
    if (what === 'next' || what === 'keep' || what === 'yield') {
      this.acknowledged.push(...queue.splice(0, count));
      held.entries = held.entries.slice(count);
      const more = await turn.ack(count, what);
      if (what === 'next') held.entries = idsOf(more);
    } else if (what === 'bury') {
      queue.shift();
      const then = held.entries.length > 1 ? 'keep' : 'next';
      const more = await turn.bury(FAILED, then);
      held.entries = then === 'keep' ? held.entries.slice(1) : idsOf(more);
    } else if (what === 'retry') await turn.retry({ delay: 500, counted: true, error: 'x' });
    else if (what === 'park') await turn.park(FAILED);
    else if (what === 'release') await turn.release();
    else held.entries = idsOf(await turn.refill());
    this.isPlaced(held);
    if (turn.held) return;
    this.held.delete(turn);
    this.processes.find(({ desk }) => desk.turns.includes(turn))?.desk.end(turn);
  }

  /** Looks at the turns that have begun, and at every card. */
  private look(): void {
    for (const process of this.processes) {
      for (const turn of process.desk.turns.slice(process.seen)) {
        const token = BigInt(turn.fencingToken);
        expect(token > (this.tokens.get(turn.cardId) ?? -1n)).toBe(true);
        this.tokens.set(turn.cardId, token);
        expect([...this.held.keys()].some(({ cardId, held }) => held && cardId === turn.cardId)).toBe(false);
        const held = { turn, entries: idsOf(turn.entries) };
        this.held.set(turn, held);
        this.isPlaced(held);
      }
      process.seen = process.desk.turns.length;
    }
    const { registered } = this.world.broker.cards.topic(TOPIC);
    for (const [cardId, row] of registered.all()) {
      expect([cardId, row instanceof Card ? row.length : 0]).toEqual([cardId, this.queue(cardId).length]);
      if (row instanceof Card && row.state === 'ready') expect(row.queued).toBe(true);
    }
    for (const [cardId, queue] of this.queues)
      if (queue.length > 0) expect(registered.get(cardId)?.state).not.toBe('idle');
  }

  /** What is in hand is the beginning of the queue. */
  private isPlaced({ turn, entries }: Held): void {
    if (turn.held) expect(entries).toEqual(this.queue(turn.cardId).slice(0, entries.length));
  }
}

describe('MemoryCards, whatever is called', () => {
  it('one holder a card with growing tokens, strict order, nothing lost and no card stuck', async () => {
    const step = fc.tuple(fc.constantFrom(...STEPS), fc.nat(30));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
        const chaos = new Chaos();
        await chaos.start();
        await chaos.start();
        for (const [what, pick] of steps) await chaos.step(what, pick);
        await chaos.finish();
        const letters = await chaos.driver.cards.deadLetters.read(TOPIC, undefined, Infinity);
        const ended = [...chaos.acknowledged, ...letters.map(({ event }) => event?.id ?? '')];
        expect(ended.sort()).toEqual([...chaos.produced].sort());
        expect(await chaos.driver.cards.deadLetters.outstanding(TOPIC)).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});

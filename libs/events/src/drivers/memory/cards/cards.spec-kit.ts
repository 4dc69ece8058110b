import { afterIo, type Clock } from '../../../core/clock.js';
import type { CardDelivery, CardSink, CardSource, CardTurn } from '../../../ports/cards.js';
import type { MemoryDriver } from '../memory-driver.js';
import { World } from '../memory.spec-kit.js';

export const TOPIC = 'order';

/** The consumer of a process: takes what it has places for, and remembers it. */
export class Desk implements CardSink {
  readonly turns: CardTurn[] = [];
  readonly lost: string[] = [];
  source!: CardSource;
  places = Infinity;
  private ended = 0;

  room(): number {
    return this.places - (this.turns.length - this.ended);
  }

  begin(turn: CardTurn): void {
    this.turns.push(turn);
    turn.onLost(({ message }) => {
      this.lost.push(message);
    });
  }

  /** The turn that began last. */
  get last(): CardTurn {
    const last = this.turns.at(-1);
    if (last === undefined) throw new Error('no turn has begun');
    return last;
  }

  get cards(): string[] {
    return this.turns.map(({ cardId }) => cardId);
  }

  /** Ends a turn, and has room for the next. */
  end(turn = this.last): void {
    this.ended++;
    turn.end();
    this.source.pull();
  }

  /** Handles all that a card has, and what begins meanwhile; gives the ids in order. */
  async handle(turn = this.last): Promise<string[]> {
    const ids: string[] = [];
    for (let entries = turn.entries; entries.length > 0; entries = await turn.ack(entries.length, 'next'))
      ids.push(...idsOf(entries));
    this.end(turn);
    return ids;
  }
}

/** Processes on one broker that have cards. */
export class CardWorld<C extends Clock> extends World<C> {
  constructor(clock: C, maxLength = Infinity) {
    super(clock, maxLength);
  }

  /** A process that consumes the topic. */
  async process(places = Infinity, take = 1): Promise<{ driver: MemoryDriver; desk: Desk }> {
    const driver = await this.driver();
    return { driver, desk: await this.consume(driver, places, take) };
  }

  async consume(driver: MemoryDriver, places = Infinity, take = 1, topic = TOPIC): Promise<Desk> {
    const desk = new Desk();
    desk.places = places;
    desk.source = await driver.cards.consume({ topic, handler: 'h', take }, desk);
    return desk;
  }

  /** Publishes events with these ids to a card, and gives what waits for them its turn. */
  async publish(driver: MemoryDriver, cardId: string, ...ids: string[]): Promise<void> {
    for (const id of ids) driver.cards.publish({ topic: TOPIC, cardId }, this.event(id));
    for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => afterIo(resolve));
  }

  /** State, length, and events in somebody's hands. */
  async look(driver: MemoryDriver, cardId: string): Promise<unknown[]> {
    const record = await driver.cards.inspect({ topic: TOPIC, cardId });
    return [record?.state, record?.length, record?.pending];
  }
}

export function idsOf(entries: readonly CardDelivery[]): string[] {
  return entries.map(({ event }) => event?.id ?? '');
}

/** A process with one card in its hands that has these events. */
export async function handed<C extends Clock>(
  clock: C,
  ids: string[],
  take = 1,
): Promise<{ world: CardWorld<C>; driver: MemoryDriver; desk: Desk }> {
  const world = new CardWorld(clock);
  const { driver, desk } = await world.process(Infinity, take);
  await world.publish(driver, 'a', ...ids);
  return { world, driver, desk };
}

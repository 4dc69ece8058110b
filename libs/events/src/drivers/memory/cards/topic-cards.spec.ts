import { describe, expect, it } from '@jest/globals';
import { TestClock, turns } from '../../../testing/clock.js';
import { CardWorld, TOPIC } from './cards.spec-kit.js';

const NAMES = Array.from({ length: 20 }, (_, index) => `card-${String(index)}`);

describe('TopicCards', () => {
  it('begins no more turns than there is room for, first come, first served', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver, desk } = await world.process(2);
    for (const name of ['c', 'a', 'b']) await world.publish(driver, name, '1');
    expect(desk.cards).toEqual(['c', 'a']);
    await desk.handle(desk.turns[0]);
    await turns();
    expect(desk.cards).toEqual(['c', 'a', 'b']);
  });

  it('a card with many events waits behind those that came before its next turn', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver, desk } = await world.process(1);
    await world.publish(driver, 'hot', '1', '2', '3');
    for (const name of ['a', 'b']) await world.publish(driver, name, '1');
    for (let number = 0; number < 5; number++) {
      await desk.last.ack(1, 'yield');
      desk.end();
      await turns();
    }
    expect(desk.cards).toEqual(['hot', 'a', 'b', 'hot', 'hot']);
  });

  it('a card comes to the same process while the processes are the same, and each has its share', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver, desk } = await world.process();
    const { desk: other } = await world.process();
    for (let round = 0; round < 2; round++) {
      for (const name of NAMES) await world.publish(driver, name, '1');
      for (const each of [desk, other]) for (const turn of each.turns.slice(-10)) await each.handle(turn);
    }
    expect([desk.cards.length, other.cards.length]).toEqual([20, 20]);
    for (const { cards } of [desk, other]) expect(cards.slice(10)).toEqual(cards.slice(0, 10));
  });

  it('a card whose first choice has no room goes to another', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver } = await world.process(0);
    const { desk: other } = await world.process();
    for (const name of NAMES) await world.publish(driver, name, '1');
    expect(other.cards).toEqual(NAMES);
  });

  it('yields to I/O after 100 events', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver, desk } = await world.process();
    for (let number = 0; number < 250; number++)
      driver.cards.publish({ topic: TOPIC, cardId: String(number) }, world.event('1'));
    const counts: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      await turns(1);
      counts.push(desk.turns.length);
    }
    expect(counts.filter((count, index) => count - (counts[index - 1] ?? 0) > 100)).toEqual([]);
    expect(counts.at(-1)).toBe(250);
  });
});

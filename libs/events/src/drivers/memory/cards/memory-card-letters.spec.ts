import { describe, expect, it } from '@jest/globals';
import { UnsupportedError } from '../../../core/errors.js';
import { TestClock, turns } from '../../../testing/clock.js';
import type { MemoryDriver } from '../memory-driver.js';
import { FAILED } from '../memory.spec-kit.js';
import { handed, idsOf, TOPIC, type CardWorld, type Desk } from './cards.spec-kit.js';

/** A card with two events, the first of which is a dead letter. */
async function buried(): Promise<{ world: CardWorld<TestClock>; driver: MemoryDriver; desk: Desk; position: string }> {
  const given = await handed(new TestClock(1_000), ['1', '2']);
  await given.desk.last.bury(FAILED, 'next');
  const [letter] = await given.driver.cards.deadLetters.read(TOPIC, undefined, 1);
  return { ...given, position: letter?.position ?? '' };
}

describe('MemoryCardLetters', () => {
  it('are found by topic, apart from those of the bus', async () => {
    const { driver, position } = await buried();
    const { deadLetters } = driver.cards;
    expect([await deadLetters.types(), await deadLetters.count(TOPIC), await driver.deadLetters.types()]).toEqual([
      [TOPIC],
      1,
      [],
    ]);
    expect((await deadLetters.get(TOPIC, position))?.event?.id).toBe('1');
    expect([await deadLetters.remove(TOPIC, [position, '99']), await deadLetters.types()]).toEqual([1, []]);
    expect(await deadLetters.get(TOPIC, position)).toBeUndefined();
  });

  it('replayed once, go to the end of their card with a new place, and begin again', async () => {
    const { driver, desk, position } = await buried();
    const { deadLetters } = driver.cards;
    const places = [desk.last.entries[0]?.sequence];
    expect([await deadLetters.replay(TOPIC, position, 'o'), await deadLetters.replay(TOPIC, position, 'o')]).toEqual([
      true,
      false,
    ]);
    expect(await deadLetters.outstanding(TOPIC)).toBe(1);
    const [again] = await desk.last.ack(1, 'next');
    expect([again?.event?.id, again?.attempt, again?.failures, again?.redelivered]).toEqual(['1', 1, 0, true]);
    expect(places).not.toContain(again?.sequence);
    await desk.last.ack(1, 'next');
    expect(await deadLetters.outstanding(TOPIC)).toBe(0);
  });

  it('that come back from a replay say so, however often they were tried', async () => {
    const { world, driver, desk, position } = await buried();
    const { deadLetters } = driver.cards;
    await deadLetters.replay(TOPIC, position, 'o');
    await desk.last.ack(1, 'next');
    await desk.last.retry({ delay: 1_000, counted: true, error: 'x' });
    desk.end();
    await world.clock.advance(1_000);
    expect([idsOf(desk.last.entries), await deadLetters.outstanding(TOPIC)]).toEqual([['1'], 1]);
    await desk.last.bury(FAILED, 'next');
    expect((await deadLetters.read(TOPIC, undefined, 1))[0]?.operation).toBe('o');
    expect(await deadLetters.outstanding(TOPIC)).toBe(0);
  });

  it('replayed to a card that waits for people, are not waited for', async () => {
    const { driver, desk, position } = await buried();
    const { deadLetters } = driver.cards;
    await desk.last.park(FAILED);
    await deadLetters.replay(TOPIC, position, 'o');
    expect(await deadLetters.outstanding(TOPIC)).toBe(0);
    await driver.cards.resume({ topic: TOPIC, cardId: 'a' });
    expect(await deadLetters.outstanding(TOPIC)).toBe(1);
    await driver.cards.unregister({ topic: TOPIC, cardId: 'a' }, 'drop');
    expect(await deadLetters.outstanding(TOPIC)).toBe(0);
  });

  it('replayed, wake and register a card that is gone', async () => {
    const { driver, desk, position } = await buried();
    await desk.last.ack(1, 'next');
    desk.end();
    await driver.cards.unregister({ topic: TOPIC, cardId: 'a' }, 'drain');
    await driver.cards.deadLetters.replay(TOPIC, position, 'o');
    await turns();
    expect([desk.cards, await desk.handle()]).toEqual([['a', 'a'], ['1']]);
  });

  it('replayed to a card that is about to go, keep it', async () => {
    const { world, driver, desk, position } = await buried();
    const ref = { topic: TOPIC, cardId: 'a' };
    await driver.cards.unregister(ref, 'drain');
    await world.clock.advance(5);
    await driver.cards.deadLetters.replay(TOPIC, position, 'o');
    expect(await driver.cards.inspect(ref)).toMatchObject({ activeAt: 1_005 });
    await desk.last.ack(1, 'next');
    await desk.last.ack(1, 'next');
    expect(await world.look(driver, 'a')).toEqual(['idle', 0, 0]);
  });

  it('are not filed by hand', async () => {
    const { world, driver } = await handed(new TestClock(1_000), []);
    await expect(driver.cards.deadLetters.add(world.event('1'), FAILED)).rejects.toThrow(UnsupportedError);
  });
});

import { describe, expect, it } from '@jest/globals';
import { TopicInUseError } from '../../../core/card-errors.js';
import { BusClosedError, InvalidOptionError, StreamFullError } from '../../../core/errors.js';
import type { CardRecord } from '../../../ports/cards.js';
import { TestClock, turns } from '../../../testing/clock.js';
import { FAILED } from '../memory.spec-kit.js';
import { CardWorld, handed, idsOf, TOPIC } from './cards.spec-kit.js';

const REF = { topic: TOPIC, cardId: 'a' };

describe('MemoryCards: publish', () => {
  it('hands nothing over inside a call, and then in order, with growing places', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver, desk } = await world.process(Infinity, 9);
    const { cards } = driver;
    for (const id of ['1', '2', '3']) expect(cards.publish(REF, world.event(id))).toBe(1_000);
    expect(desk.turns).toEqual([]);
    await turns();
    const { topic, cardId, entries } = desk.last;
    expect([topic, cardId, idsOf(entries), entries[0]?.type]).toEqual([TOPIC, 'a', ['1', '2', '3'], TOPIC]);
    expect(entries.map(({ sequence }) => sequence)).toEqual(['1000-0', '1000-1', '1000-2']);
  });

  it('keeps what nobody consumes yet', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const driver = await world.driver();
    await world.publish(driver, 'a', '1', '2');
    expect(await world.look(driver, 'a')).toEqual(['ready', 2, 0]);
    const desk = await world.consume(driver);
    expect(desk.turns).toEqual([]);
    await turns();
    expect(await desk.handle()).toEqual(['1', '2']);
  });

  it('refuses what a card has no room for, whatever is in hand; other cards have room', async () => {
    const world = new CardWorld(new TestClock(1_000), 2);
    const { driver, desk } = await world.process();
    await world.publish(driver, 'a', '1', '2');
    expect(() => driver.cards.publish(REF, world.event('3'))).toThrow(StreamFullError);
    expect(() => driver.cards.publish(REF, world.event('3'))).toThrow("'order:a' has 2 events");
    await world.publish(driver, 'b', '4');
    await desk.turns[0]?.ack(1, 'keep');
    driver.cards.publish(REF, world.event('5'));
    expect(await world.look(driver, 'a')).toEqual(['owned', 2, 0]);
  });

  it('stores an id once in ten minutes for a card, where that is asked', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver, desk } = await world.process();
    const publish = (cardId: string, deduplicate = true): unknown =>
      driver.cards.publish({ topic: TOPIC, cardId }, world.event('1'), { deduplicate });
    publish('a');
    await turns();
    expect(await desk.handle()).toEqual(['1']);
    await world.clock.advance(599_999);
    expect([publish('a'), publish('b'), publish('c', false)]).toEqual([1_000, 600_999, 600_999]);
    await turns();
    expect(desk.cards).toEqual(['a', 'b', 'c']);
    await world.clock.advance(1);
    publish('a');
    await turns();
    expect(desk.cards).toEqual(['a', 'b', 'c', 'a']);
  });

  it('does not remember the id of what was refused', async () => {
    const world = new CardWorld(new TestClock(1_000), 1);
    const { driver, desk } = await world.process();
    await world.publish(driver, 'a', '1');
    const publish = (): unknown => driver.cards.publish(REF, world.event('2'), { deduplicate: true });
    expect(publish).toThrow(StreamFullError);
    await desk.handle();
    publish();
    await turns();
    expect(idsOf(desk.last.entries)).toEqual(['2']);
  });

  it('hands a payload over as it is', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver, desk } = await world.process();
    const payload = { some: 'thing' };
    driver.cards.publish(REF, world.event('1').share(payload));
    await turns();
    expect(desk.last.entries[0]?.event?.payload()).toBe(payload);
  });
});

describe('MemoryCards: registration', () => {
  it('registers a card without events once', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver, desk } = await world.process();
    await driver.cards.register(REF);
    await world.clock.advance(5);
    await driver.cards.register(REF);
    await turns();
    const { cards } = await driver.cards.list(TOPIC, undefined, 9);
    const nothing = { owner: undefined, fencingToken: undefined, lastError: undefined, retryAt: undefined };
    const record: CardRecord = {
      ...REF,
      state: 'idle',
      length: 0,
      pending: 0,
      attempts: 0,
      activeAt: 1_005,
      ...nothing,
    };
    expect([cards, await driver.cards.inspect(REF), desk.turns]).toEqual([[record], record, []]);
  });

  it('drained, is gone when what waits has been handled', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    expect(await driver.cards.unregister(REF, 'drain')).toBe(0);
    expect([await world.look(driver, 'a'), await desk.handle()]).toEqual([
      ['owned', 2, 1],
      ['1', '2'],
    ]);
    expect(await driver.cards.inspect(REF)).toBeUndefined();
  });

  it('drained, is gone at once where nothing waits, and stays where an event comes meanwhile', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    await driver.cards.register({ topic: TOPIC, cardId: 'b' });
    await driver.cards.unregister({ topic: TOPIC, cardId: 'b' }, 'drain');
    expect(await driver.cards.inspect({ topic: TOPIC, cardId: 'b' })).toBeUndefined();
    await driver.cards.unregister(REF, 'drain');
    await world.publish(driver, 'a', '2');
    await desk.handle();
    expect(await world.look(driver, 'a')).toEqual(['idle', 0, 0]);
  });

  it('drained with its last event as a dead letter, or skipped, is gone as well', async () => {
    const { driver, desk } = await handed(new TestClock(1_000), ['1']);
    await driver.cards.unregister(REF, 'drain');
    await desk.last.bury(FAILED, 'next');
    expect(await driver.cards.inspect(REF)).toBeUndefined();
    const second = await handed(new TestClock(1_000), ['1']);
    await second.desk.last.park(FAILED);
    second.desk.end();
    await second.driver.cards.unregister(REF, 'drain');
    await second.driver.cards.skip(REF);
    expect(await second.driver.cards.inspect(REF)).toBeUndefined();
  });

  it('dropped, is gone with all that it has, in backoff too, and begins anew', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    await desk.last.retry({ delay: 1_000, counted: true, error: 'x' });
    desk.end();
    expect(await driver.cards.unregister(REF, 'drop')).toBe(2);
    expect([await driver.cards.unregister(REF, 'drop'), await driver.cards.inspect(REF)]).toEqual([0, undefined]);
    await world.publish(driver, 'a', '3');
    expect([idsOf(desk.last.entries), desk.last.entries[0]?.attempt]).toEqual([['3'], 1]);
    await world.clock.advance(2_000);
    expect(desk.cards).toEqual(['a', 'a']);
  });

  it('unknown topics and cards have nothing to tell', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { cards } = await world.driver();
    const none = { topic: 'none', cardId: 'a' };
    expect([await cards.unregister(none, 'drop'), await cards.unregister(none, 'drain')]).toEqual([0, 0]);
    expect([await cards.inspect(none), await cards.resume(none), await cards.skip(none)]).toEqual([
      undefined,
      false,
      false,
    ]);
    expect(await cards.list('none', undefined, 9)).toEqual({ cards: [], cursor: undefined });
  });

  it('lists page by page, each card once', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { cards } = await world.driver();
    for (let number = 0; number < 7; number++) await cards.register({ topic: TOPIC, cardId: String(number) });
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await cards.list(TOPIC, cursor, 3);
      pages.push(page.cards.map(({ cardId }) => cardId));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(pages).toEqual([['0', '1', '2'], ['3', '4', '5'], ['6']]);
    await expect(cards.list(TOPIC, 'x', 3)).rejects.toThrow(InvalidOptionError);
  });

  it('lets a card rest that has been idle, keeps its registration a day, and wakes it with its next event', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    await desk.handle();
    const { registered } = driver.broker.cards.topic(TOPIC);
    await world.clock.advance(600_000);
    expect([registered.get('a'), await world.look(driver, 'a')]).toEqual([undefined, ['idle', 0, 0]]);
    await world.publish(driver, 'a', '2');
    expect(await desk.handle()).toEqual(['2']);
    await world.clock.advance(86_400_000 + 30_000);
    expect([await driver.cards.inspect(REF), world.clock.pending()]).toEqual([undefined, 0]);
  });

  it('unregisters a card that rests', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    await desk.handle();
    await world.clock.advance(600_000);
    await driver.cards.unregister(REF, 'drain');
    expect(await driver.cards.inspect(REF)).toBeUndefined();
  });
});

describe('MemoryCards: resume and skip', () => {
  it('resumes a card in backoff at once; its time to come means nothing any more', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    await desk.last.retry({ delay: 1_000, counted: true, error: 'x' });
    desk.end();
    expect(await driver.cards.resume(REF)).toBe(true);
    await turns();
    expect(desk.last.entries[0]?.attempt).toBe(1);
    await desk.last.retry({ delay: 5_000, counted: true, error: 'y' });
    desk.end();
    await world.clock.advance(4_999);
    expect(desk.cards).toEqual(['a', 'a']);
    await world.clock.advance(1);
    expect(desk.cards).toEqual(['a', 'a', 'a']);
  });

  it('skips the head that is parked, and goes on', async () => {
    const { driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    expect([await driver.cards.resume(REF), await driver.cards.skip(REF)]).toEqual([false, false]);
    await desk.last.park(FAILED);
    desk.end();
    expect(await driver.cards.skip(REF)).toBe(true);
    await turns();
    expect([idsOf(desk.last.entries), desk.last.entries[0]?.attempt]).toEqual([['2'], 1]);
    const letters = await driver.cards.deadLetters.read(TOPIC, undefined, 9);
    expect(letters).toMatchObject([{ reason: 'skipped', cardId: 'a', attempts: 3, error: 'boom', handler: undefined }]);
  });

  it('skips the head of a card that only waits, and tells nothing of an empty one', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const driver = await world.driver();
    await world.publish(driver, 'a', '1');
    expect([await driver.cards.skip(REF), await driver.cards.skip(REF)]).toEqual([true, false]);
    expect(await world.look(driver, 'a')).toEqual(['idle', 0, 0]);
    const desk = await world.consume(driver);
    await world.publish(driver, 'a', '2');
    expect([desk.cards, idsOf(desk.last.entries)]).toEqual([['a'], ['2']]);
  });
});

describe('MemoryCards: topics', () => {
  it('have one service', async () => {
    const world = new CardWorld(new TestClock(1_000));
    const { driver } = await world.process();
    await world.process();
    const another = await world.driver('x', 'another');
    await expect(world.consume(another)).rejects.toThrow(TopicInUseError);
    await world.consume(another, 1, 1, 'free');
    await driver.close();
    await world.clock.advance(3_600_000);
    await expect(world.consume(another)).rejects.toThrow("consumed by the service 's'");
  });

  it('are consumed no more after close, and by the same process again', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    await desk.handle();
    await desk.source.close();
    await desk.source.close();
    await world.publish(driver, 'a', '2');
    expect([desk.cards, await world.look(driver, 'a')]).toEqual([['a'], ['ready', 1, 0]]);
    const again = await world.consume(driver);
    await turns();
    expect(await again.handle()).toEqual(['2']);
  });

  it('of a driver that is not open are closed', async () => {
    const { world, driver } = await handed(new TestClock(1_000), []);
    await driver.close();
    const { cards } = driver;
    expect(() => cards.publish(REF, world.event('1'))).toThrow(BusClosedError);
    const letters = cards.deadLetters;
    const calls = [
      () => cards.register(REF),
      () => cards.unregister(REF, 'drop'),
      () => world.consume(driver),
      () => cards.list(TOPIC, undefined, 1),
      () => cards.inspect(REF),
      () => cards.resume(REF),
      () => cards.skip(REF),
      () => letters.types(),
      () => letters.replay(TOPIC, '1', 'o'),
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(BusClosedError);
  });
});

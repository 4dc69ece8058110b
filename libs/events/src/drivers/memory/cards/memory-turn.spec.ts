import { describe, expect, it } from '@jest/globals';
import { TestClock, turns } from '../../../testing/clock.js';
import { FAILED } from '../memory.spec-kit.js';
import { handed, idsOf, TOPIC } from './cards.spec-kit.js';

const FAILURE = { delay: 1_000, counted: true, error: 'boom' };
const REF = { topic: TOPIC, cardId: 'a' };

describe('MemoryTurn', () => {
  it('hands event after event over as each is acknowledged, and lets an empty card go', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    const turn = desk.last;
    expect([idsOf(turn.entries), turn.held, await world.look(driver, 'a')]).toEqual([['1'], true, ['owned', 2, 1]]);
    expect([idsOf(await turn.ack(1, 'next')), turn.held]).toEqual([['2'], true]);
    expect([await turn.ack(1, 'next'), turn.held, await world.look(driver, 'a')]).toEqual([[], false, ['idle', 0, 0]]);
  });

  it('keeps the card where more is in hand', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2', '3'], 2);
    expect(idsOf(desk.last.entries)).toEqual(['1', '2']);
    expect([await desk.last.ack(1, 'keep'), await world.look(driver, 'a')]).toEqual([[], ['owned', 2, 1]]);
    expect(idsOf(await desk.last.ack(1, 'next'))).toEqual(['3']);
  });

  it('yields to the cards that wait, with what is in hand', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2', '3'], 2);
    desk.places = 1;
    await world.publish(driver, 'b', '4');
    expect([await desk.last.ack(1, 'yield'), desk.last.held]).toEqual([[], false]);
    desk.end();
    await turns();
    expect(await desk.handle()).toEqual(['4']);
    await turns();
    expect(desk.cards).toEqual(['a', 'b', 'a']);
    expect(desk.last.entries.map(({ event, redelivered }) => [event?.id, redelivered])).toEqual([
      ['2', true],
      ['3', false],
    ]);
  });

  it('hands what is in hand and what has come since over again', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1'], 3);
    for (const id of ['2', '3', '4']) await world.publish(driver, 'a', id);
    const entries = await desk.last.refill();
    expect([idsOf(entries), entries[0]?.redelivered]).toEqual([['1', '2', '3'], false]);
    expect(idsOf(await desk.last.ack(3, 'next'))).toEqual(['4']);
  });

  it('waits with a failed head, and others go on', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    await desk.last.retry(FAILURE);
    expect([desk.last.held, await world.look(driver, 'a')]).toEqual([false, ['backoff', 2, 0]]);
    expect(await driver.cards.inspect(REF)).toMatchObject({ attempts: 1, lastError: 'boom', retryAt: 2_000 });
    desk.end();
    await world.publish(driver, 'b', '3');
    expect(await desk.handle()).toEqual(['3']);
    await world.clock.advance(999);
    expect(desk.cards).toEqual(['a', 'b']);
    await world.clock.advance(1);
    const [head] = desk.last.entries;
    expect([head?.event?.id, head?.attempt, head?.failures, head?.redelivered]).toEqual(['1', 2, 1, true]);
    expect(await desk.last.ack(1, 'next')).toHaveLength(1);
    expect(await driver.cards.inspect(REF)).toMatchObject({ attempts: 0, lastError: undefined });
  });

  it('counts no attempt that does not count', async () => {
    const { world, desk } = await handed(new TestClock(1_000), ['1']);
    await desk.last.retry({ ...FAILURE, counted: false });
    desk.end();
    await world.clock.advance(1_000);
    const [head] = desk.last.entries;
    expect([head?.attempt, head?.failures, head?.redelivered]).toEqual([1, 0, true]);
  });

  it('buries its head, tells it, and goes on', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    expect(idsOf(await desk.last.bury(FAILED, 'next'))).toEqual(['2']);
    const letters = await driver.cards.deadLetters.read(TOPIC, undefined, 9);
    const { reason, handler, attempts, error, stack } = FAILED;
    const letter = { type: TOPIC, cardId: 'a', reason, handler, attempts, error, stack, at: 1_000 };
    expect(letters).toMatchObject([letter]);
    expect(letters.map(({ event }) => event?.id)).toEqual(['1']);
    const details = { type: 'order', id: '1', reason, handler, ...REF };
    expect(world.warnings).toMatchObject([{ cause: 'dead-letter', details }]);
    expect(await desk.last.bury(FAILED, 'yield')).toEqual([]);
    expect([desk.last.held, await driver.cards.deadLetters.count(TOPIC)]).toEqual([false, 2]);
  });

  it('parks with its head until it is resumed, whose attempts then begin again', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    await desk.last.park(FAILED);
    desk.end();
    await world.clock.advance(1e9);
    const parked = { state: 'parked', length: 2, attempts: 3, lastError: 'boom', retryAt: undefined };
    expect(await driver.cards.inspect(REF)).toMatchObject(parked);
    expect([await driver.cards.resume(REF), await driver.cards.resume(REF)]).toEqual([true, false]);
    await turns();
    expect(desk.last.entries[0]).toMatchObject({ attempt: 1, failures: 0, redelivered: true });
    expect(await desk.handle()).toEqual(['1', '2']);
  });

  it('released, comes again uncounted, at once where another process has room', async () => {
    const { world, desk } = await handed(new TestClock(1_000), ['1']);
    const { desk: other } = await world.process();
    await desk.last.release();
    expect(desk.last.held).toBe(false);
    desk.end();
    await turns();
    expect([desk.cards, other.cards]).toEqual([['a'], ['a']]);
    expect(other.last.entries[0]).toMatchObject({ attempt: 1, redelivered: true });
  });

  it('released by the only process, comes again after a moment', async () => {
    const { world, desk } = await handed(new TestClock(1_000), ['1']);
    await desk.last.release();
    desk.end();
    await world.clock.advance(99);
    expect(desk.cards).toEqual(['a']);
    await world.clock.advance(1);
    expect(desk.cards).toEqual(['a', 'a']);
  });

  it('taken again, has no other place among those that wait than others', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    desk.places = 1;
    await desk.last.release();
    desk.end();
    await world.clock.advance(100);
    await world.publish(driver, 'b', '3');
    await desk.last.ack(1, 'yield');
    desk.end();
    await turns();
    expect(desk.cards).toEqual(['a', 'a', 'b']);
  });

  it('released while others have no room, comes to the first who has', async () => {
    const { world, desk } = await handed(new TestClock(1_000), ['1']);
    const { desk: other } = await world.process(0);
    await desk.last.release();
    desk.end();
    await turns();
    other.places = 1;
    other.source.pull();
    await turns();
    expect([desk.cards, other.cards, world.clock.pending()]).toEqual([['a'], ['a'], 2]);
    await world.clock.advance(100);
    expect([desk.cards, other.cards]).toEqual([['a'], ['a']]);
  });

  it('does not come to the same process before its end', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    await driver.cards.unregister(REF, 'drop');
    await world.publish(driver, 'a', '2');
    expect([desk.lost, desk.cards]).toEqual([["Card 'order:a' was unregistered."], ['a']]);
    const { desk: other } = await world.process(0);
    desk.end();
    await turns();
    expect([desk.cards, idsOf(desk.last.entries), other.cards]).toEqual([['a', 'a'], ['2'], []]);
  });

  it('once lost, does nothing, and says so once, at once to who asks later', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    const turn = desk.last;
    await driver.cards.unregister(REF, 'drop');
    expect(turn.held).toBe(false);
    await world.publish(driver, 'a', '3', '4');
    expect([await turn.ack(1, 'next'), await turn.bury(FAILED, 'next'), await turn.refill()]).toEqual([[], [], []]);
    await turn.retry(FAILURE);
    await turn.park(FAILED);
    await turn.release();
    expect(await turn.alone()).toBe(0);
    const late: string[] = [];
    turn.onLost(({ message }) => late.push(message));
    expect([desk.lost, late]).toEqual([late, desk.lost]);
    expect(desk.lost).toHaveLength(1);
    turn.end();
    turn.end();
    await turns();
    expect([desk.cards, idsOf(desk.last.entries), await world.look(driver, 'a')]).toEqual([
      ['a', 'a'],
      ['3'],
      ['owned', 2, 1],
    ]);
  });

  it('gives back what it ends with', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    desk.places = 0;
    desk.end();
    expect(await world.look(driver, 'a')).toEqual(['ready', 1, 0]);
  });

  it('has a token that grows with every owner, over all cards', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    await desk.last.ack(1, 'yield');
    desk.end();
    await world.publish(driver, 'b', '3');
    await turns();
    const tokens = desk.turns.map(({ fencingToken }) => BigInt(fencingToken));
    expect(tokens).toHaveLength(3);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => (a < b ? -1 : 1)));
    expect((await driver.cards.inspect(REF))?.fencingToken).toBe(desk.turns[1]?.fencingToken);
  });

  it('goes through a long card in turns of the event loop', async () => {
    const { desk } = await handed(
      new TestClock(1_000),
      Array.from({ length: 1_000 }, (_, index) => String(index)),
    );
    let ended = false;
    const handled = desk.handle().finally(() => (ended = true));
    await turns(2);
    expect(ended).toBe(false);
    expect((await handled).map(Number)).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
  });

  it('lost while it waits for its turn of the event loop, hands nothing over', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    driver.broker.cards.pace.spend(100);
    const next = desk.last.ack(1, 'next');
    expect(await world.look(driver, 'a')).toEqual(['owned', 1, 0]);
    await driver.cards.unregister(REF, 'drop');
    expect([await next, desk.last.held, await driver.cards.inspect(REF)]).toEqual([[], false, undefined]);
  });
});

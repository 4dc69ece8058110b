import { describe, expect, it } from '@jest/globals';
import { TestClock, turns } from '../../../testing/clock.js';
import { handed, TOPIC } from './cards.spec-kit.js';

const REF = { topic: TOPIC, cardId: 'a' };

describe('MemoryCardSource: crashes', () => {
  it('the cards of a process that dies go to another when its lease ends, the crash counted, before others', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2', '3'], 2);
    const { driver: second, desk: other } = await world.process(0, 2);
    await driver.close();
    expect(desk.lost).toEqual(["Bus 'default' is closed."]);
    expect([desk.last.held, await desk.last.ack(1, 'next')]).toEqual([false, []]);
    desk.end();
    expect(await second.cards.inspect(REF)).toMatchObject({ state: 'owned', owner: 'a', length: 3, pending: 2 });
    await world.publish(second, 'b', '4');
    await world.clock.advance(9_999);
    expect([await second.cards.skip(REF), await world.look(second, 'a')]).toEqual([false, ['owned', 3, 2]]);
    await world.clock.advance(1);
    expect(await second.cards.inspect(REF)).toMatchObject({ state: 'ready', owner: undefined, attempts: 1 });
    other.places = 1;
    other.source.pull();
    await turns();
    expect(other.cards).toEqual(['a']);
    expect(other.last.entries.map(({ event, attempt, crashes }) => [event?.id, attempt, crashes])).toEqual([
      ['1', 2, 1],
      ['2', 1, 0],
    ]);
    expect(BigInt(other.last.fencingToken)).toBeGreaterThan(BigInt(desk.last.fencingToken));
    expect(await other.handle()).toEqual(['1', '2', '3']);
  });

  it('counts deaths in which the head was handled alone, and no orderly end of such a run', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    expect(await desk.last.alone()).toBe(0);
    await desk.last.release();
    desk.end();
    await world.clock.advance(100);
    await driver.close();
    const second = await world.process();
    await world.clock.advance(10_000);
    expect([second.desk.last.entries[0]?.crashes, await second.desk.last.alone()]).toEqual([1, 0]);
    await second.driver.close();
    const third = await world.process();
    await world.clock.advance(10_000);
    expect([third.desk.last.entries[0]?.crashes, await third.desk.last.alone()]).toEqual([2, 1]);
  });

  it('the next process with the id of a dead one waits for the lease like others', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    await driver.close();
    await desk.source.close();
    const other = await world.consume(await world.driver('a'));
    await world.clock.advance(9_000);
    expect(other.cards).toEqual([]);
    await world.clock.advance(1_000);
    expect(other.cards).toEqual(['a']);
  });

  it('a process that dies with nothing of the card in hand is no crash of its head', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    const { desk: other } = await world.process();
    driver.broker.cards.pace.spend(100);
    const next = desk.last.ack(1, 'next');
    await driver.close();
    expect(await next).toEqual([]);
    await world.clock.advance(10_000);
    expect(other.last.entries.map(({ event, crashes }) => [event?.id, crashes])).toEqual([['2', 0]]);
  });

  it('a card that was given up in order, or is lost already, is not lost once more with its process', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    await world.publish(driver, 'b', '2');
    await desk.last.release();
    await driver.cards.unregister(REF, 'drop');
    await driver.close();
    expect(desk.lost).toEqual(["Card 'order:a' was unregistered."]);
  });

  it('a card that is dropped while its dead holder has it begins anew, whatever the lease', async () => {
    const { world, driver } = await handed(new TestClock(1_000), ['1']);
    await driver.cards.unregister(REF, 'drain');
    const { driver: second, desk: other } = await world.process();
    await driver.close();
    expect(await second.cards.unregister(REF, 'drop')).toBe(1);
    await world.publish(second, 'a', '2');
    expect(await other.handle()).toEqual(['2']);
    await world.clock.advance(10_000);
    expect(await world.look(second, 'a')).toEqual(['idle', 0, 0]);
  });

  it('a card released in time is with another process at once', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    const { desk: other } = await world.process();
    await desk.source.pause();
    await desk.last.release();
    desk.end();
    await desk.source.close();
    await driver.close();
    await turns();
    expect(other.last.entries[0]).toMatchObject({ attempt: 1, crashes: 0 });
    expect(desk.lost).toEqual([]);
  });

  it('what a process still had in hand when it closed its part is free after its lease', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    const { desk: other } = await world.process();
    await desk.source.close();
    expect(desk.last.held).toBe(true);
    await driver.close();
    await world.clock.advance(10_000);
    expect(other.last.entries[0]?.crashes).toBe(1);
  });
});

describe('MemoryCardSource: pause', () => {
  it('takes no more where another process is there', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    const { desk: other } = await world.process();
    await desk.source.pause();
    await world.publish(driver, 'b', '3');
    await world.publish(driver, 'c', '4');
    expect([desk.cards, other.cards.sort()]).toEqual([['a'], ['b', 'c']]);
    expect(await desk.handle()).toEqual(['1', '2']);
  });

  it('beside another process: goes on with what is in hand, and takes nothing more', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1', '2']);
    const other = await world.process(0);
    await desk.source.pause();
    await world.publish(driver, 'b', '3');
    expect([await desk.handle(), desk.cards, await world.look(driver, 'b')]).toEqual([
      ['1', '2'],
      ['a'],
      ['ready', 1, 0],
    ]);
    expect(other.desk.cards).toEqual([]);
  });

  it('alone: has handed over what waits when it resolves, and takes nothing more', async () => {
    const { world, driver, desk } = await handed(new TestClock(1_000), ['1']);
    desk.places = 1;
    await world.publish(driver, 'b', '2');
    let paused = false;
    const pausing = desk.source.pause().then(() => {
      paused = true;
    });
    await desk.handle();
    await turns();
    expect([desk.cards, paused]).toEqual([['a', 'b'], false]);
    await desk.handle();
    await pausing;
    await world.publish(driver, 'c', '3');
    expect([desk.cards, await world.look(driver, 'c')]).toEqual([
      ['a', 'b'],
      ['ready', 1, 0],
    ]);
  });
});

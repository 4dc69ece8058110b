import { describe, expect, it } from '@jest/globals';
import { VERDICT_ACK, VERDICT_RELEASE } from '../../core/delivery.js';
import type { EnvelopeInit } from '../../core/envelope.js';
import { TestClock, turns } from '../../testing/clock.js';
import { MemoryDriver } from './memory-driver.js';
import { FAILED, one, RETENTION, retry, World } from './memory.spec-kit.js';

describe('MemoryDriver: dead letters', () => {
  it('files those of a process subscriber, whenever they come, as long as the process lives', async () => {
    const world = new World(new TestClock(0));
    const driver = await world.driver();
    const inbox = await world.listen(driver, { kind: 'process' });
    driver.publish(world.event('1'));
    await turns();
    void inbox.source.settle(inbox.last, VERDICT_ACK);
    inbox.ack({ deadLetters: [FAILED] });
    const [letter] = await driver.deadLetters.read('order', undefined, 9);
    const { type, position, at, handler, group, attempts, error, stack, operation } = letter ?? {};
    expect({ type, position, at, handler, group, attempts, error, stack, operation }).toEqual({
      ...{ type: 'order', position: '1', at: 0, handler: 'charge', group: undefined, attempts: 3 },
      ...{ error: 'boom', stack: 'at x', operation: undefined },
    });
    expect(world.warnings.map(({ cause }) => cause)).toEqual(['dead-letter']);
    await driver.close();
    inbox.ack({ deadLetters: [FAILED] });
    expect(world.broker.letters.count('order')).toBe(1);
  });

  it('keeps the latest 10,000 of a type: the oldest goes for the next one, with a warning', async () => {
    const world = new World(new TestClock(0));
    const { deadLetters } = await world.driver();
    const drops = (): unknown[] => world.warnings.filter(({ cause }) => cause === 'drop').map(({ details }) => details);
    await deadLetters.add(world.event('other', { type: 'other' }), FAILED);
    for (let number = 1; number <= 10_000; number++) await deadLetters.add(world.event(String(number)), FAILED);
    expect([await deadLetters.count('order'), drops()]).toEqual([10_000, []]);
    for (const id of ['10001', '10002']) await deadLetters.add(world.event(id), FAILED);
    const letters = await deadLetters.read('order', undefined, Infinity);
    expect([letters.length, letters[0]?.event?.id, letters.at(-1)?.event?.id]).toEqual([10_000, '10002', '3']);
    expect(drops()).toEqual(['1', '2'].map((id) => ({ type: 'order', id })));
    expect(await deadLetters.count('other')).toBe(1);
  });

  it('what an inbox gives back before it pauses is not handed over again, but filed when its process ends', async () => {
    const world = new World(new TestClock(0), 9);
    const [a, b] = [await world.driver(), await world.driver()];
    const inbox = await world.listen(b, { kind: 'inbox' });
    inbox.places = 1;
    for (const id of ['1', '2']) a.publish(world.event(id, { mode: 'unicast', target: 'b' }));
    await turns();
    void inbox.source.settle(inbox.last, VERDICT_RELEASE);
    const paused = inbox.source.pause();
    inbox.places = 9;
    inbox.source.pull();
    await paused;
    expect(inbox.ids).toEqual(['1', '2']);
    void inbox.source.settle(inbox.last, VERDICT_ACK);
    await world.clock.advance(1_000);
    await inbox.source.pause();
    await b.close();
    const letters = await a.deadLetters.read('order', undefined, 9);
    expect(letters.map(({ event, reason }) => [event?.id, reason])).toEqual([['1', 'target-died']]);
    expect(inbox.ids).toEqual(['1', '2']);
  });

  it('replays a letter once, to the handler of its group, from the beginning; a new letter names the replay', async () => {
    const { world, driver, inbox } = await one(new TestClock(0));
    const { deadLetters } = driver;
    driver.publish(world.event('1'));
    await turns();
    inbox.ack({ deadLetters: [FAILED] });
    await world.clock.advance(60_000);
    expect(await Promise.all([1, 2].map(() => deadLetters.replay('order', '1', 'op')))).toEqual([true, false]);
    expect([await deadLetters.types(), await deadLetters.outstanding('order', 'billing')]).toEqual([[], 1]);
    await turns();
    const { attempt, failures, since, handler, event } = inbox.last;
    expect([attempt, failures, since, handler, event?.id]).toEqual([1, 0, 60_000, 'charge', '1']);
    inbox.ack(retry(10));
    await world.clock.advance(10);
    inbox.ack({ deadLetters: [FAILED] });
    expect((await deadLetters.get('order', '2'))?.operation).toBe('op');
    expect(await deadLetters.outstanding('order', 'billing')).toBe(0);
  });

  it('replays a letter without a group through the anycast channel, however old its event is', async () => {
    const world = new World(new TestClock(0));
    const driver = await world.driver();
    const position = await driver.deadLetters.add(world.event('1'), FAILED);
    await world.clock.advance(10 * RETENTION);
    await driver.deadLetters.replay('order', position, 'op');
    await world.clock.advance(RETENTION - 1);
    const inbox = await world.listen(driver, { kind: 'anycast' });
    await turns();
    expect([inbox.ids, inbox.last.handler]).toEqual([['1'], 'charge']);
    expect(world.warnings).toEqual([]);
  });

  it('removes letters, and tells how many there were', async () => {
    const world = new World(new TestClock(0));
    const { deadLetters } = await world.driver();
    for (const id of ['1', '2', '3']) await deadLetters.add(world.event(id), FAILED);
    expect(await deadLetters.remove('order', ['1', '3', '3', '9'])).toBe(2);
    expect((await deadLetters.read('order', undefined, 9)).map(({ position }) => position)).toEqual(['2']);
  });
});

describe('MemoryDriver: publish with options', () => {
  it('mandatory: refuses what nobody listens to', async () => {
    const world = new World(new TestClock(0));
    const [a, b] = [await world.driver(), await world.driver()];
    const isStored = (init: Partial<EnvelopeInit> = {}): boolean => {
      try {
        a.publish(world.event('1', init), { mandatory: true });
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: 'UNROUTABLE' });
        return false;
      }
    };
    const unicast = { mode: 'unicast', target: 'b' } as const;
    const process = await world.listen(b, { kind: 'inbox' }, 'other');
    expect([isStored(), isStored({ mode: 'anycast' }), isStored(unicast)]).toEqual([false, false, false]);
    expect(world.broker.anycast.size).toBe(0);
    const anycast = await world.listen(b, { kind: 'anycast' });
    expect([isStored(), isStored({ mode: 'anycast' }), isStored(unicast)]).toEqual([false, true, true]);
    await turns();
    expect([process.ids, anycast.ids]).toEqual([['1'], ['1']]);
    await world.listen(b);
    await b.close();
    // The group is there, without a member.
    expect([isStored(), isStored({ mode: 'anycast' })]).toEqual([true, false]);
  });

  it('deduplicate: stores an id once in 10 minutes, and gives the time of the first', async () => {
    const { world, driver, inbox } = await one(new TestClock(0));
    const publish = (type = 'order'): number => driver.publish(world.event('1', { type }), { deduplicate: true });
    expect(publish()).toBe(0);
    await world.clock.advance(599_999);
    expect([publish(), publish('other')]).toEqual([0, 599_999]);
    await world.clock.advance(1);
    expect(publish()).toBe(600_000);
    await turns();
    expect(inbox.ids).toEqual(['1', '1']);
  });

  it('deduplicate: what was refused has not been stored', async () => {
    const world = new World(new TestClock(0));
    const driver = await world.driver();
    const options = { deduplicate: true, mandatory: true };
    expect(() => driver.publish(world.event('1'), options)).toThrow(/mandatory/);
    const inbox = await world.listen(driver);
    driver.publish(world.event('1'), options);
    await turns();
    expect(inbox.ids).toEqual(['1']);
  });
});

describe('MemoryDriver: stores of a closed driver', () => {
  it('reject, as every method does; what others share stays', async () => {
    const world = new World(new TestClock(0));
    const [a, b] = [await world.driver(), await world.driver()];
    expect(await a.idempotency.claim('k', 'a', 1_000)).toEqual({ state: 'claimed' });
    await a.close();
    const closed = { code: 'BUS_CLOSED' };
    await expect(a.idempotency.commit('k', 'a', undefined, 1_000)).rejects.toMatchObject(closed);
    await expect(a.deadLetters.types()).rejects.toMatchObject(closed);
    await expect(new MemoryDriver(b.limits).deadLetters.count('x')).rejects.toMatchObject(closed);
    expect(await b.idempotency.claim('k', 'b', 1_000)).toEqual({ state: 'busy' });
    await world.clock.advance(1_000);
    expect(await b.idempotency.claim('k', 'b', 1_000)).toEqual({ state: 'claimed' });
  });
});

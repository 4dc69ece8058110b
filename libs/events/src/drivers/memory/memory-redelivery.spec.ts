import { describe, expect, it } from '@jest/globals';
import { VERDICT_RELEASE, type Delivery } from '../../core/delivery.js';
import { TestClock, turns } from '../../testing/clock.js';
import { groupOf, one, RETENTION, retry, World } from './memory.spec-kit.js';

describe('MemoryDriver: retries', () => {
  it('hands over a first delivery with nothing behind it', async () => {
    const { world, driver, inbox } = await one(new TestClock(0));
    driver.publish(world.event('1'));
    await turns();
    const { attempt, failures, crashes, redelivered, since, handler } = inbox.last;
    const nothing = [1, 0, 0, false, undefined, undefined];
    expect([attempt, failures, crashes, redelivered, since, handler]).toEqual(nothing);
  });

  it('hands a retry to its handler when it is due, with what is behind it', async () => {
    const { world, driver, inbox } = await one(new TestClock(0));
    driver.publish(world.event('1'));
    await turns();
    inbox.ack(retry(1_000, { attempt: 4, failures: 2 }));
    expect(await driver.deadLetters.outstanding('order', 'billing')).toBe(1);
    await world.clock.advance(999);
    expect(inbox.taken.length).toBe(1);
    await world.clock.advance(1);
    const { attempt, failures, crashes, redelivered, since, handler, event } = inbox.last;
    expect([attempt, failures, crashes, redelivered, since, handler]).toEqual([4, 2, 0, true, 1_000, 'charge']);
    expect(event?.id).toBe('1');
    inbox.ack();
    expect(await driver.deadLetters.outstanding('order', 'billing')).toBe(0);
    expect(world.clock.pending()).toBe(0);
  });

  it('keeps the time since when a row waits for its handler', async () => {
    const { world, driver, inbox } = await one(new TestClock(0));
    driver.publish(world.event('1'));
    await turns();
    inbox.ack(retry(1_000, { since: 7 }));
    await world.clock.advance(1_000);
    expect(inbox.last.since).toBe(7);
  });

  it('hands a retry without a wait over at once, ahead of newer events', async () => {
    const { world, driver, inbox } = await one(new TestClock(0));
    inbox.places = 1;
    for (const id of ['1', '2', '3']) driver.publish(world.event(id));
    await turns();
    inbox.ack(retry(0));
    inbox.places = 9;
    inbox.source.pull();
    await turns();
    expect(inbox.ids).toEqual(['1', '1', '2', '3']);
  });

  it('counts no retry as unread', async () => {
    const { world, driver, inbox } = await one(new TestClock(0));
    for (const id of ['1', '2', '3']) driver.publish(world.event(id));
    await turns();
    inbox.places = 3;
    for (const delivery of inbox.taken) void inbox.source.settle(delivery, { kind: 'ack', ...retry(0) });
    for (const id of ['4', '5', '6']) driver.publish(world.event(id));
    expect(() => driver.publish(world.event('7'))).toThrow(/maxLength/);
  });

  it('waits on when the process that failed is gone, even when nobody is left for a while', async () => {
    const { world, drivers, inboxes } = await groupOf(new TestClock(0), 1);
    drivers[0]?.publish(world.event('1'));
    await turns();
    inboxes[0]?.ack(retry(1_000));
    await drivers[0]?.close();
    expect(world.clock.pending()).toBe(0);
    await world.clock.advance(2_000);
    const next = await world.listen(await world.driver());
    await world.clock.advance(0);
    expect([next.ids, next.last.attempt]).toEqual([['1'], 2]);
  });

  it('does not give an uncounted retry without a wait back to the same member in a circle', async () => {
    const { world, driver, inbox } = await one(new TestClock(0));
    driver.publish(world.event('1'));
    await turns();
    inbox.ack(retry(0, { attempt: 1, failures: 0 }));
    await turns(20);
    expect(inbox.taken.length).toBe(1);
    await world.clock.advance(100);
    expect(inbox.taken.length).toBe(2);
  });

  it('an anycast retry that nobody takes within the retention after it was due becomes a dead letter', async () => {
    const world = new World(new TestClock(0));
    const [a, b] = [await world.driver(), await world.driver()];
    const inbox = await world.listen(a, { kind: 'anycast' });
    b.publish(world.event('1', { mode: 'anycast' }));
    await turns();
    inbox.ack(retry(RETENTION));
    await a.close();
    await world.clock.advance(2 * RETENTION - 1);
    expect(await b.deadLetters.count('order')).toBe(0);
    await world.clock.advance(1_000);
    const [letter] = await b.deadLetters.read('order', undefined, 9);
    expect([letter?.reason, letter?.handler, letter?.attempts]).toEqual(['unhandled', 'charge', 1]);
    expect(await b.deadLetters.outstanding('order', undefined)).toBe(0);
  });
});

describe('MemoryDriver: crashes', () => {
  it('counts a crash, not an orderly release, and keeps to whom a retry is addressed', async () => {
    const { world, drivers, inboxes } = await groupOf(new TestClock(0), 3);
    const [a, b, c] = inboxes;
    if (a === undefined || b === undefined || c === undefined) throw new Error('unreachable');
    [b.places, c.places] = [0, 0];
    drivers[0]?.publish(world.event('1'));
    await turns();
    a.ack(retry(0, { attempt: 3, failures: 2 }));
    await turns();
    b.places = 9;
    await drivers[0]?.close();
    await turns();
    const seen = ({ attempt, failures, crashes, handler }: Delivery): unknown => [attempt, failures, crashes, handler];
    expect(seen(b.last)).toEqual([4, 2, 1, 'charge']);
    c.places = 9;
    void b.source.settle(b.last, VERDICT_RELEASE);
    await turns();
    expect([seen(c.last), c.last.redelivered]).toEqual([[4, 2, 1, 'charge'], true]);
  });

  it('alone() counts the crashes in which the entry was alone, until it ends', async () => {
    const { world, drivers, inboxes } = await groupOf(new TestClock(0), 4);
    for (const inbox of inboxes.slice(1)) inbox.places = 0;
    drivers[0]?.publish(world.event('1'));
    await turns();
    const noted: number[] = [];
    for (const [index, inbox] of inboxes.entries()) {
      if (index > 0) noted.push(await inbox.source.alone(inbox.last));
      if (index === 3) break;
      const next = inboxes[index + 1];
      if (next !== undefined) next.places = 9;
      await drivers[index]?.close();
      await turns();
    }
    expect(noted).toEqual([0, 1, 2]);
    const last = inboxes[3];
    last?.ack(retry(0, { attempt: 5, failures: 1 }));
    await turns();
    expect([last?.taken.length, await last?.source.alone(last.last)]).toEqual([2, 0]);
  });

  it('what is handed on without an attempt keeps its crashes; a failed attempt begins to count anew', async () => {
    const { world, drivers, inboxes } = await groupOf(new TestClock(0), 2);
    const [a, b] = inboxes;
    if (a === undefined || b === undefined) throw new Error('unreachable');
    b.places = 0;
    drivers[0]?.publish(world.event('1'));
    await turns();
    b.places = 9;
    await a.source.alone(a.last);
    await drivers[0]?.close();
    await turns();
    const seen = async (): Promise<number[]> => {
      const { attempt, failures, crashes } = b.last;
      return [attempt, failures, crashes, await b.source.alone(b.last)];
    };
    expect(await seen()).toEqual([2, 0, 1, 1]);
    b.ack(retry(10, { attempt: 2, failures: 0, since: 0 }));
    await world.clock.advance(10);
    expect(await seen()).toEqual([2, 0, 1, 1]);
    b.ack(retry(10, { attempt: 3, failures: 1 }));
    await world.clock.advance(10);
    expect(await seen()).toEqual([3, 1, 0, 0]);
  });

  it('a release in order while alone is no crash', async () => {
    const { world, driver, inbox } = await one(new TestClock(0));
    driver.publish(world.event('1'));
    await turns();
    await inbox.source.alone(inbox.last);
    void inbox.source.settle(inbox.last, VERDICT_RELEASE);
    await world.clock.advance(100);
    expect([inbox.taken.length, await inbox.source.alone(inbox.last)]).toEqual([2, 0]);
  });
});

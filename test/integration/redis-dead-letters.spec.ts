import { describe, expect, it } from '@jest/globals';
import type { BusOptions, DeadLetterRow, DriverWarning } from 'nestjs-cardinal';
import { waitFor } from 'nestjs-cardinal/testing';
import { ANY, DEAD, GROUP, LOG, later, oneType } from './one-type.js';

/** Dead letters and what the sweep does with them, over drivers without a consumer. */

const { redis, member, publish, outstanding } = oneType();

describe('dead letters', () => {
  it('are filed, listed, replayed once to the group only, and filed again with the operation', async () => {
    const one = await member();
    const other = await member({ kind: 'group', group: 'other' });
    const id = await publish({ n: 1 });
    await other.ack(await other.next());
    await one.fail(await one.next());
    const { deadLetters } = one.driver;
    expect(await deadLetters.types()).toEqual(['a.b']);
    expect(await deadLetters.count('a.b')).toBe(1);
    const [letter] = await deadLetters.read('a.b', undefined, 10);
    expect(letter).toMatchObject({ type: 'a.b', reason: 'handler-failed', handler: 'h', group: 'g', attempts: 1 });
    expect(letter).toMatchObject({ error: 'boom', stack: 'at x', operation: undefined });
    expect(letter?.event).toMatchObject({ id: 'e-1', time: Number.parseInt(id, 10), mode: 'broadcast' });
    expect(letter?.event?.payload()).toEqual({ n: 1 });
    const position = letter?.position ?? '';
    expect(await deadLetters.get('a.b', position)).toEqual(letter);

    const tries = await Promise.all([1, 2, 3].map(() => other.driver.deadLetters.replay('a.b', position, 'op')));
    expect(tries.filter(Boolean)).toEqual([true]);
    const again = await one.next();
    expect(again).toMatchObject({ attempt: 1, failures: 0, handler: 'h', redelivered: true });
    expect(await deadLetters.outstanding('a.b', 'g')).toBe(1);
    await one.ack(again, later(50));
    const last = await one.next();
    expect(await deadLetters.outstanding('a.b', 'g')).toBe(1);
    await one.fail(last, 'again');
    expect(await deadLetters.outstanding('a.b', 'g')).toBe(0);
    const [second] = await deadLetters.read('a.b', undefined, 10);
    expect(second).toMatchObject({ error: 'again', operation: 'op', attempts: 2, handler: 'h', group: 'g' });
    expect(second?.event).toMatchObject({ id: 'e-1', time: Number.parseInt(id, 10) });
    expect(other.got).toEqual([]);
    expect(await deadLetters.remove('a.b', [second?.position ?? '', '1-1', 'nonsense'])).toBe(1);
    expect(await deadLetters.types()).toEqual([]);
  });

  it('pages, newest first; positions that are none', async () => {
    const one = await member();
    for (const n of [1, 2, 3]) {
      await publish(n);
      await one.fail(await one.next());
    }
    const { deadLetters } = one.driver;
    const [three, two] = await deadLetters.read('a.b', undefined, 2);
    expect([three, two].map((letter) => letter?.event?.payload())).toEqual([3, 2]);
    const rest = await deadLetters.read('a.b', two?.position, 2);
    expect(rest.map(({ event }) => event?.payload())).toEqual([1]);
    expect(await deadLetters.read('a.b', 'x', 2)).toEqual([]);
    expect(await deadLetters.read('a.b', '0-0', 2)).toEqual([]);
    expect(await deadLetters.get('a.b', '-')).toBeUndefined();
    expect(await deadLetters.replay('a.b', '1-1', 'op')).toBe(false);
    expect(await deadLetters.count('nothing')).toBe(0);
  });

  it("a process subscriber's are filed from the log, or from what it has; a replay goes to one process with the handler", async () => {
    const one = await member({ kind: 'process' });
    const taker = await member({ kind: 'anycast' });
    await publish({ n: 1 });
    const delivery = await one.next();
    expect(one.source.settle(delivery, { kind: 'ack' })).toBeUndefined();
    await one.fail(delivery);
    await redis.raw.del(LOG);
    await one.fail(delivery, 'without the entry');
    const { deadLetters } = one.driver;
    const letters = await deadLetters.read('a.b', undefined, 10);
    expect(letters.map(({ error, group, event }) => [error, group, event?.payload()])).toEqual([
      ['without the entry', undefined, { n: 1 }],
      ['boom', undefined, { n: 1 }],
    ]);
    expect(await deadLetters.replay('a.b', letters[1]?.position ?? '', 'op')).toBe(true);
    const again = await taker.next();
    expect(again).toMatchObject({ handler: 'h', attempt: 1 });
    expect(again.event).toMatchObject({ id: 'e-1', mode: 'broadcast' });
    expect(await deadLetters.outstanding('a.b', undefined)).toBe(1);
    await taker.ack(again);
    expect(await deadLetters.outstanding('a.b', undefined)).toBe(0);
  });

  it('filed by hand; an event that cannot be read has none, and is replayed as it is', async () => {
    const one = await member(GROUP, {}, 'a.#');
    await redis.raw.xadd(LOG, '*', 'ce', 'nonsense');
    await redis.raw.hset('events:{meta}:types', 'a.b', '1');
    await redis.raw.publish('events:news', 'type a.b');
    const unreadable = await one.next();
    expect(unreadable.event).toBeUndefined();
    await one.fail(unreadable);
    const { deadLetters } = one.driver;
    const [letter] = await deadLetters.read('a.b', undefined, 1);
    expect(letter?.event).toBeUndefined();
    expect(await deadLetters.replay('a.b', letter?.position ?? '', 'op')).toBe(true);
    expect(await one.next()).toMatchObject({ event: undefined, handler: 'h', attempt: 1 });

    await publish({ n: 2 });
    const { event } = await one.next();
    const row: DeadLetterRow = { reason: 'added', error: 'by hand', attempts: 0, handler: 'h' };
    const position = await deadLetters.add(event!, row);
    const added = await deadLetters.get('a.b', position);
    expect(added).toMatchObject({ reason: 'added', error: 'by hand', group: undefined, handler: 'h', attempts: 0 });
    expect(added?.event).toMatchObject({ id: 'e-1', time: event!.time, mode: 'broadcast', text: '{"n":2}' });
  });

  it('an entry with too many fields: a retry becomes a dead letter', async () => {
    const one = await member();
    await redis.raw.xadd(LOG, '*', ...Array.from({ length: 7_002 }, (_, at) => String(at)));
    await redis.raw.publish('events:wake:a.b', 'b 0');
    await one.ack(await one.next(), later(10));
    const [letter] = await one.driver.deadLetters.read('a.b', undefined, 1);
    expect(letter).toMatchObject({ reason: 'handler-failed', handler: 'h', group: 'g', attempts: 1 });
    expect(letter?.error).toContain('too many fields');
    expect(await outstanding()).toBe(0);
    await expect(one.driver.deadLetters.replay('a.b', letter?.position ?? '', 'op')).rejects.toThrow('too many fields');
  });

  it('before the driver is open, and after it is closed: BusClosedError', async () => {
    const one = await member();
    await one.driver.close();
    await expect(one.driver.deadLetters.types()).rejects.toMatchObject({ code: 'BUS_CLOSED' });
    await expect(one.driver.deadLetters.add({} as never, {} as never)).rejects.toMatchObject({ code: 'BUS_CLOSED' });
  });
});

describe('the sweep', () => {
  const QUICK: BusOptions = { retention: 300, streamTtl: 300 };

  it('puts a type back into the index, takes it out when there is nothing, and does not reap it meanwhile', async () => {
    const one = await member(GROUP, QUICK);
    await publish(1);
    await redis.raw.hset('events:{meta}:types', 'a.b', '1');
    await redis.raw.publish('events:news', 'type a.b');
    await one.fail(await one.next());
    // Each time a round has passed; at the last one the type had long been silent.
    for (let round = 0; round < 3; round++) {
      await redis.raw.srem('events:{meta}:dead', 'a.b');
      await waitFor(async () => (await redis.raw.sismember('events:{meta}:dead', 'a.b')) === 1, { timeout: 10_000 });
    }
    expect(await redis.raw.hexists('events:{meta}:types', 'a.b')).toBe(1);
    await redis.raw.xtrim(DEAD, 'MAXLEN', 0);
    await waitFor(async () => (await redis.raw.exists('events:{meta}:dead', DEAD, LOG)) === 0, { timeout: 15_000 });
  });

  it('keeps the latest 100,000 letters of a type, says how many went, and lets 1,000 more lie before it drops any', async () => {
    const one = await member(GROUP, QUICK);
    const fill = "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'n', i) end";
    await redis.raw.eval(fill, 1, DEAD, 101_000);
    await redis.raw.eval(fill, 1, 'events:{t:other}:dead', 7);
    await redis.raw.hset('events:{meta}:types', 'a.b', '1');
    await redis.raw.publish('events:news', 'type a.b');
    // Each time a round has begun to look at the type; before the second, one has ended.
    for (let round = 0; round < 2; round++) {
      await redis.raw.srem('events:{meta}:dead', 'a.b');
      await waitFor(async () => (await redis.raw.sismember('events:{meta}:dead', 'a.b')) === 1, { timeout: 10_000 });
    }
    expect(await redis.raw.xlen(DEAD)).toBe(101_000);
    const drops = (): DriverWarning[] => one.warnings.filter(({ cause }) => cause === 'drop');
    expect(drops()).toEqual([]);

    await redis.raw.xadd(DEAD, '*', 'n', 'last');
    await waitFor(() => drops().length > 0, { timeout: 10_000 });
    expect(drops()).toMatchObject([{ details: { type: 'a.b', count: 1_001 } }]);
    const number = async (end: 'xrange' | 'xrevrange', from: string, to: string): Promise<string | undefined> =>
      (await redis.raw[end](DEAD, from, to, 'COUNT', 1))[0]?.[1][1];
    expect(await redis.raw.xlen(DEAD)).toBe(100_000);
    expect([await number('xrange', '-', '+'), await number('xrevrange', '+', '-')]).toEqual(['1002', 'last']);
    expect(await redis.raw.xlen('events:{t:other}:dead')).toBe(7);
  });

  it('redeliveries for anycast that no live process takes are dead letters after the retention', async () => {
    const one = await member({ kind: 'anycast' }, QUICK);
    await redis.raw.hset('events:{meta}:types', 'a.b', '1');
    await redis.raw.publish('events:news', 'type a.b');
    await publish(1, ANY);
    await one.ack(await one.next(), later(200));
    await one.source.close();
    await waitFor(async () => (await redis.raw.xlen(DEAD)) === 1, { timeout: 15_000 });
    const [letter] = await one.driver.deadLetters.read('a.b', undefined, 1);
    expect(letter).toMatchObject({ reason: 'unhandled', handler: 'h', attempts: 1, group: undefined });
    expect(await outstanding('')).toBe(0);
  });
});

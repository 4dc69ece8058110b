import { describe, expect, it } from '@jest/globals';
import { dataOf, HOUR, some, useCardScripts, type Handed, type Taken } from './card-scripts-kit.js';

/** Who holds a card: what it takes to take one. */

const kit = useCardScripts();

/** How the holder says that it is alive, and that it has died. */
const ONE = 'one|1';
const TWO = 'two|2';

function epochOf(token: string): bigint {
  return BigInt(token.slice(token.lastIndexOf('|') + 1));
}

describe('cardTake', () => {
  it('hands over the first events of cards, with a token each', async () => {
    const { cards } = kit;
    await cards.publish([...some(3, 'a'), ...some(1, 'b')]);
    const [a, b] = (await cards.take(ONE, ['a', 'b'], 2)) as [Taken, Taken];
    expect([a[0], ...a.slice(2, 5), dataOf(a)]).toEqual(['OK', 0, 0, '', ['0', '1']]);
    expect(dataOf(b)).toEqual(['0']);
    expect(a[1]).toMatch(/^one\|1\|\d{16}$/);
    expect(epochOf(b[1])).toBeGreaterThan(epochOf(a[1]));
    const [facts] = await cards.inspect(['a']);
    expect(facts).toMatchObject({ token: a[1], ready: '', waits: '', pending: 2, length: 3 });
    expect(Math.abs(Number(facts?.end) - Date.now() - HOUR)).toBeLessThan(60_000);
  });

  it('BUSY where another holds it', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    const { token } = await cards.hold(ONE);
    expect(await cards.take(TWO, ['c'])).toEqual(['BUSY']);
    // An owner whose name begins like that of the holder is another.
    expect(await cards.take('one', ['c'])).toEqual(['BUSY']);
    expect(await cards.take('one|11', ['c'])).toEqual(['BUSY']);
    expect((await cards.facts()).token).toBe(token);
  });

  it('a card named twice is taken once', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    expect(await cards.take(ONE, ['c', 'c'])).toEqual([expect.arrayContaining(['OK']), 'BUSY']);
  });

  it('again by its holder (the answer was lost): a new token, the same events, no crash', async () => {
    const { cards } = kit;
    await cards.publish(some(3));
    const first = await cards.hold(ONE, 'c', 2);
    const { token, taken } = await cards.hold(ONE, 'c', 2);
    expect(epochOf(token)).toBeGreaterThan(epochOf(first.token));
    expect([taken[2], taken[4], dataOf(taken)]).toEqual([1, '', ['0', '1']]);
    expect(await cards.ack('c', first.token, 'keep')).toBe('STALE');
    expect(await cards.ack('c', token, 'keep')).toBe('KEPT');
  });

  it('from a dead holder: its events again, and its death is counted', async () => {
    const { cards } = kit;
    await cards.publish(some(3));
    const dead = await cards.hold(ONE, 'c', 2);
    await cards.expire();
    const { token, taken } = await cards.hold(TWO, 'c', 10);
    expect(epochOf(token)).toBeGreaterThan(epochOf(dead.token));
    expect([taken[2], dataOf(taken)]).toEqual([1, ['0', '1', '2']]);
    expect(JSON.parse(taken[4])).toEqual([dead.ids[0], 0, 1, 0, 0, '']);
    expect((await cards.facts()).attempts).toEqual([dead.ids[0], 0, 1, 0, 0, '']);
    for (const mode of ['keep', 'next', 'yield', 'release'] as const) {
      expect(await cards.ack('c', dead.token, mode, 10, 1, dead.ids)).toBe('STALE');
    }
    expect(await cards.facts()).toMatchObject({ token, length: 3, pending: 3 });
  });

  it('its own, when its lease had ended, counts as a death too', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.hold(ONE);
    await cards.expire();
    expect(JSON.parse((await cards.hold(ONE)).taken[4])).toEqual([expect.anything(), 0, 1, 0, 0, '']);
  });

  it('BLOCKED while it waits; due, it is taken with what is known of its head', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    const { token, ids } = await cards.hold(ONE);
    await cards.retry('c', token, ids[0] ?? '');
    expect(await cards.take(TWO, ['c'])).toEqual(['BLOCKED']);
    await cards.due();
    const { taken } = await cards.hold(TWO);
    expect([taken[2], JSON.parse(taken[4])]).toEqual([1, [ids[0], 1, 0, 0, 0, 'oops']]);
    expect((await cards.facts()).waits).toBe('');
  });

  it('EMPTY: nothing is held, nothing is created', async () => {
    const { cards } = kit;
    expect(await cards.take(ONE, ['c', 'd'])).toEqual(['EMPTY', 'EMPTY']);
    expect(await cards.allKeys()).toEqual([]);
    await cards.register();
    expect(await cards.take(ONE, ['c'])).toEqual(['EMPTY']);
    expect(await cards.facts()).toMatchObject({ exists: true, token: '', end: '' });
  });

  it('EMPTY also takes it from those that are ready, and from a dead holder', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    const { ids } = await cards.hold(ONE);
    await cards.raw.xdel(cards.stream('c'), ...ids);
    await cards.expire();
    await cards.raw.zadd(cards.key('rdy'), 1, 'c');
    expect(await cards.take(TWO, ['c'])).toEqual([['EMPTY', 1]]);
    expect(await cards.facts()).toMatchObject({ token: '', end: '', ready: '', pending: 0, attempts: undefined });
  });

  it('EMPTY ends a card that is being unregistered', async () => {
    const { cards } = kit;
    const id = await cards.foreign();
    await cards.unregister('c', 'drain');
    await cards.raw.xdel(cards.stream('c'), id);
    expect(await cards.take(ONE, ['c'])).toEqual(['EMPTY']);
    expect(await cards.allKeys()).toEqual([]);
  });

  it('reads a stream that nobody registered from its first event on, and registers it', async () => {
    const { cards } = kit;
    const ids = [await cards.foreign(), await cards.foreign()];
    expect((await cards.hold(ONE)).ids).toEqual(ids);
    expect((await cards.facts()).active).toMatch(/^\d{13}$/);
  });

  it("an error for a key that is somebody's own; the others go on", async () => {
    const { cards } = kit;
    await cards.raw.set(cards.stream('bad'), 'text');
    await cards.raw.zadd(cards.key('rdy'), 1, 'bad');
    await cards.publish(some(1, 'a'));
    const reply = await cards.take(ONE, ['bad', 'a']);
    expect(reply).toEqual([
      ['ERR', expect.stringContaining('WRONGTYPE')],
      ['OK', expect.anything(), 0, 0, '', expect.anything()],
    ]);
    expect(await cards.raw.zcard(cards.key('rdy'))).toBe(0);
    expect(await cards.raw.hkeys(cards.key('own'))).toEqual(['a']);
  });

  it('events whose body is gone are lost, and said to be', async () => {
    const { cards } = kit;
    await cards.publish(some(6));
    const { ids, token } = await cards.hold(ONE, 'c', 4);
    await cards.ack('c', token, 'release');
    await cards.raw.xtrim(cards.stream('c'), 'MINID', ids[3] ?? '');
    const { taken } = await cards.hold(TWO, 'c', 2);
    expect([taken[2], taken[3], dataOf(taken)]).toEqual([1, 3, ['3', '4']]);
    expect((await cards.facts()).pending).toBe(2);
  });

  it('10,000 lost events in one call', async () => {
    const { cards } = kit;
    await cards.publish(some(10_001), { maxLength: 20_000 });
    await cards.hold(ONE, 'c', 10_000);
    await cards.expire();
    await cards.raw.xtrim(cards.stream('c'), 'MAXLEN', 1);
    const { taken } = await cards.hold(TWO, 'c', 5);
    expect([taken[3], dataOf(taken)]).toEqual([10_000, ['10000']]);
  });

  it('attempts of another head are forgotten', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    const { token, ids } = await cards.hold(ONE, 'c', 1);
    await cards.retry('c', token, ids[0] ?? '');
    await cards.raw.xdel(cards.stream('c'), ids[0] ?? '');
    await cards.due();
    const { taken } = await cards.hold(TWO);
    expect([taken[2], taken[3], taken[4], dataOf(taken)]).toEqual([0, 1, '', ['1']]);
    expect((await cards.facts()).attempts).toBeUndefined();
  });

  it('attempts that nobody can read are forgotten', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.raw.hset(cards.key('att'), 'c', '{no JSON');
    expect((await cards.hold(ONE)).taken[4]).toBe('');
    await cards.raw.hset(cards.key('att'), 'c', '7');
    await cards.expire();
    expect((await cards.hold(ONE)).taken[4]).toContain(',0,1,0,0,""]');
  });

  it('what a foreign consumer of the group has not acknowledged comes first, in order', async () => {
    const { cards } = kit;
    const stream = cards.stream('c');
    await cards.publish(some(6));
    await cards.raw.xgroup('CREATE', stream, cards.group('c'), '0');
    await cards.raw.xreadgroup('GROUP', cards.group('c'), 'py', 'COUNT', 4, 'STREAMS', stream, '>');
    const { token, taken, ids } = await cards.hold(ONE, 'c', 2);
    expect([taken[2], dataOf(taken)]).toEqual([1, ['0', '1']]);
    const next = (await cards.ack('c', token, 'next', 3, 0, ids)) as Handed;
    expect(dataOf(next)).toEqual(['2', '3']);
    const last = await cards.ack(
      'c',
      token,
      'next',
      3,
      0,
      next[4].map(([id]) => id),
    );
    expect(dataOf(last)).toEqual(['4', '5']);
  });

  it('foreign entries whose body is gone are lost', async () => {
    const { cards } = kit;
    const stream = cards.stream('c');
    await cards.publish(some(4));
    await cards.raw.xgroup('CREATE', stream, cards.group('c'), '0');
    await cards.raw.xreadgroup('GROUP', cards.group('c'), 'py', 'COUNT', 3, 'STREAMS', stream, '>');
    await cards.raw.xtrim(stream, 'MAXLEN', 2);
    const { taken } = await cards.hold(ONE);
    expect([taken[3], dataOf(taken)]).toEqual([2, ['2']]);
  });

  it('what a foreign consumer acknowledged without deleting is no work', async () => {
    const { cards } = kit;
    const stream = cards.stream('c');
    const ids = [await cards.foreign(), await cards.foreign()];
    await cards.raw.xgroup('CREATE', stream, cards.group('c'), '0');
    await cards.raw.xreadgroup('GROUP', cards.group('c'), 'py', 'STREAMS', stream, '>');
    await cards.raw.xack(stream, cards.group('c'), ...ids);
    expect(await cards.take(ONE, ['c'])).toEqual(['EMPTY']);
    expect((await cards.facts()).length).toBe(0);
  });

  it('after FLUSHALL a token is greater all the same, and the old one is stale', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    const { token } = await cards.hold(ONE);
    await cards.raw.flushall();
    expect(await cards.ack('c', token, 'next', 10, 1, ['1-1'])).toBe('STALE');
    expect(await cards.renew('c', token)).toEqual(['c']);
    expect(await cards.allKeys()).toEqual([]);
    await cards.publish(some(1));
    expect(epochOf((await cards.hold(ONE)).token)).toBeGreaterThan(epochOf(token));
  });

  it('a clock that went back does not make a smaller token', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.raw.set(cards.key('ep'), '9007199254740000');
    expect(epochOf((await cards.hold(ONE)).token)).toBe(9_007_199_254_740_001n);
    expect(epochOf((await cards.hold(ONE)).token)).toBe(9_007_199_254_740_002n);
  });
});

import { describe, expect, it } from '@jest/globals';
import { dataOf, HOUR, some, TOPIC, useCardScripts, type Handed, type Taken } from './card-scripts-kit.js';

/** Who holds a card: take, claim, acknowledge, renew. */

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

describe('cardClaim', () => {
  it('grants those that have waited longest', async () => {
    const { cards } = kit;
    await cards.publish([...some(1, 'a'), ...some(1, 'b'), ...some(1, 'd')]);
    await cards.raw.zadd(cards.key('rdy'), 3, 'a', 1, 'b', 2, 'd');
    const [due, left, first, token, second] = await cards.claim(ONE, 2);
    expect([left, first, second]).toEqual([1, 'b', 'd']);
    expect(token).toMatch(/^one\|1\|\d{16}$/);
    // The lease that was just granted is the first to end.
    expect(Number(due)).toBe(HOUR);
    expect(await cards.raw.zscore(cards.key('exp'), 'b')).toBe(await cards.raw.zscore(cards.key('exp'), 'd'));
    expect(await cards.take(TWO, ['b'])).toEqual(['BUSY']);
  });

  it('nothing: no next end, nothing is created', async () => {
    const { cards } = kit;
    expect(await cards.claim(ONE)).toEqual(['', 0]);
    expect(await cards.allKeys()).toEqual([]);
  });

  it('a parked card is no next end', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    const { token, ids } = await cards.hold(ONE);
    await cards.park('c', token, ids[0] ?? '');
    expect(await cards.claim(ONE)).toEqual(['', 0]);
  });

  it('the events come with the next acknowledgement', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    const [, , card, token = ''] = await cards.claim(ONE);
    expect(card).toBe('c');
    const handed = (await cards.ack('c', token, 'next')) as Handed;
    expect([handed[0], handed[1], handed[2], handed[3], dataOf(handed)]).toEqual(['OK', 0, 0, '', ['0', '1']]);
  });

  it('those of dead holders come first, and their deaths are counted', async () => {
    const { cards } = kit;
    await cards.publish(some(1, 'dead'));
    const dead = await cards.hold(ONE, 'dead');
    await cards.publish(some(1, 'a'));
    await cards.raw.zadd(cards.key('rdy'), 1, 'a');
    await cards.expire('dead');
    const [, , card, token = ''] = await cards.claim(TWO, 1);
    expect(card).toBe('dead');
    expect(await cards.ack('dead', dead.token, 'keep', 0, 0, dead.ids)).toBe('STALE');
    const handed = (await cards.ack('dead', token, 'next')) as Handed;
    expect([handed[1], JSON.parse(handed[3])]).toEqual([1, [dead.ids[0], 0, 1, 0, 0, '']]);
  });

  it('the death of a holder that had read nothing is not counted', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.claim(ONE);
    await cards.expire();
    const [, , , token = ''] = await cards.claim(TWO);
    expect((await cards.ack('c', token, 'next'))?.slice(0, 4)).toEqual(['OK', 0, 0, '']);
    expect((await cards.facts()).attempts).toBeUndefined();
  });

  it('two deaths before anybody reads are two', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.hold(ONE);
    await cards.expire();
    await cards.claim(ONE);
    await cards.expire();
    expect((await cards.hold(TWO)).taken[4]).toContain(',0,2,0,0,""]');
  });

  it('what has waited is ready in its turn, what is parked is not', async () => {
    const { cards } = kit;
    await cards.publish([...some(1, 'a'), ...some(1, 'b'), ...some(1, 'p')]);
    for (const card of ['a', 'p']) {
      const { token, ids } = await cards.hold(ONE, card);
      if (card === 'a') await cards.retry(card, token, ids[0] ?? '');
      else await cards.park(card, token, ids[0] ?? '');
    }
    const [due, left, ...granted] = await cards.claim(TWO);
    expect([left, granted.filter((_, index) => index % 2 === 0)]).toEqual([0, ['b']]);
    expect(Number(due)).toBeLessThanOrEqual(HOUR);
    await cards.due('a');
    expect((await cards.claim(TWO))[2]).toBe('a');
    expect((await cards.facts('p')).waits).toBe('inf');
  });

  it('moves so many at most in a call, and says that more are due', async () => {
    const { cards } = kit;
    const names = ['a', 'b', 'd', 'e'];
    await cards.publish(names.map((card) => ({ card, data: '1' })));
    for (const card of names) await cards.hold(ONE, card);
    for (const card of names) await cards.expire(card);
    expect(await cards.claim(TWO, 0, 3)).toEqual(['0', 3]);
    const [, left, ...granted] = await cards.claim(TWO, 10, 3);
    expect([left, granted.length]).toEqual([0, 8]);
  });

  it('passes over what is held or waits, and it is ready no more', async () => {
    const { cards } = kit;
    await cards.publish([...some(1, 'a'), ...some(1, 'b'), ...some(1, 'd')]);
    await cards.hold(ONE, 'a');
    const { token, ids } = await cards.hold(ONE, 'b');
    await cards.park('b', token, ids[0] ?? '');
    await cards.raw.zadd(cards.key('rdy'), 1, 'a', 1, 'b');
    const [, left, ...granted] = await cards.claim(TWO);
    expect([left, granted[0], granted.length]).toEqual([0, 'd', 2]);
  });

  it("a lease without a holder is nobody's death", async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.raw.zadd(cards.key('exp'), 1, 'c');
    expect((await cards.claim(ONE))[2]).toBe('c');
    expect((await cards.facts()).attempts).toBeUndefined();
  });

  it('grants 3,000 in one call', async () => {
    const { cards } = kit;
    await cards.publish(Array.from({ length: 3_000 }, (_, index) => ({ card: `c${String(index)}`, data: '1' })));
    const [, left, ...granted] = await cards.claim(ONE, 3_000);
    expect([left, granted.length]).toEqual([0, 6_000]);
    expect(new Set(granted.filter((_, index) => index % 2 === 1)).size).toBe(3_000);
  });
});

describe('cardAck', () => {
  it('keep: acknowledged and deleted, the rest stays in hand', async () => {
    const { cards } = kit;
    await cards.publish(some(3));
    const { token, ids } = await cards.hold(ONE);
    await cards.raw.zadd(cards.key('exp'), Date.now() + 1_000, 'c');
    expect(await cards.ack('c', token, 'keep', 10, 0, ids.slice(0, 1))).toBe('KEPT');
    const facts = await cards.facts();
    expect(facts).toMatchObject({ token, length: 2, pending: 2, ready: '' });
    expect(Number(facts.end)).toBeGreaterThan(Date.now() + HOUR / 2);
  });

  it('next: hands over what follows; a repeat hands over the same', async () => {
    const { cards } = kit;
    await cards.publish(some(5));
    const { token, ids } = await cards.hold(ONE, 'c', 2);
    const next = (await cards.ack('c', token, 'next', 2, 0, ids)) as Handed;
    expect([next.slice(0, 4), dataOf(next)]).toEqual([
      ['OK', 0, 0, ''],
      ['2', '3'],
    ]);
    const again = (await cards.ack('c', token, 'next', 2, 0, ids)) as Handed;
    expect([again.slice(0, 4), dataOf(again)]).toEqual([
      ['OK', 1, 0, ''],
      ['2', '3'],
    ]);
    expect(await cards.facts()).toMatchObject({ length: 3, pending: 2 });
  });

  it('next without ids: all that is in hand again, and what has come since', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    const { token } = await cards.hold(ONE);
    await cards.publish(some(3, 'c', 2));
    const all = await cards.ack('c', token, 'next', 4);
    expect(dataOf(all)).toEqual(['0', '1', '2', '3']);
  });

  it('next: EMPTY, and held no more; a repeat is STALE', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    const { token, ids } = await cards.hold(ONE);
    expect(await cards.ack('c', token, 'next', 10, 0, ids)).toBe('EMPTY');
    expect(await cards.facts()).toMatchObject({ exists: true, length: 0, pending: 0, token: '', end: '', ready: '' });
    expect(await cards.ack('c', token, 'next', 10, 0, ids)).toBe('STALE');
    expect(await cards.news()).toEqual([`ready ${TOPIC} c`]);
  });

  it('next: EMPTY with what was lost', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    const { token, ids } = await cards.hold(ONE);
    await cards.ack('c', token, 'release');
    await cards.raw.xdel(cards.stream('c'), ...ids);
    const [, , , claimed = ''] = await cards.claim(TWO);
    expect(await cards.ack('c', claimed, 'next')).toEqual(['EMPTY', 2]);
    expect(await cards.facts()).toMatchObject({ token: '', pending: 0 });
  });

  it('next: a card that is being unregistered is gone with its last event', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    const { token, ids } = await cards.hold(ONE, 'c', 1);
    await cards.unregister('c', 'drain');
    expect((await cards.ack('c', token, 'next', 10, 0, ids))?.[0]).toBe('OK');
    const rest = await cards.raw.xrange(cards.stream('c'), '-', '+');
    expect(
      await cards.ack(
        'c',
        token,
        'next',
        10,
        0,
        rest.map(([id]) => id),
      ),
    ).toBe('EMPTY');
    // The last number of a token stays: the next must be greater.
    expect(await cards.allKeys()).toEqual(['event_stream:{x}:pub:p', cards.key('ep')]);
  });

  it('yield: to the end of those that wait, and what was in hand with it', async () => {
    const { cards } = kit;
    await cards.publish(some(3));
    const { token, ids } = await cards.hold(ONE);
    await cards.publish(some(1, 'z'));
    await cards.raw.zadd(cards.key('rdy'), 1, 'z');
    await cards.news();
    expect(await cards.ack('c', token, 'yield', 10, 0, ids.slice(0, 1))).toBe('ENDED');
    expect(await cards.members('rdy')).toEqual(['z', 'c']);
    expect(await cards.facts()).toMatchObject({ token: '', end: '', attempts: undefined });
    expect(await cards.news()).toEqual([]);
    const { taken } = await cards.hold(TWO);
    expect([taken[2], taken[4], dataOf(taken)]).toEqual([1, '', ['1', '2']]);
  });

  it('yield of an empty card: it is idle', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    const { token, ids } = await cards.hold(ONE);
    expect(await cards.ack('c', token, 'yield', 10, 0, ids)).toBe('ENDED');
    expect(await cards.facts()).toMatchObject({ token: '', ready: '' });
  });

  it('release: others are told at once, of all cards together', async () => {
    const { cards } = kit;
    await cards.publish([...some(1, 'a'), ...some(1, 'b'), ...some(1, 'd')]);
    const [a, b, d] = [await cards.hold(ONE, 'a'), await cards.hold(ONE, 'b'), await cards.hold(ONE, 'd')];
    await cards.news();
    const reply = await cards.acks([
      ['a', a.token, 'release'],
      ['b', b.token, 'release', 0, 0, b.ids],
      ['d', d.token, 'release'],
    ]);
    expect(reply).toEqual(['ENDED', 'ENDED', 'ENDED']);
    expect(await cards.news()).toEqual([`ready ${TOPIC} a d`]);
    expect(dataOf((await cards.hold(TWO, 'a')).taken)).toEqual(['0']);
  });

  it('forgets the attempts of the head where it is told to', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    await cards.hold(ONE);
    await cards.expire();
    const { token, ids } = await cards.hold(TWO);
    await cards.ack('c', token, 'keep', 10, 0, []);
    expect((await cards.facts()).attempts).toBeDefined();
    await cards.ack('c', token, 'keep', 10, 1, ids.slice(0, 1));
    expect((await cards.facts()).attempts).toBeUndefined();
  });

  it('a lease that has ended, and that nobody took, holds on', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    const { token, ids } = await cards.hold(ONE);
    await cards.expire();
    expect(await cards.ack('c', token, 'keep', 10, 0, ids.slice(0, 1))).toBe('KEPT');
    expect(await cards.take(TWO, ['c'])).toEqual(['BUSY']);
    await cards.expire();
    expect(await cards.ack('c', token, 'next', 10, 0, ids)).toBe('EMPTY');
    expect((await cards.facts()).attempts).toBeUndefined();
  });

  it('STALE changes nothing; the others of the call go on', async () => {
    const { cards } = kit;
    await cards.publish([...some(2, 'a'), ...some(2, 'b')]);
    const old = await cards.hold(ONE, 'a');
    await cards.expire('a');
    const a = await cards.hold(TWO, 'a');
    const b = await cards.hold(ONE, 'b');
    const before = await cards.inspect(['a']);
    for (const mode of ['keep', 'next', 'yield', 'release'] as const) {
      expect(
        await cards.acks([
          ['a', old.token, mode, 10, 1, old.ids],
          ['b', b.token, 'keep'],
        ]),
      ).toEqual(['STALE', 'KEPT']);
    }
    expect(await cards.inspect(['a'])).toEqual(before);
    expect(await cards.ack('a', a.token, 'keep', 10, 0, a.ids.slice(0, 1))).toBe('KEPT');
  });

  it('a token that nobody gave is stale, as is any of an unknown card', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    for (const token of ['', 'false', 'one|1', ONE]) expect(await cards.ack('c', token, 'keep')).toBe('STALE');
    expect(await cards.ack('none', '', 'release')).toBe('STALE');
  });

  it('10,000 ids in one call', async () => {
    const { cards } = kit;
    await cards.publish(some(10_000), { maxLength: 10_000 });
    const { token, ids } = await cards.hold(ONE, 'c', 10_000);
    expect(ids).toHaveLength(10_000);
    expect(await cards.ack('c', token, 'next', 10, 0, ids)).toBe('EMPTY');
    expect(await cards.facts()).toMatchObject({ length: 0, pending: 0 });
  });

  it('3,000 cards in one call', async () => {
    const { cards } = kit;
    const names = Array.from({ length: 3_000 }, (_, index) => `c${String(index)}`);
    await cards.publish(names.map((card) => ({ card, data: '1' })));
    const taken = (await cards.take(ONE, names)) as Taken[];
    const reply = await cards.acks(
      taken.map(([, token, , , , entries], index) => [
        names[index] ?? '',
        token,
        'next',
        1,
        0,
        entries.map(([id]) => id),
      ]),
    );
    expect(new Set(reply)).toEqual(new Set(['EMPTY']));
    expect(await cards.raw.hlen(cards.key('own'))).toBe(0);
  });

  it("an error where the key has become somebody's own; the others go on", async () => {
    const { cards } = kit;
    await cards.publish([...some(2, 'a'), ...some(1, 'b')]);
    const [a, b] = [await cards.hold(ONE, 'a'), await cards.hold(ONE, 'b')];
    await cards.raw.set(cards.stream('a'), 'text');
    const error = ['ERR', expect.stringContaining('WRONGTYPE')];
    const reply = await cards.acks([
      ['a', a.token, 'next', 10, 0, a.ids],
      ['b', b.token, 'next', 10, 0, b.ids],
    ]);
    expect(reply).toEqual([error, 'EMPTY']);
    expect(await cards.raw.get(cards.stream('a'))).toBe('text');
    expect(await cards.raw.hkeys(cards.key('own'))).toEqual([]);
    expect(await cards.raw.zcard(cards.key('rdy'))).toBe(0);
  });

  it('the stream was deleted: EMPTY, and what comes then is read from the start', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    const { token, ids } = await cards.hold(ONE, 'c', 1);
    await cards.raw.del(cards.stream('c'));
    expect(await cards.ack('c', token, 'next', 10, 0, ids)).toBe('EMPTY');
    expect((await cards.facts()).exists).toBe(false);
    await cards.publish(some(1, 'c', 7));
    expect(dataOf((await cards.hold(TWO)).taken)).toEqual(['7']);
  });

  it('the group was destroyed: everything that is left is handed over again', async () => {
    const { cards } = kit;
    await cards.publish(some(3));
    const { token, ids } = await cards.hold(ONE, 'c', 1);
    await cards.raw.xgroup('DESTROY', cards.stream('c'), cards.group('c'));
    expect(dataOf(await cards.ack('c', token, 'next', 10, 0, ids))).toEqual(['1', '2']);
  });

  it('frees memory where there is none left', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    await cards.raw.config('SET', 'maxmemory', '1');
    try {
      expect(await cards.publish(some(1)).catch(String)).toContain('OOM');
      await cards.raw.xgroup('CREATE', cards.stream('c'), cards.group('c'), '0').catch(() => undefined);
      const { token } = await cards.raw
        .config('SET', 'maxmemory', '0')
        .then(() => cards.hold(ONE, 'c', 1))
        .finally(() => cards.raw.config('SET', 'maxmemory', '1'));
      const [entry] = await cards.raw.xrange(cards.stream('c'), '-', '+', 'COUNT', 1);
      const next = await cards.ack('c', token, 'next', 1, 0, [entry?.[0] ?? '']);
      expect(dataOf(next)).toEqual(['1']);
      expect(await cards.ack('c', token, 'release', 1)).toBe('ENDED');
      expect((await cards.claim(TWO))[2]).toBe('c');
    } finally {
      await cards.raw.config('SET', 'maxmemory', '0');
    }
  });
});

describe('cardRenew', () => {
  it('renews what is held, also when its lease has ended, and names what is lost', async () => {
    const { cards } = kit;
    await cards.publish([...some(1, 'a'), ...some(1, 'b'), ...some(1, 'd')]);
    const [a, b, d] = [await cards.hold(ONE, 'a'), await cards.hold(ONE, 'b'), await cards.hold(ONE, 'd')];
    await cards.expire('a');
    await cards.expire('b');
    await cards.hold(TWO, 'b');
    const before = await cards.facts('b');
    expect(await cards.renew('a', a.token, 'b', b.token, 'd', d.token, 'none', 'x')).toEqual(['b', 'none']);
    expect(Number((await cards.facts('a')).end)).toBeGreaterThan(Date.now());
    expect(await cards.facts('b')).toEqual(before);
    expect(await cards.raw.zscore(cards.key('exp'), 'none')).toBeNull();
  });
});

import { describe, expect, it } from '@jest/globals';
import { dataOf, HOUR, some, TOPIC, useCardScripts, type Handed, type Taken } from './card-scripts-kit.js';

/** Who holds a card: what its holder says of its events. */

const kit = useCardScripts();

/** How the holder says that it is alive, and that it has died. */
const ONE = 'one|1';
const TWO = 'two|2';

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
    const { token, ids } = await cards.hold(ONE, 'c', 1);
    await cards.foreign('other');
    await cards.raw.config('SET', 'maxmemory', '1');
    try {
      await expect(cards.publish(some(1))).rejects.toThrow('OOM');
      await expect(cards.take(ONE, ['other'])).rejects.toThrow('OOM');
      expect(await cards.facts('other')).toMatchObject({ token: '', end: '', pending: 0 });
      const next = await cards.ack('c', token, 'next', 1, 0, ids);
      expect(dataOf(next)).toEqual(['1']);
      expect(await cards.ack('c', token, 'release')).toBe('ENDED');
      expect((await cards.claim(TWO))[2]).toBe('c');
    } finally {
      await cards.raw.config('SET', 'maxmemory', '0');
    }
  });
});

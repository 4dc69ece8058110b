import { describe, expect, it } from '@jest/globals';
import { dataOf, HOUR, some, useCardScripts, type Handed } from './card-scripts-kit.js';

/** Who holds a card: those that wait their turn, and leases. */

const kit = useCardScripts();

/** How the holder says that it is alive, and that it has died. */
const ONE = 'one|1';
const TWO = 'two|2';

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

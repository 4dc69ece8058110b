import { describe, expect, it } from '@jest/globals';
import { dataOf, HOUR, some, useCardScripts, type Handed } from './card-scripts-kit.js';

/** Heads that fail, and that their holders die with. */

const kit = useCardScripts();
const { held } = kit;
const ONE = 'one|1';
const TWO = 'two|2';

describe('cardFail: retry', () => {
  it('the head waits with what is known of it, held by nobody', async () => {
    const { cards } = kit;
    const { token, head } = await held(2);
    expect(await cards.retry('c', token, head, HOUR, 1, 'é "1"')).toBe('ENDED');
    const facts = await cards.facts();
    expect(facts).toMatchObject({ token: '', end: '', ready: '', attempts: [head, 1, 0, 0, 0, 'é "1"'] });
    expect(Number(facts.waits)).toBeGreaterThan(Date.now());
    await cards.due();
    const again = await cards.hold(TWO);
    expect([again.taken[2], dataOf(again.taken)]).toEqual([1, ['0', '1']]);
    await cards.retry('c', again.token, head);
    expect((await cards.facts()).attempts?.[1]).toBe(2);
  });

  it('uncounted: the error is noted, the attempt is not', async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.retry('c', token, head, HOUR, 0);
    expect((await cards.facts()).attempts).toEqual([head, 0, 0, 0, 0, 'oops']);
  });

  it('a delay of 0 is due at once', async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.retry('c', token, head, 0);
    expect((await cards.claim(TWO))[2]).toBe('c');
  });

  it('keeps the deaths of its holders', async () => {
    const { cards } = kit;
    const { head } = await held(1);
    await cards.expire();
    const { token } = await cards.hold(TWO);
    await cards.retry('c', token, head);
    expect((await cards.facts()).attempts).toEqual([head, 1, 1, 0, 0, 'oops']);
  });

  it('STALE changes nothing, a repeat is STALE', async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.expire();
    const other = await cards.hold(TWO);
    const before = await cards.facts();
    expect(await cards.retry('c', token, head)).toBe('STALE');
    expect(await cards.park('c', token, head)).toBe('STALE');
    expect(await cards.bury('c', token, head, 'next')).toBe('STALE');
    expect(await cards.alone('c', token, head)).toBe('STALE');
    expect([await cards.facts(), await cards.letters()]).toEqual([before, []]);
    await cards.retry('c', other.token, head);
    expect(await cards.retry('c', other.token, head)).toBe('STALE');
    expect((await cards.facts()).attempts?.[1]).toBe(1);
  });

  it('waits only: it is not ready too', async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.expire();
    await cards.publish(some(1));
    await cards.retry('c', token, head);
    expect(await cards.facts()).toMatchObject({ ready: '', waits: expect.stringMatching(/^\d/) });
  });
});

describe('cardFail: park', () => {
  it('the card waits with it, for ever', async () => {
    const { cards } = kit;
    const { token, head } = await held(2);
    expect(await cards.park('c', token, head, 3, 'for good')).toBe('ENDED');
    expect(await cards.facts()).toMatchObject({
      ...{ token: '', end: '', ready: '', waits: 'inf', attempts: [head, 3, 0, 0, 0, 'for good'] },
    });
    expect(await cards.take(TWO, ['c'])).toEqual(['BLOCKED']);
    expect((await cards.claim(TWO)).length).toBe(2);
  });

  it('deaths are among its attempts', async () => {
    const { cards } = kit;
    const { head } = await held(1);
    await cards.expire();
    const { token } = await cards.hold(TWO);
    await cards.park('c', token, head, 3);
    expect((await cards.facts()).attempts).toEqual([head, 2, 1, 0, 0, 'oops']);
  });
});

describe('cardFail: dead', () => {
  it('files the entry as it is, and goes on', async () => {
    const { cards } = kit;
    const { token, head, ids } = await held(3);
    expect(await cards.bury('c', token, head, 'keep')).toBe('KEPT');
    expect(await cards.letters()).toEqual([
      {
        ...{ entry: head, group: '', mode: 'anycast', reason: 'handler-failed', handler: 'h', attempts: '3' },
        ...{ error: 'oops', stack: 'stack', operation: '', card: 'c', at: expect.stringMatching(/^\d{13}$/) },
        ...{ ce: '["e0","s","i"]', data: '0' },
      },
    ]);
    expect(await cards.facts()).toMatchObject({ token, length: 2, pending: 2 });
    const next = await cards.ack('c', token, 'next', 10, 0, ids.slice(1, 2));
    expect(dataOf(next)).toEqual(['2']);
  });

  it('next, yield and the end of the card as an acknowledgement', async () => {
    const { cards } = kit;
    await cards.publish(some(3));
    const first = await cards.hold(ONE, 'c', 1);
    const next = (await cards.bury('c', first.token, first.ids[0] ?? '', 'next')) as Handed;
    expect([next[0], next[1], next[3], dataOf(next)]).toEqual(['OK', 0, '', ['1', '2']]);
    expect(await cards.bury('c', first.token, next[4][0]?.[0] ?? '', 'yield')).toBe('ENDED');
    expect((await cards.facts()).ready).not.toBe('');
    const { token, ids } = await cards.hold(TWO);
    expect(await cards.bury('c', token, ids[0] ?? '', 'next')).toBe('EMPTY');
    expect(await cards.facts()).toMatchObject({ token: '', length: 0, ready: '' });
    expect(await cards.letters()).toHaveLength(3);
  });

  it('forgets its attempts', async () => {
    const { cards } = kit;
    const { token, head } = await held(2);
    await cards.retry('c', token, head);
    await cards.due();
    const again = await cards.hold(ONE);
    await cards.bury('c', again.token, head, 'keep');
    expect((await cards.facts()).attempts).toBeUndefined();
  });

  it('a repeat files nothing again, and hands over the same', async () => {
    const { cards } = kit;
    await cards.publish(some(3));
    const { token, ids } = await cards.hold(ONE, 'c', 1);
    const first = await cards.bury('c', token, ids[0] ?? '', 'next', '["e0","s","i"]');
    const second = await cards.bury('c', token, ids[0] ?? '', 'next', '["e0","s","i"]');
    expect([dataOf(first), dataOf(second)]).toEqual([
      ['1', '2'],
      ['1', '2'],
    ]);
    expect(await cards.letters()).toHaveLength(1);
  });

  it('BIG: more fields than can be copied, nothing is done; the client copies and acknowledges', async () => {
    const { cards } = kit;
    const id = await cards.foreign('c', '*', ...Array.from({ length: 7_002 }, String));
    const { token } = await cards.hold(ONE);
    const before = await cards.facts();
    expect(await cards.bury('c', token, id, 'next')).toBe('BIG');
    expect(await cards.facts()).toEqual(before);
    expect(await cards.ack('c', token, 'next', 1, 0, [id])).toBe('EMPTY');
  });

  it('the most fields that can be copied are', async () => {
    const { cards } = kit;
    const id = await cards.foreign('c', '*', ...Array.from({ length: 7_000 }, String));
    const { token } = await cards.hold(ONE);
    expect(await cards.bury('c', token, id, 'next')).toBe('EMPTY');
    const [letter] = await cards.raw.xrange(cards.key('dead'), '-', '+');
    expect(letter?.[1]).toHaveLength(7_022);
  });

  it('LOST: the body is gone and was not given; given, it is filed', async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.raw.xdel(cards.stream('c'), head);
    expect(await cards.bury('c', token, head, 'next')).toBe('LOST');
    expect(await cards.facts()).toMatchObject({ token, pending: 1 });
    expect(await cards.bury('c', token, head, 'next', '["x","s","i"]', '5')).toBe('EMPTY');
    expect(await cards.letters()).toEqual([expect.objectContaining({ entry: head, ce: '["x","s","i"]', data: '5' })]);
  });

  it("an error where the key has become somebody's own", async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.raw.set(cards.stream('c'), 'text');
    expect(await cards.bury('c', token, head, 'next')).toEqual(['ERR', expect.stringContaining('WRONGTYPE')]);
    expect([await cards.letters(), await cards.raw.hlen(cards.key('own'))]).toEqual([[], 0]);
  });
});

describe('cardAlone', () => {
  it('counts the deaths while it was handled alone, each note once', async () => {
    const { cards } = kit;
    const { head, ...first } = await held(1);
    let { token } = first;
    const die = async (): Promise<void> => {
      await cards.expire();
      ({ token } = await cards.hold(ONE));
    };
    expect(await cards.alone('c', token, head)).toBe(0);
    expect(await cards.alone('c', token, head)).toBe(0);
    await die();
    expect((await cards.facts()).attempts).toEqual([head, 0, 1, 1, 0, '']);
    // This holder did not note it: its death is not one alone.
    await die();
    expect(await cards.alone('c', token, head)).toBe(1);
    await die();
    expect((await cards.facts()).attempts).toEqual([head, 0, 3, 2, 0, '']);
  });

  it('a holder that gave it back has not died with it', async () => {
    const { cards } = kit;
    const { head, ...first } = await held(1);
    let { token } = first;
    const ways = [
      () => cards.ack('c', token, 'release'),
      () => cards.ack('c', token, 'yield'),
      () => cards.retry('c', token, head, 0, 0).then(() => cards.due()),
    ];
    for (const giveBack of ways) {
      await cards.alone('c', token, head);
      await giveBack();
      ({ token } = await cards.hold(TWO));
      expect((await cards.facts()).attempts?.slice(0, 5)).toEqual([head, 0, 0, 0, 0]);
    }
  });

  it('keeps failures, and is forgotten with the head', async () => {
    const { cards } = kit;
    const { token: before, head } = await held(2);
    await cards.retry('c', before, head);
    await cards.due();
    const { token } = await cards.hold(ONE);
    await cards.alone('c', token, head);
    expect((await cards.facts()).attempts).toEqual([head, 1, 0, 0, 1, 'oops']);
    const next = (await cards.ack('c', token, 'next', 10, 1, [head])) as Handed;
    expect(next[3]).toBe('');
    expect(await cards.alone('c', token, next[4][0]?.[0] ?? '')).toBe(0);
  });
});

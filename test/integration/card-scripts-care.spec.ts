import { describe, expect, it } from '@jest/globals';
import { dataOf, some, TOPIC, useCardScripts, type Entry, type Handed } from './card-scripts-kit.js';

/** What people do with cards: resume, skip, replay, unregister, inspect. */

const kit = useCardScripts();
const { held } = kit;
const ONE = 'one|1';
const TWO = 'two|2';

describe('cardResume', () => {
  it('the head of a parked card is tried again, from its first attempt', async () => {
    const { cards } = kit;
    const { token, head } = await held(2);
    await cards.park('c', token, head);
    expect(await cards.resume()).toBe(1);
    expect(await cards.facts()).toMatchObject({ waits: '', ready: expect.stringMatching(/^\d/), attempts: undefined });
    expect(await cards.news()).toEqual([`ready ${TOPIC} c`]);
    expect(dataOf((await cards.hold(TWO)).taken)).toEqual(['0', '1']);
  });

  it('0 where it does not wait', async () => {
    const { cards } = kit;
    const { token } = await held(1);
    expect([await cards.resume(), await cards.resume('none')]).toEqual([0, 0]);
    expect(await cards.ack('c', token, 'keep')).toBe('KEPT');
    expect(await cards.news()).toEqual([]);
  });

  it('without events it is idle, or gone where it is being unregistered', async () => {
    const { cards } = kit;
    for (const leaving of [false, true]) {
      const { token, head } = await held(1);
      await cards.park('c', token, head);
      if (leaving) await cards.unregister('c', 'drain', 0);
      await cards.raw.xdel(cards.stream('c'), head);
      expect(await cards.resume()).toBe(1);
      expect(await cards.facts()).toMatchObject({ exists: !leaving, waits: '', ready: '' });
    }
    expect(await cards.news()).toEqual([]);
  });
});

describe('cardSkip', () => {
  it('moves the head of a parked card to the dead letters, the next is ready', async () => {
    const { cards } = kit;
    const { token, head } = await held(2);
    await cards.park('c', token, head, 3, 'why');
    expect(await cards.skip()).toBe(1);
    expect(await cards.letters()).toEqual([
      expect.objectContaining({ entry: head, reason: 'skipped', attempts: '3', error: 'why', card: 'c', data: '0' }),
    ]);
    expect(await cards.facts()).toMatchObject({ waits: '', length: 1, attempts: undefined });
    expect(await cards.news()).toEqual([`ready ${TOPIC} c`]);
    expect(dataOf((await cards.hold(TWO)).taken)).toEqual(['1']);
  });

  it('the last one: the card is idle, or gone where it is being unregistered', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    expect(await cards.skip()).toBe(1);
    expect(await cards.letters()).toEqual([expect.objectContaining({ attempts: '0', error: 'skipped by hand' })]);
    expect(await cards.facts()).toMatchObject({ exists: true, ready: '', length: 0 });
    await cards.publish(some(1));
    await cards.unregister('c', 'drain');
    expect(await cards.skip()).toBe(1);
    expect(await cards.facts()).toMatchObject({ exists: false, active: '' });
  });

  it('0 where it is held or has no events; the holder does not notice', async () => {
    const { cards } = kit;
    const { token, ids } = await held(1);
    expect(await cards.skip()).toBe(0);
    expect(await cards.ack('c', token, 'next', 1, 0, ids)).toBe('EMPTY');
    expect([await cards.skip(), await cards.skip('none')]).toEqual([0, 0]);
    expect(await cards.letters()).toEqual([]);
  });

  it('of a dead holder: its token is stale, its death is not that of the next', async () => {
    const { cards } = kit;
    const { token, head } = await held(2);
    await cards.expire();
    expect(await cards.skip()).toBe(1);
    expect(await cards.ack('c', token, 'keep')).toBe('STALE');
    const { taken } = await cards.hold(TWO);
    // The next one had been handed over too.
    expect([taken[2], taken[4], dataOf(taken)]).toEqual([1, '', ['1']]);
    expect((await cards.letters()).map(({ entry }) => entry)).toEqual([head]);
  });

  it('-1 where it has too many fields', async () => {
    const { cards } = kit;
    await cards.foreign('c', '*', ...Array.from({ length: 7_002 }, String));
    await cards.sweep(['c']);
    expect(await cards.skip()).toBe(-1);
    expect(await cards.facts()).toMatchObject({ length: 1, ready: expect.stringMatching(/^\d/) });
  });
});

describe('cardReplay', () => {
  /** A letter's position. */
  const letter = async (): Promise<string> =>
    (await kit.cards.raw.xrange(kit.cards.key('dead'), '-', '+'))[0]?.[0] ?? '';

  it('takes the letter out, and appends its event to its card', async () => {
    const { cards } = kit;
    const { token, head, ids } = await held(2);
    await cards.bury('c', token, head, 'keep');
    expect(await cards.replay(await letter(), 'op1')).toBe(1);
    expect(await cards.letters()).toEqual([]);
    const next = (await cards.ack('c', token, 'next', 10, 0, ids.slice(1))) as Handed;
    expect(next[4]).toEqual([[expect.anything(), ['cardinal:replay', 'op1', 'ce', '["e0","s","i"]', 'data', '0']]]);
  });

  it('twice: 0, the letter is gone', async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.bury('c', token, head, 'next');
    const position = await letter();
    expect([await cards.replay(position), await cards.replay(position)]).toEqual([1, 0]);
    expect((await cards.facts()).length).toBe(1);
  });

  it('wakes the card, also one that is gone', async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.bury('c', token, head, 'next');
    await cards.unregister('c', 'drop', 0);
    await cards.replay(await letter());
    expect(await cards.facts()).toMatchObject({ exists: true, ready: expect.stringMatching(/^\d/) });
    expect(await cards.news()).toEqual([`ready ${TOPIC} c`]);
  });

  it('the operation stays with the letter that it becomes, and is no field of the event', async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.bury('c', token, head, 'next');
    await cards.replay(await letter(), 'op1');
    const again = await cards.hold(TWO);
    await cards.bury('c', again.token, again.ids[0] ?? '', 'next');
    const [filed] = await cards.letters();
    expect(filed).toMatchObject({ operation: 'op1', data: '0', entry: again.ids[0] });
    expect(Object.keys(filed ?? {})).not.toContain('cardinal:replay');
    await cards.replay(await letter(), 'op2');
    await cards.skip();
    expect((await cards.letters())[0]).toMatchObject({ operation: 'op2', reason: 'skipped', data: '0' });
  });

  it("an error where the card's key is somebody's own: the letter stays", async () => {
    const { cards } = kit;
    const { token, head } = await held(1);
    await cards.bury('c', token, head, 'next');
    await cards.raw.set(cards.stream('c'), 'text');
    await expect(letter().then((position) => cards.replay(position))).rejects.toThrow('WRONGTYPE');
    expect(await cards.letters()).toHaveLength(1);
  });
});

describe('cardUnregister', () => {
  it('an idle card is gone at once', async () => {
    const { cards } = kit;
    await cards.register();
    await cards.news();
    expect(await cards.unregister('c', 'drain')).toBe(0);
    expect(await cards.allKeys()).toEqual([]);
    expect(await cards.news()).toEqual([`unregister:${TOPIC}:c`]);
  });

  it('drain: what waits is handled first', async () => {
    const { cards } = kit;
    await cards.publish(some(2));
    expect(await cards.unregister('c', 'drain', 0)).toBe(0);
    expect(await cards.facts()).toMatchObject({ leaving: true, length: 2, ready: expect.stringMatching(/^\d/) });
    const { token, ids } = await cards.hold(ONE);
    expect(await cards.ack('c', token, 'yield', 10, 0, ids)).toBe('ENDED');
    expect(await cards.facts()).toMatchObject({ leaving: false, exists: false, active: '' });
  });

  it('drain: events of which nobody was told are handled too', async () => {
    const { cards } = kit;
    await cards.foreign();
    await cards.unregister('c', 'drain');
    expect(await cards.facts()).toMatchObject({ leaving: true, ready: expect.stringMatching(/^\d/) });
  });

  it('drain: a held card without events is gone when its holder says so', async () => {
    const { cards } = kit;
    const { token, ids } = await held(1);
    await cards.raw.xdel(cards.stream('c'), ...ids);
    await cards.unregister('c', 'drain');
    expect((await cards.facts()).exists).toBe(true);
    expect(await cards.ack('c', token, 'next', 10, 0, ids)).toBe('EMPTY');
    expect((await cards.facts()).exists).toBe(false);
  });

  it('drop: everything goes, and its holder has lost it', async () => {
    const { cards } = kit;
    const { token, head, ids } = await held(3);
    await cards.alone('c', token, head);
    expect(await cards.unregister('c', 'drop')).toBe(3);
    expect(await cards.facts()).toEqual({
      ...{ exists: false, length: 0, pending: 0, token: '', end: '', ready: '', waits: '', active: '' },
      ...{ attempts: undefined, leaving: false },
    });
    expect(await cards.ack('c', token, 'next', 10, 0, ids)).toBe('STALE');
    expect(await cards.unregister('c', 'drop')).toBe(0);
    expect(await cards.news()).toEqual([`unregister:${TOPIC}:c`]);
  });

  it('drop of a parked card', async () => {
    const { cards } = kit;
    const { token, head } = await held(2);
    await cards.park('c', token, head);
    expect(await cards.unregister('c', 'drop', 0)).toBe(2);
    expect(await cards.raw.zcard(cards.key('blk'))).toBe(0);
  });

  it('nothing for a card that nobody knows', async () => {
    const { cards } = kit;
    expect([await cards.unregister('c', 'drain'), await cards.unregister('c', 'drop')]).toEqual([0, 0]);
    expect(await cards.allKeys()).toEqual([]);
    expect(await cards.news()).toEqual([]);
  });

  it("an error, and nothing deleted, where its key is somebody's own", async () => {
    const { cards } = kit;
    await cards.raw.set(cards.stream('c'), 'text');
    await expect(cards.unregister('c', 'drop')).rejects.toThrow('WRONGTYPE');
    expect(await cards.raw.get(cards.stream('c'))).toBe('text');
  });
});

describe('cardInspect', () => {
  it('says what it is, of each card, and changes nothing', async () => {
    const { cards } = kit;
    await cards.publish([...some(2, 'ready'), ...some(1, 'owned')]);
    const { token } = await cards.hold(ONE, 'owned');
    await cards.raw.set(cards.stream('bad'), 'text');
    const raw = (await cards.run(
      'cardInspect',
      [...cards.keys(), ...['ready', 'owned', 'none', 'bad'].map((card) => cards.stream(card))],
      [TOPIC, 'ready', 'owned', 'none', 'bad'],
    )) as unknown[];
    const ms = expect.stringMatching(/^\d{13}$/);
    expect(raw).toEqual([
      [1, 2, 0, '', '', ms, '', ms, '', 0, ms],
      [1, 1, 1, token, ms, '', '', ms, '', 0, ms],
      [0, 0, 0, '', '', '', '', '', '', 0, ms],
      ['ERR', expect.stringContaining('WRONGTYPE')],
    ]);
  });

  it('counts what others of the group have in hand', async () => {
    const { cards } = kit;
    await cards.foreign();
    await cards.raw.xgroup('CREATE', cards.stream('c'), cards.group('c'), '0');
    await cards.raw.xreadgroup('GROUP', cards.group('c'), 'py', 'STREAMS', cards.stream('c'), '>');
    expect((await cards.facts()).pending).toBe(1);
    const entries = (await cards.raw.xrange(cards.stream('c'), '-', '+')) as Entry[];
    expect(entries).toHaveLength(1);
  });
});

import { describe, expect, it } from '@jest/globals';
import { HOUR, record, some, TOPIC, useCardScripts } from './card-scripts-kit.js';

/** How cards come in. */

const kit = useCardScripts();

async function contents(card = 'c'): Promise<Record<string, string>[]> {
  const rows = await kit.cards.raw.xrange(kit.cards.stream(card), '-', '+');
  return rows.map(([, fields]) => record(fields));
}

describe('cardPublish', () => {
  it('appends in order, registers, makes ready and tells once', async () => {
    const { cards } = kit;
    const reply = await cards.publish([
      { card: 'a', data: '1' },
      { card: 'b:x', data: '"日本"' },
      { card: 'a', data: '' },
    ]);
    expect(reply.slice(0, 3)).toEqual(['OK', expect.stringMatching(/^\d{13}$/), 0]);
    expect(await contents('a')).toEqual([{ ce: '["e0","s","i"]', data: '1' }, { ce: '["e2","s","i"]' }]);
    expect(await contents('b:x')).toEqual([{ ce: '["e1","s","i"]', data: '"日本"' }]);
    for (const facts of await cards.inspect(['a', 'b:x'])) {
      expect(facts).toMatchObject({ ready: expect.stringMatching(/^\d{13}$/), active: facts.ready, token: '' });
    }
    expect(await cards.news()).toEqual([`ready ${TOPIC} a b:x`]);
  });

  it('says the millisecond of each event', async () => {
    const { cards } = kit;
    await cards.foreign('b', '99999999999999-5');
    const reply = await cards.publish([...some(1, 'a'), ...some(1, 'b')]);
    expect(reply.slice(3)).toEqual([1, 99_999_999_999_999]);
  });

  it('what is ready stays where it is in the order, and nobody is told again', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.raw.zadd(cards.key('rdy'), 5, 'c');
    await cards.publish(some(1));
    expect((await cards.facts()).ready).toBe('5');
    expect(await cards.news()).toEqual([`ready ${TOPIC} c`]);
  });

  it('what is held or waits does not become ready', async () => {
    const { cards } = kit;
    await cards.publish([...some(1, 'a'), ...some(1, 'b'), ...some(1, 'd')]);
    await cards.hold('o|1', 'a');
    const b = await cards.hold('o|1', 'b');
    await cards.retry('b', b.token, b.ids[0] ?? '');
    const d = await cards.hold('o|1', 'd');
    await cards.park('d', d.token, d.ids[0] ?? '');
    await cards.news();
    await cards.publish([...some(1, 'a'), ...some(1, 'b'), ...some(1, 'd')]);
    expect((await cards.inspect(['a', 'b', 'd'])).map(({ ready, length }) => [ready, length])).toEqual([
      ['', 2],
      ['', 2],
      ['', 2],
    ]);
    expect(await cards.news()).toEqual([]);
  });

  it('what a dead holder has is ready', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.hold('o|1');
    await cards.expire();
    await cards.publish(some(1));
    expect((await cards.facts()).ready).not.toBe('');
  });

  it('a resend is answered as the first try, and stored once', async () => {
    const { cards } = kit;
    await cards.raw.set(cards.stream('bad'), 'text');
    const batch = [...some(2), { card: 'bad', data: '1' }];
    const first = await cards.publish(batch, { sequence: '7' });
    expect(first.slice(3)).toEqual([2, expect.stringContaining('WRONGTYPE')]);
    const { token, ids } = await cards.hold('o|1');
    await cards.ack('c', token, 'next', 10, 0, ids);
    // All of it is acknowledged and deleted: the stream does not tell.
    expect(await cards.publish(batch, { sequence: '7' })).toEqual(first);
    expect(await contents()).toEqual([]);
    await cards.publish(batch, { sequence: '8' });
    await cards.publish(some(1), { sequence: '8', publisher: 'another' });
    expect(await contents()).toHaveLength(3);
  });

  it('FULL: nothing is stored, and a resend may be', async () => {
    const { cards } = kit;
    await cards.publish(some(3));
    const batch = [...some(1, 'd'), ...some(2)];
    expect(await cards.publish(batch, { maxLength: 4, sequence: '9' })).toEqual(['FULL']);
    expect([await contents(), await contents('d')].map((each) => each.length)).toEqual([3, 0]);
    expect((await cards.publish(batch, { maxLength: 5, sequence: '9' }))[0]).toBe('OK');
  });

  it('stores an id once for a card: also twice in a call, and where it would not fit again', async () => {
    const { cards } = kit;
    const [once, other] = [
      { card: 'c', data: '1', once: 'same' },
      { card: 'd', data: '2', once: 'same' },
    ];
    const reply = await cards.publish([once, other, once], { maxLength: 1 });
    expect(reply.slice(3)).toEqual([2, Number(reply[1])]);
    expect((await cards.publish([once], { maxLength: 1 })).slice(3)).toEqual([0, Number(reply[1])]);
    expect([await contents(), await contents('d')].map((each) => each.length)).toEqual([1, 1]);
  });

  it('an id is forgotten after ten minutes', async () => {
    const { cards } = kit;
    const once = { card: 'c', data: '1', once: 'same' };
    const ids = cards.key('ids');
    await cards.publish([once]);
    await cards.raw.zadd(ids, Date.now() - HOUR, 'c\nsame');
    await cards.publish([once]);
    expect(await contents()).toHaveLength(2);
    await cards.raw.zadd(ids, Date.now() - HOUR, 'c\nold');
    await cards.publish([{ ...once, once: 'other' }]);
    expect((await cards.members('ids')).sort()).toEqual(['c\nother', 'c\nsame']);
    expect(await cards.raw.pttl(ids)).toBeGreaterThan(590_000);
  });

  it('10,000 events that are stored once, in one call and again', async () => {
    const { cards } = kit;
    const events = Array.from({ length: 10_000 }, (_, index) => ({ card: 'c', data: '1', once: `id${String(index)}` }));
    await cards.publish(events, { maxLength: 10_000 });
    const again = await cards.publish(events, { maxLength: 10_000 });
    expect(again).toHaveLength(3 + 2 * 10_000);
    expect((await cards.facts()).length).toBe(10_000);
  });

  it('10,000 events with one id', async () => {
    const { cards } = kit;
    const same = { card: 'c', data: '1', once: 'same' };
    expect(await cards.publish(Array<typeof same>(10_000).fill(same), { maxLength: 1 })).toHaveLength(3 + 2 * 9_999);
    expect(await contents()).toHaveLength(1);
  });

  it('5,000 cards in one call', async () => {
    const { cards } = kit;
    const events = Array.from({ length: 5_000 }, (_, index) => ({ card: `c${String(index)}`, data: '1' }));
    await cards.publish(events);
    expect(await cards.raw.zcard(cards.key('rdy'))).toBe(5_000);
    expect(await cards.raw.zcard(cards.key('reg'))).toBe(5_000);
  });

  it('fields of their own for other programs, which are told of the card', async () => {
    const { cards } = kit;
    const pair = (name: string, value: string): string =>
      [name, value].map((text) => `${String(Buffer.byteLength(text))}:${text}`).join('');
    await cards.publish(
      [
        { card: 'c', data: pair('name', '日本') + pair('empty', '') + pair('1:x', '3:abc') },
        { card: 'd', data: pair('n', '1') },
        { card: 'c', data: pair('n', '2') },
      ],
      { encoding: 'f' },
    );
    expect(await contents()).toEqual([{ name: '日本', empty: '', '1:x': '3:abc' }, { n: '2' }]);
    expect(await cards.news()).toEqual([`ready ${TOPIC} c d`, `register:${TOPIC}:c`, `register:${TOPIC}:d`]);
  });

  it('an event without fields, or with too many, is refused alone', async () => {
    const { cards } = kit;
    const many = '1:a1:b'.repeat(3_501);
    const reply = await cards.publish(
      [
        { card: 'c', data: '' },
        { card: 'c', data: many },
        { card: 'c', data: '1:a1:b'.repeat(3_500) },
      ],
      { encoding: 'f' },
    );
    expect(reply.slice(3)).toEqual([
      0,
      expect.stringContaining('rong number of arg'),
      1,
      expect.stringContaining('more fields'),
    ]);
    expect((await cards.facts()).length).toBe(1);
  });

  it("a key that is somebody's own is refused alone, and is not registered", async () => {
    const { cards } = kit;
    await cards.raw.set(cards.stream('bad'), 'text');
    const reply = await cards.publish([...some(1, 'a'), ...some(1, 'bad'), ...some(1, 'b')]);
    expect(reply.slice(3)).toEqual([1, expect.stringContaining('WRONGTYPE')]);
    expect(await cards.members('reg')).toEqual(['a', 'b']);
    expect(await cards.members('rdy')).toEqual(['a', 'b']);
    expect(await cards.raw.get(cards.stream('bad'))).toBe('text');
  });

  it('a card that was being unregistered stays', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.unregister('c', 'drain');
    await cards.publish(some(1));
    expect((await cards.facts()).leaving).toBe(false);
  });
});

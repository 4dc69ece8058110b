import { describe, expect, it } from '@jest/globals';
import { dataOf, HOUR, some, TOPIC, useCardScripts } from './card-scripts-kit.js';

/** How cards come in without this library, and how they go. */

const kit = useCardScripts();

describe('cardRegister', () => {
  it('makes the stream and its group, and tells other programs; twice is once', async () => {
    const { cards } = kit;
    expect([await cards.register(), await cards.register()]).toEqual([0, 0]);
    expect(await cards.raw.xinfo('GROUPS', cards.stream('c'))).toEqual([
      expect.arrayContaining(['name', `${TOPIC}:c`, 'last-delivered-id', '0-0']),
    ]);
    expect(await cards.facts()).toMatchObject({ exists: true, length: 0, ready: '', leaving: false });
    expect(await cards.news()).toEqual([`register:${TOPIC}:c`, `register:${TOPIC}:c`]);
  });

  it('what is there already is ready, from its first event on', async () => {
    const { cards } = kit;
    const id = await cards.foreign();
    expect(await cards.register()).toBe(1);
    expect(await cards.news()).toEqual([`ready ${TOPIC} c`, `register:${TOPIC}:c`]);
    expect((await cards.hold('o|1')).ids).toEqual([id]);
  });

  it('ends an unregistration', async () => {
    const { cards } = kit;
    await cards.publish(some(1));
    await cards.unregister('c', 'drain');
    await cards.register();
    expect((await cards.facts()).leaving).toBe(false);
  });

  it("an error for a key that is somebody's own", async () => {
    const { cards } = kit;
    await cards.raw.set(cards.stream('c'), 'text');
    await expect(cards.register()).rejects.toThrow('WRONGTYPE');
    expect(await cards.allKeys()).toEqual([cards.stream('c')]);
  });
});

describe('cardSweep', () => {
  /** Makes a card look as if nothing had happened to it for so long. */
  const silent = async (card: string, ms: number): Promise<void> => {
    await kit.cards.raw.zadd(kit.cards.key('reg'), Date.now() - ms, card);
  };

  it('finds events of which nobody was told', async () => {
    const { cards } = kit;
    await cards.foreign('a');
    await cards.foreign('b');
    await cards.publish(some(1, 'known'));
    await cards.news();
    expect(await cards.sweep(['a', 'known', 'b', 'none'])).toEqual([2, 0, 'a', 'b']);
    expect(await cards.news()).toEqual([`ready ${TOPIC} a b`]);
    expect((await cards.inspect(['a', 'b', 'none'])).map(({ ready, active }) => [ready !== '', active !== ''])).toEqual(
      [
        [true, true],
        [true, true],
        [false, false],
      ],
    );
    expect(await cards.sweep(['a', 'b'])).toEqual([0, 0]);
  });

  it('tells nobody without a channel', async () => {
    const { cards } = kit;
    await cards.foreign();
    expect(await cards.sweep(['c'], 0, HOUR, '')).toEqual([1, 0, 'c']);
    expect(await cards.news()).toEqual([]);
  });

  it('leaves what is held or waits', async () => {
    const { cards } = kit;
    await cards.publish([...some(1, 'a'), ...some(1, 'b')]);
    await cards.hold('o|1', 'a');
    const { token, ids } = await cards.hold('o|1', 'b');
    await cards.park('b', token, ids[0] ?? '');
    expect(await cards.sweep(['a', 'b'])).toEqual([0, 0]);
  });

  it('creates nothing for a card that is not there', async () => {
    const { cards } = kit;
    expect(await cards.sweep(['a', 'b'], 1)).toEqual([0, 0]);
    expect(await cards.allKeys()).toEqual([]);
  });

  it('an idle card loses its stream, later its place in the register', async () => {
    const { cards } = kit;
    await cards.register('a');
    await cards.register('b');
    await silent('a', HOUR);
    expect(await cards.sweep(['a', 'b'], HOUR)).toEqual([0, 1]);
    expect((await cards.inspect(['a', 'b'])).map(({ exists, active }) => [exists, active !== ''])).toEqual([
      [false, true],
      [true, true],
    ]);
    await silent('a', 25 * HOUR);
    expect(await cards.sweep(['a', 'b'], HOUR)).toEqual([0, 0]);
    expect(await cards.members('reg')).toEqual(['b']);
  });

  it('never one that has events, or is held', async () => {
    const { cards } = kit;
    await cards.publish([...some(1, 'a'), ...some(1, 'b')]);
    const b = await cards.hold('o|1', 'b');
    await cards.raw.xdel(cards.stream('b'), ...b.ids);
    await silent('a', 48 * HOUR);
    await silent('b', 48 * HOUR);
    expect(await cards.sweep(['a', 'b'], HOUR)).toEqual([0, 0]);
    expect((await cards.inspect(['a', 'b'])).map(({ exists }) => exists)).toEqual([true, true]);
  });

  it('never one where idle cards stay', async () => {
    const { cards } = kit;
    await cards.register();
    await silent('c', 48 * HOUR);
    expect(await cards.sweep(['c'])).toEqual([0, 0]);
    expect(await cards.facts()).toMatchObject({ exists: true, active: expect.stringMatching(/^\d/) });
  });

  it('an empty stream that somebody left is registered, so that it goes in time', async () => {
    const { cards } = kit;
    await cards.raw.xdel(cards.stream('c'), await cards.foreign());
    expect(await cards.sweep(['c'], HOUR)).toEqual([0, 0]);
    await silent('c', HOUR);
    expect(await cards.sweep(['c'], HOUR)).toEqual([0, 1]);
  });

  it('ends what was being unregistered when its last event has gone without us', async () => {
    const { cards } = kit;
    const id = await cards.foreign();
    await cards.unregister('c', 'drain');
    await cards.raw.xdel(cards.stream('c'), id);
    expect(await cards.sweep(['c'])).toEqual([0, 1]);
    expect(await cards.allKeys()).toEqual([]);
  });

  it("passes over a key that is somebody's own", async () => {
    const { cards } = kit;
    await cards.raw.set(cards.stream('bad'), 'text');
    await cards.foreign('a');
    expect(await cards.sweep(['bad', 'a'], 1)).toEqual([1, 0, 'a']);
    expect(await cards.members('reg')).toEqual(['a']);
    expect(dataOf((await cards.hold('o|1', 'a')).taken)).toEqual(['']);
  });

  it('3,000 cards in one call', async () => {
    const { cards } = kit;
    const names = Array.from({ length: 3_000 }, (_, index) => `c${String(index)}`);
    const pipeline = cards.raw.pipeline();
    for (const name of names) pipeline.xadd(cards.stream(name), '*', 'n', '1');
    await pipeline.exec();
    expect(((await cards.sweep(names)) as unknown[]).slice(0, 2)).toEqual([3_000, 0]);
  });
});

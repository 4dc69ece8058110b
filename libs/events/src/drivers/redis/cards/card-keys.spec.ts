import { describe, expect, it } from '@jest/globals';
import { CardKeys, readCard } from './card-keys.js';
import { slotOf, SlotTags } from './slot-tags.js';

const keys = new CardKeys('event_stream:', () => 'x');

describe('CardKeys', () => {
  it('spells the names that other programs use', () => {
    expect(keys.stream('comment', 'a:1')).toBe('event_stream:comment:a:1');
    expect(keys.group('comment', 'a:1')).toBe('comment:a:1');
  });

  it('spells the index in the order of the scripts', () => {
    expect(keys.index('t', 'x')).toEqual(
      ['reg', 'rdy', 'own', 'exp', 'blk', 'att', 'ep', 'unr', 'dead'].map((name) => `event_stream:{x}:t:${name}`),
    );
    expect([keys.registered('t', 'x'), keys.dead('t', 'x')]).toEqual([
      keys.index('t', 'x')[0],
      keys.index('t', 'x').at(-1),
    ]);
  });

  it('spells the rest', () => {
    expect([keys.ids('t', 'x'), keys.publisher('x', 'p|1'), keys.topics, keys.tags('t'), keys.deadTags('t')]).toEqual([
      'event_stream:{x}:t:ids',
      'event_stream:{x}:pub:p|1',
      'event_stream:{cards}:topics',
      'event_stream:{cards}:tags:t',
      'event_stream:{cards}:dead-tags:t',
    ]);
    expect(keys.ready).toBe('event_stream:ready');
  });

  it('asks for the tag of the stream', () => {
    const asked: string[] = [];
    const spy = new CardKeys('p', (stream) => {
      asked.push(stream);
      return 'y';
    });
    expect(spy.tag('t', 'c')).toBe('y');
    expect(asked).toEqual(['pt:c']);
  });

  it('with the tags of slots, index and stream share a slot', () => {
    const tags = new SlotTags();
    const spread = new CardKeys('event_stream:', (stream) => tags.tagOf(stream));
    for (let card = 0; card < 100; card++) {
      const stream = spread.stream('t', String(card));
      expect(slotOf(spread.tag('t', String(card)))).toBe(slotOf(stream));
    }
  });

  it('reads the card of a stream, split on the first colon', () => {
    expect(keys.cardOf('event_stream:t:a:b')).toEqual({ topic: 't', cardId: 'a:b' });
  });

  it.each(['other:t:c', 'event_stream:', 'event_stream:t', 'event_stream::c', 'event_stream:t:', 'event_stream:t:{c}'])(
    '%j is no stream of a card',
    (key) => {
      expect(keys.cardOf(key)).toBeUndefined();
    },
  );

  it('none of its own keys is taken for the stream of a card', () => {
    const own = [...keys.index('t', 'x'), keys.ids('t', 'x'), keys.publisher('x', 'p'), keys.topics, keys.tags('t')];
    expect([...own, keys.deadTags('t')].filter((key) => keys.cardOf(key) !== undefined)).toEqual([]);
  });

  it('a prefix is no glob', () => {
    expect(new CardKeys('a*[b]?\\', () => 'x').anyStream).toBe('a\\*\\[b\\]\\?\\\\*');
  });
});

describe('readCard', () => {
  it.each(['comment', ':c', 't:', 't:a\nb'])('%j is no card', (name) => {
    expect(readCard(name)).toBeUndefined();
  });
});

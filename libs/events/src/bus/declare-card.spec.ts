import { describe, expect, it } from '@jest/globals';
import { EventType } from '../core/event-class.js';
import { resolveModuleOptions } from '../config/resolve.js';
import type { CardDeclaration } from '../core/declaration.js';
import { declareCardHandler, type DeclareCardOptions } from './declare-card.js';
import type { Listenable } from './publish-options.js';

@EventType('comment.added')
class CommentAdded {}
@EventType('order')
class Order {}
@EventType('a:b')
class Colon {}
class Plain {
  readonly n = 1;
}

const { handlers } = resolveModuleOptions({ env: false }).instances.get('default')!;
const declare = (listenable: unknown, options: DeclareCardOptions = {}, handler: unknown = () => 1): CardDeclaration =>
  declareCardHandler(listenable as Listenable, handler, options, {
    name: 'h',
    concurrency: 10,
    handlers,
    filters: new Map(),
  });

describe('a handler of cards', () => {
  it('has topics, each once; a class stands for that of its type', () => {
    expect(declare('a topic!').patterns).toEqual(['a topic!']);
    expect(declare(['a', Order, 'a', 'order']).patterns).toEqual(['a', 'order']);
  });

  it('knows the classes that it listens to, and those that may come', () => {
    const { classes } = declare(['a', Order], { events: [CommentAdded] });
    expect([...classes]).toEqual([['order', Order], ['comment.added', CommentAdded]]); // prettier-ignore
  });

  it.each<[DeclareCardOptions, object]>([
    [{}, { concurrency: 10, cards: 10, onExhausted: 'dead-letter', name: 'h', answers: false, group: undefined }],
    [{ concurrency: 3 }, { concurrency: 3, cards: 3 }],
    [{ batch: { size: 5, maxWait: 0 } }, { concurrency: 1, cards: 10 }],
    [
      { batch: { size: 5, maxWait: 0 }, concurrency: 20 },
      { concurrency: 20, cards: 20 },
    ],
    [
      { onExhausted: 'park', name: 'x' },
      { onExhausted: 'park', name: 'x' },
    ],
  ])('%j', (options, expected) => {
    expect(declare('a', options)).toMatchObject(expected);
  });

  it.each<[string, unknown, object, string]>([
    ['no topic', '', {}, 'INVALID_CARD'],
    ['a colon', 'a:b', {}, 'INVALID_CARD'],
    ['a class with a colon', Colon, {}, 'INVALID_CARD'],
    ['no text', 7, {}, 'INVALID_CARD'],
    ['an empty list', [], {}, 'INVALID_HANDLER'],
    ['a class without @EventType', Plain, {}, 'INVALID_HANDLER'],
    ['events without @EventType', 'a', { events: [Plain] }, 'INVALID_HANDLER'],
    ['events that are no classes', 'a', { events: ['order'] }, 'INVALID_HANDLER'],
    ['events that are no list', 'a', { events: Order }, 'INVALID_OPTION'],
    ['an onExhausted that is none', 'a', { onExhausted: 'stop' }, 'INVALID_OPTION'],
    ['a name that is none', 'a', { name: 'a b' }, 'INVALID_OPTION'],
  ])('%s is refused', (_what, listenable, options, code) => {
    expect(() => declare(listenable, options)).toThrow(expect.objectContaining({ code }));
  });

  it('no function is no handler', () => {
    expect(() => declare('a', {}, {})).toThrow(expect.objectContaining({ code: 'INVALID_HANDLER' }));
  });
});

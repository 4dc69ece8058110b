import { describe, expect, it } from '@jest/globals';
import { ownUnregister, readGroupChange, readReady } from './notices.js';

describe('readGroupChange', () => {
  it('splits at the first two colons', () => {
    expect(readGroupChange('register:comment:42')).toEqual({ kind: 'register', topic: 'comment', cardId: '42' });
    expect(readGroupChange('unregister:a b:x:y:')).toEqual({ kind: 'unregister', topic: 'a b', cardId: 'x:y:' });
  });

  it.each([
    '',
    'register',
    'register:',
    'register:t',
    'register:t:',
    'register::c',
    'Register:t:c',
    'other:t:c',
    'register:t:{c}',
  ])('takes %j for nothing', (message) => {
    expect(readGroupChange(message)).toBeUndefined();
  });
});

describe('readReady', () => {
  it('reads cards of a topic', () => {
    expect(readReady('t\na\nb')).toEqual({ kind: 'ready', topic: 't', cards: ['a', 'b'] });
    expect(readReady('t')).toEqual({ kind: 'ready', topic: 't', cards: [] });
  });

  it('reads an unregistration of this library', () => {
    const card = { topic: 't', cardId: 'a' };
    expect(readReady(ownUnregister(card))).toEqual({ kind: 'own-unregister', ...card });
  });
});

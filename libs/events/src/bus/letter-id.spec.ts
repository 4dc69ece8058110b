import { expect, it } from '@jest/globals';
import { idOf, placeOf } from './letter-id.js';

it.each([
  ['order.created', '17-0'],
  ['a:b', '3'],
])('a letter of type %s is found by its id', (name, position) => {
  const place = { ofCards: false, name, position };
  expect(placeOf(idOf(place))).toEqual(place);
});

it.each(['order', '~', '~order', 'a b', 'x@y', '%41', 'ä', '\u2028', '💥', '-'.repeat(512), '💥'.repeat(128)])(
  'a letter of topic %s is found by its id, which is that of no type',
  (name) => {
    const place = { ofCards: true, name, position: '17-0' };
    expect(placeOf(idOf(place))).toEqual(place);
    expect(idOf(place)).not.toBe(idOf({ ...place, ofCards: false }));
  },
);

it.each(['', 'x', '@1', 'a b@1', '~%@1', 'a@', 'a@b@1', 7, undefined])('%s is no id', (id) => {
  expect(placeOf(id)).toBeUndefined();
});

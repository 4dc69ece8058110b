import { describe, expect, it } from '@jest/globals';
import { flatFields } from './flat-fields.js';

const flat = (payload: unknown): string => flatFields(JSON.stringify(payload));

describe('flatFields', () => {
  it('writes strings as they are, everything else as JSON, with their bytes', () => {
    expect(flat({ a: 'ü', b: 1, c: null, d: [true] })).toBe('1:a2:ü1:b1:11:c4:null1:d6:[true]');
    expect(flat({ '': '' })).toBe('0:0:');
  });

  it.each([1, 'x', null, [1], {}, { data: 1 }, { ce: 'x', a: 1 }, { specversion: '1.0' }])(
    'writes %j whole',
    (payload) => {
      const text = JSON.stringify(payload);
      expect(flat(payload)).toBe(`4:data${String(text.length)}:${text}`);
    },
  );

  it('writes no payload as null', () => {
    expect(flatFields(undefined)).toBe('4:data4:null');
  });
});

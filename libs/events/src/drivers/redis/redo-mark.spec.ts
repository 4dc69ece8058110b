import { describe, expect, it } from '@jest/globals';
import { FIRST, readMark } from './redo-mark.js';

describe('readMark', () => {
  it('takes the mark off', () => {
    const text = JSON.stringify(['h', 3, 2, 1_700_000_000_000, '5-1', 'op', 'unicast', 4, 2]);
    const [mark, fields] = readMark(['re', text, 'ce', 'x']);
    expect(fields).toEqual(['ce', 'x']);
    expect(mark).toEqual({
      ...{ handler: 'h', attempt: 3, failures: 2, since: 1_700_000_000_000 },
      ...{ origin: '5-1', operation: 'op', mode: 'unicast', crashes: 4, crashesAlone: 2 },
    });
  });

  it.each([
    '',
    '[]',
    '{}',
    'null',
    'not JSON',
    '["",0,-1,"x","*","","request"]',
    '[[],1.5,null,[],"1",{},"constructor"]',
  ])('what %j does not say is as for a first delivery', (text) => {
    const [mark, fields] = readMark(['re', text, 'data', '1']);
    expect([{ ...mark, operation: '' }, fields]).toEqual([FIRST, ['data', '1']]);
    // It is a redelivery all the same.
    expect(mark).not.toBe(FIRST);
  });

  it('without a mark all fields are the event', () => {
    expect(readMark(['a', '1'])).toEqual([FIRST, ['a', '1']]);
    expect(readMark([])).toEqual([FIRST, []]);
  });
});

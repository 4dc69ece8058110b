import { describe, expect, it } from '@jest/globals';
import { Appetite } from './appetite.js';

describe('Appetite', () => {
  it('takes what is asked for of small events, one of huge ones, and recovers', () => {
    const appetite = new Appetite(10);
    expect(appetite.most).toBe(10);
    for (let count = 0; count < 100; count++) appetite.taste(200);
    expect(appetite.most).toBe(10);
    for (let count = 0; count < 100; count++) appetite.taste(1 << 20);
    expect(appetite.most).toBe(1);
    for (let count = 0; count < 100; count++) appetite.taste(16 * 1024);
    expect(appetite.most).toBe(3);
    for (let count = 0; count < 200; count++) appetite.taste(0);
    expect(appetite.most).toBe(10);
  });
});

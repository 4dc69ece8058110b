import { describe, expect, it } from '@jest/globals';
import { deepFreeze } from './deep-freeze.js';

describe('deepFreeze', () => {
  it('freezes objects, arrays, dates and instances, however deep', () => {
    class Line {
      readonly at = new Date(0);
      readonly parts = [{ n: 1 }];
    }
    const value = deepFreeze({ lines: [new Line()], frozen: Object.freeze({ inner: { n: 1 } }) });
    const [line] = value.lines;
    for (const each of [value, value.lines, line, line?.at, line?.parts, line?.parts[0], value.frozen.inner])
      expect(Object.isFrozen(each)).toBe(true);
  });

  it('copes with cycles and with depths that the call stack does not', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(Object.isFrozen(deepFreeze(cycle))).toBe(true);
    let deep: object = {};
    for (let depth = 0; depth < 100_000; depth++) deep = { deep };
    expect(Object.isFrozen(deepFreeze(deep))).toBe(true);
  });

  it('leaves containers and buffers as they are, and gives back what is no object', () => {
    const value = deepFreeze({
      map: new Map([[1, {}]]),
      set: new Set(),
      bytes: new Uint8Array(2),
      buffer: new ArrayBuffer(1),
    });
    expect([Object.isFrozen(value.map), Object.isFrozen(value.set), Object.isFrozen(value.bytes)]).toEqual([
      false,
      false,
      false,
    ]);
    expect([1, undefined, null].map((each) => deepFreeze(each))).toEqual([1, undefined, null]);
  });
});

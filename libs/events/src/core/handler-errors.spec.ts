import { describe, expect, it } from '@jest/globals';
import { isEventsError, type EventsError, type EventsErrorCode } from './errors.js';
import { BatchError, HandlerCrashedError, HandlerTimeoutError, Reject, RetryLater } from './handler-errors.js';

const cause = new Error('underneath');

const samples: [EventsError, EventsErrorCode, ...named: string[]][] = [
  [new RetryLater('5m'), 'RETRY_LATER', '5m'],
  [new Reject('no such customer'), 'REJECT', 'no such customer'],
  [new BatchError([1, 3]), 'BATCH', '2 items', '1, 3'],
  [new HandlerTimeoutError('Orders.on', 30_000), 'HANDLER_TIMEOUT', 'Orders.on', '30000 ms', 'timeout'],
  [new HandlerCrashedError('Orders.on', 3), 'HANDLER_CRASHED', 'Orders.on', '3 times'],
];

describe('the errors of handlers', () => {
  it.each(samples.map((sample) => [sample[0].name, sample] as const))('%s', (name, [error, code, ...named]) => {
    expect(error).toBeInstanceOf(Error);
    expect([error.code, error.name, error.constructor.name]).toEqual([code, name, name]);
    expect(isEventsError(error, code)).toBe(true);
    for (const part of named) expect(error.message).toContain(part);
    expect('cause' in error).toBe(false);
  });

  it('keep what is underneath', () => {
    expect(new RetryLater(1, { cause }).cause).toBe(cause);
    expect(new Reject('no', { cause }).cause).toBe(cause);
    expect(new BatchError([0], { cause }).cause).toBe(cause);
    expect(new HandlerTimeoutError('h', 1, { cause }).cause).toBe(cause);
    expect('cause' in new HandlerTimeoutError('h', 1, { cause: undefined })).toBe(false);
  });
});

const badly = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    return isEventsError(error) ? error.code : error;
  }
};

describe('RetryLater', () => {
  it.each([
    [0, 0],
    [250, 250],
    ['250ms', 250],
    ['5m', 300_000],
    ['1.5h', 5_400_000],
  ])('%p is %i ms', (given, delay) => {
    expect(new RetryLater(given).delay).toBe(delay);
  });

  it.each<[unknown]>([['soon'], [''], ['-1s'], [-1], [NaN], [Infinity], [undefined], [null], [{}], [Symbol('s')]])(
    'is not %p',
    (given) => {
      expect(badly(() => new RetryLater(given as never))).toBe('INVALID_OPTION');
    },
  );
});

describe('BatchError', () => {
  it('names each item once, and cannot be changed', () => {
    const given = [2, 0, 2];
    const error = new BatchError(given);
    expect(error.indexes).toEqual([2, 0]);
    expect(Object.isFrozen(error.indexes)).toBe(true);
    expect(Object.isFrozen(given)).toBe(false);
  });

  it('has a message of bounded length', () => {
    const { message } = new BatchError(Array.from({ length: 10_000 }, (_, index) => index));
    expect(message).toContain('10000 items');
    expect(message.length).toBeLessThan(200);
  });

  it.each<[unknown]>([
    [[]],
    [[-1]],
    [[0.5]],
    [[0, '1']],
    [[NaN]],
    [[undefined]],
    [new Array(2)],
    [1],
    ['0'],
    [undefined],
    [null],
    [{ 0: 1, length: 1 }],
    [new Set([1])],
  ])('is not of %p', (indexes) => {
    expect(badly(() => new BatchError(indexes as never))).toBe('INVALID_OPTION');
  });
});

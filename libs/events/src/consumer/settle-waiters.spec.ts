import { describe, expect, it } from '@jest/globals';
import { SettleWaiters } from './settle-waiters.js';

const failure = (handler: string): { handler: string; error: unknown } => ({ handler, error: new Error(handler) });

describe('SettleWaiters', () => {
  it('waits for every origin, and gathers what failed', async () => {
    const waiters = new SettleWaiters<string>();
    const settled = waiters.expect('1', 'a', ['x', 'y']);
    const first = waiters.claim('1', 'a', 'x');
    const second = waiters.claim('1', 'a', 'y');
    first?.settled([failure('h')]);
    expect(waiters.empty).toBe(false);
    second?.settled([failure('i')]);
    expect((await settled).map(({ handler }) => handler)).toEqual(['h', 'i']);
    expect(waiters.empty).toBe(true);
  });

  it('does not wait where nothing will come', async () => {
    expect(await new SettleWaiters().expect('1', 'a', [])).toEqual([]);
  });

  it('knows an event by type and id, and by where it came from', () => {
    const waiters = new SettleWaiters<string>();
    void waiters.expect('1', 'a', ['x']);
    expect(waiters.claim('1', 'b', 'x')).toBeUndefined();
    expect(waiters.claim('2', 'a', 'x')).toBeUndefined();
    expect(waiters.claim('1', 'a', 'y')).toBeUndefined();
    expect(waiters.claim('1', 'a', 'x')).toBeDefined();
    expect(waiters.claim('1', 'a', 'x')).toBeUndefined();
  });

  it('gives of two events with one id each its own failures, in the order of publishing, however they end', async () => {
    const waiters = new SettleWaiters<string>();
    const settled = [waiters.expect('1', 'a', ['x']), waiters.expect('1', 'a', ['x'])];
    const [first, second] = [waiters.claim('1', 'a', 'x'), waiters.claim('1', 'a', 'x')];
    second?.settled(undefined);
    first?.settled([failure('slow')]);
    const [of1, of2] = await Promise.all(settled);
    expect(of1?.map(({ handler }) => handler)).toEqual(['slow']);
    expect(of2).toEqual([]);
  });

  it('does not wait for deliveries that will not come, but for those that have', async () => {
    const waiters = new SettleWaiters<string>();
    const settled = waiters.expect('1', 'a', ['x', 'y']);
    const running = waiters.claim('1', 'a', 'x');
    waiters.recheck(() => ['x']);
    expect(waiters.empty).toBe(false);
    running?.settled([failure('h')]);
    expect(await settled).toHaveLength(1);
  });

  it('lets go of an event that was not stored, and of the latest of its id only', async () => {
    const waiters = new SettleWaiters<string>();
    const kept = waiters.expect('1', 'a', ['x']);
    const refused = waiters.expect('1', 'a', ['x']);
    waiters.forget('1', 'a');
    expect(await refused).toEqual([]);
    expect(waiters.empty).toBe(false);
    waiters.forgetAll();
    expect(await kept).toEqual([]);
    expect(waiters.empty).toBe(true);
  });
});

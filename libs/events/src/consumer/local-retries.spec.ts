import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../testing/clock.js';
import { LocalRetries } from './local-retries.js';

describe('LocalRetries', () => {
  it('gives each at its time', async () => {
    const clock = new TestClock();
    const due: string[] = [];
    const retries = new LocalRetries<string>(clock, (waiting) => due.push(waiting));
    expect([retries.add('later', 200), retries.add('sooner', 100), retries.add('now', 0)]).toEqual([true, true, true]);
    expect(due).toEqual([]);
    await clock.advance(99);
    expect(due).toEqual(['now']);
    await clock.advance(101);
    expect([due, clock.pending()]).toEqual([['now', 'sooner', 'later'], 0]);
  });

  it('lets 10,000 wait and no more, until one of them has had its time', async () => {
    const clock = new TestClock();
    const retries = new LocalRetries<number>(clock, () => undefined);
    expect(retries.add(0, 1)).toBe(true);
    for (let each = 1; each < 10_000; each++) retries.add(each, 1_000);
    expect([retries.add(10_000, 1), clock.pending()]).toEqual([false, 10_000]);
    await clock.advance(1);
    expect([retries.add(10_000, 1_000), retries.add(10_001, 1_000)]).toEqual([true, false]);
    retries.end();
  });

  it('gives at the end all that wait, and takes nothing more', async () => {
    const clock = new TestClock();
    const due: string[] = [];
    const retries = new LocalRetries<string>(clock, (waiting) => due.push(waiting));
    for (const [index, each] of ['a', 'b', 'c'].entries()) retries.add(each, index * 10);
    await clock.advance(0);
    expect(retries.end()).toEqual(['b', 'c']);
    expect([retries.end(), retries.add('d', 0), clock.pending()]).toEqual([[], false, 0]);
    await clock.advance(100);
    expect(due).toEqual(['a']);
  });
});

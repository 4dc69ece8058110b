import { describe, expect, it } from '@jest/globals';
import { ACK, type Settlement } from '../../core/delivery.js';
import type { Filter } from '../../core/filter.js';
import { compose, isPromise } from '../compose.js';
import { jobOf, RETRY } from '../handler.spec-kit.js';
import { failedBy, failure } from './failure.js';
import { filter } from './filter.js';

const DONE: Settlement = { kind: 'ack' };
const yes: Filter = () => true;
const no: Filter = () => false;
const soon =
  (answer: boolean): Filter =>
  () =>
    Promise.resolve(answer);
const unasked: Filter = () => {
  throw new Error('asked');
};

/** What comes of these filters, and whether the handler ran. */
async function run(...filters: Filter[]): Promise<'handled' | 'acknowledged'> {
  let runs = 0;
  const settlement = await compose([filter(filters)], () => {
    runs++;
    return DONE;
  })(jobOf());
  expect([settlement === DONE, settlement === ACK, runs]).toEqual(runs > 0 ? [true, false, 1] : [false, true, 0]);
  return runs > 0 ? 'handled' : 'acknowledged';
}

describe('filter', () => {
  it.each<[string, Filter[], 'handled' | 'acknowledged']>([
    ['none', [], 'handled'],
    ['yes', [yes], 'handled'],
    ['no', [no], 'acknowledged'],
    ['all yes', [yes, yes, yes], 'handled'],
    ['one no', [yes, no], 'acknowledged'],
    ['nobody asked after a no', [no, unasked], 'acknowledged'],
    ['a promised yes', [soon(true)], 'handled'],
    ['a promised no', [soon(false)], 'acknowledged'],
    ['nobody asked after a promised no', [soon(false), unasked], 'acknowledged'],
    ['promised and not, yes', [yes, soon(true), yes, soon(true)], 'handled'],
    ['promised and not, no at the end', [yes, soon(true), soon(true), no], 'acknowledged'],
    ['promised and not, a promised no', [soon(true), yes, soon(false), unasked], 'acknowledged'],
  ])('%s: %s', async (_, filters, outcome) => {
    expect(await run(...filters)).toBe(outcome);
  });

  it('costs no promise where no filter gives one', () => {
    expect(isPromise(compose([filter([yes, yes])], () => DONE)(jobOf()))).toBe(false);
    expect(isPromise(compose([filter([yes, no])], () => DONE)(jobOf()))).toBe(false);
  });

  it('asks each once, in order, with payload and context', async () => {
    const asked: unknown[] = [];
    const noting =
      (name: string, answer: boolean | Promise<boolean>): Filter =>
      (payload, context) => {
        asked.push([name, payload, context]);
        return answer;
      };
    const job = jobOf({ event: { text: '{"n":1}' } });
    const filters = [noting('first', true), noting('second', Promise.resolve(true)), noting('third', true)];
    await compose([filter(filters)], () => DONE)(job);
    expect(asked).toEqual(['first', 'second', 'third'].map((name) => [name, { n: 1 }, job.context]));
  });

  it('sees what a middleware before it made of the payload', async () => {
    const better = { of: 'a class' };
    let seen: unknown;
    const around = compose(
      [
        (job, next) => {
          job.payload = better;
          return next(job);
        },
        filter([
          (payload) => {
            seen = payload;
            return true;
          },
        ]),
      ],
      () => DONE,
    );
    await around(jobOf());
    expect(seen).toBe(better);
  });

  it.each<[string, Filter]>([
    ['throws', unasked],
    ['rejects', () => Promise.reject(new Error('asked'))],
  ])('makes it the handler’s failure when one %s', async (_, filtered) => {
    for (const filters of [[filtered], [yes, filtered], [soon(true), filtered, no]]) {
      const settlement = await compose([failure(failedBy(RETRY)), filter(filters)], () => DONE)(jobOf());
      expect(settlement).toMatchObject({ kind: 'retry', error: { message: 'asked' } });
    }
  });
});

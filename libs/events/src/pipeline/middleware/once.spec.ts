import { describe, expect, it } from '@jest/globals';
import { ACK, RELEASE } from '../../core/delivery.js';
import { eventOf, jobOf } from '../handler.spec-kit.js';
import { once } from './once.js';

describe('once', () => {
  it('lets one event through, with all its attempts, and tells with the first', () => {
    let used = 0;
    const seen: unknown[] = [];
    const middleware = once(() => used++);
    const next = (job: { readonly payload: unknown }): typeof ACK => {
      seen.push(job.payload);
      return ACK;
    };
    const run = (payload: number, failures: number): unknown =>
      middleware(jobOf({ event: eventOf({ text: String(payload) }), failures }), next);
    run(1, 0);
    run(2, 0);
    run(1, 1);
    expect([seen, used]).toEqual([[1, 1], 1]);
  });

  it('gives back what is for one handler only', () => {
    const middleware = once(() => undefined);
    const run = (mode: 'broadcast' | 'anycast'): unknown => middleware(jobOf({ event: eventOf({ mode }) }), () => ACK);
    run('anycast');
    expect([run('anycast'), run('broadcast')]).toEqual([RELEASE, ACK]);
  });
});

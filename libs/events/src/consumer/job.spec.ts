import { describe, expect, it } from '@jest/globals';
import { ACK, type Settlement } from '../core/delivery.js';
import { createScopeStorage, type Scope } from '../core/scope.js';
import { declarationOf, deliveryOf, eventOf, RETRY, SILENT } from '../pipeline/handler.spec-kit.js';
import { invokeStep } from '../pipeline/invoke.js';
import { failedBy } from '../pipeline/middleware/failure.js';
import { turns } from '../testing/clock.js';
import { Job } from './job.js';
import { HandlerEntry } from './registry.js';
import { Tracker } from './tracker.js';

interface Staged {
  readonly job: Job;
  readonly tracker: Tracker;
  /** Its settlement, and whose scope that was told in. */
  readonly ended: [Settlement, Scope | undefined][];
  /** Whose scope each line of its log was written in. */
  readonly logged: (Scope | undefined)[];
}

/** A job of this handler. */
function jobOf(handler: () => unknown): Staged {
  const storage = createScopeStorage();
  const ended: Staged['ended'] = [];
  const logged: Staged['logged'] = [];
  const log = (): void => void logged.push(storage.getStore());
  const declaration = declarationOf();
  const pipeline = { step: invokeStep(handler, undefined, failedBy(RETRY)) };
  const entry = new HandlerEntry(declaration, pipeline, { closed: false, held: () => undefined });
  const event = eventOf();
  const tracker = new Tracker(deliveryOf({ event }), () => undefined, undefined);
  const host = {
    ...{ bus: 'b', logger: { ...SILENT, error: log } },
    scope: storage,
    ended: (_: Job, settlement: Settlement) => void ended.push([settlement, storage.getStore()]),
    reply: () => Promise.reject(new Error('not here')),
  };
  return { job: new Job(host, event, entry, tracker, 1, 0), tracker, ended, logged };
}

describe('Job', () => {
  it('tells its settlement when the handler has ended, outside of its scope', async () => {
    for (const handler of [() => 7, () => Promise.resolve(7)]) {
      const { job, ended } = jobOf(handler);
      job.run();
      await turns();
      expect([ended, job.result]).toEqual([[[ACK, undefined]], 7]);
    }
  });

  it('logs a failure in its scope, thrown or rejected', async () => {
    const boom = new Error('boom');
    const handlers = [
      () => {
        throw boom;
      },
      () => Promise.reject(boom),
    ];
    for (const handler of handlers) {
      const { job, ended, logged } = jobOf(handler);
      job.run();
      await turns();
      expect(ended).toEqual([[expect.objectContaining({ kind: 'retry', error: boom }), undefined]]);
      expect(logged.map((scope) => scope === job)).toEqual([true]);
    }
  });

  it('has aborted with its delivery or by itself, whether its signal has been asked for or not', () => {
    for (const asked of [true, false]) {
      for (const by of ['delivery', 'itself']) {
        const { job, tracker } = jobOf(() => undefined);
        if (asked) expect(job.signal.aborted).toBe(false);
        expect(job.isAborted).toBe(false);
        (by === 'itself' ? job : tracker).abort(new Error('over'));
        expect([job.isAborted, job.signal.aborted]).toEqual([true, true]);
      }
    }
  });
});

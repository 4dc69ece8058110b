import { describe, expect, it } from '@jest/globals';
import { ACK, type Settlement } from '../core/delivery.js';
import { EventEnvelope, type EventMode } from '../core/envelope.js';
import type { EventContext } from '../core/context.js';
import type { EventsLogger } from '../ports/logger.js';
import { compose } from './compose.js';
import { invokeStep } from './invoke.js';
import type { HandlerJob } from './job.js';
import { deadLetter } from './middleware/dead-letter.js';

function jobOf(mode: EventMode = 'broadcast', ephemeral = false): HandlerJob & { readonly lines: string[] } {
  const event = new EventEnvelope({
    type: 'order.created',
    id: 'id-1',
    source: 's',
    sourceInstance: 'i',
    time: 0,
    mode,
  });
  const lines: string[] = [];
  const logger = { error: (message: string) => lines.push(message) } as unknown as EventsLogger;
  const context = { handler: 'Orders.on', attempt: 2 } as EventContext;
  const delivery = { event, type: event.type, attempt: 2, redelivered: false };
  return { event, delivery, context, logger, ephemeral, lines, result: undefined, error: undefined };
}

const run = (handler: () => unknown, job: HandlerJob): Settlement | Promise<Settlement> =>
  compose([deadLetter], invokeStep(handler))(job);

function fail(what: unknown): never {
  throw what;
}

describe('the dead-letter middleware', () => {
  it('lets success through, without a promise where there is none', () => {
    const job = jobOf();
    expect(run(() => 1, job)).toBe(ACK);
    expect([job.error, job.lines]).toEqual([undefined, []]);
  });

  it('makes a settlement of what is thrown or rejected, and one line that says whose and of what', async () => {
    for (const handler of [() => fail(new Error('boom')), () => Promise.reject(new Error('boom'))]) {
      const job = jobOf();
      expect(await run(handler, job)).toMatchObject({
        kind: 'dead-letter',
        reason: 'handler-failed',
        error: { message: 'boom' },
      });
      expect(job.error).toEqual(new Error('boom'));
      expect(job.lines).toHaveLength(1);
      for (const part of ['Orders.on', 'order.created', 'id-1', 'attempt 2', 'boom', 'dead letters']) {
        expect(job.lines[0]).toContain(part);
      }
    }
  });

  it('does not promise a dead letter where there is none', () => {
    for (const job of [jobOf('request'), jobOf('broadcast', true)]) {
      void run(() => fail(new Error('boom')), job);
      expect(job.lines[0]).not.toContain('dead letters');
    }
  });

  const unreadable = Object.defineProperty(new Error('x'), 'message', { get: () => fail(new Error('no')) });
  const odd: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['false', false],
    ['a symbol', Symbol('s')],
    ['an object without a prototype', Object.create(null)],
    ['an error whose message is an object', Object.assign(new Error('x'), { message: {} })],
    ['an error whose message cannot be read', unreadable],
  ];
  it.each(odd)('never fails itself: %s', async (_, thrown) => {
    const job = jobOf();
    expect(await run(() => fail(thrown), job)).toMatchObject({ kind: 'dead-letter' });
    expect(await run(() => Promise.reject(thrown as Error), job)).toMatchObject({ kind: 'dead-letter' });
    expect(job.error).toBeDefined();
    expect(job.lines).toHaveLength(2);
  });
});

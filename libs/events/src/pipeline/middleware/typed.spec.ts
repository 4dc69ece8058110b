import { describe, expect, it } from '@jest/globals';
import { IsPositive } from 'class-validator';
import { ACK, type Settlement } from '../../core/delivery.js';
import { EventEnvelope } from '../../core/envelope.js';
import { EventType, type EventClass } from '../../core/event-class.js';
import { Upcasters } from '../../core/upcasters.js';
import { EventContracts } from '../../validation/event-contracts.js';
import type { HandlerJob } from '../job.js';
import { typed } from './typed.js';

@EventType('order.paid', { version: 2 })
class Paid {
  @IsPositive() readonly amount!: number;
}

const classes = new Map<string, EventClass>([['order.paid', Paid]]);

function jobOf(type: string, payload: unknown, version = 2): HandlerJob {
  const event = new EventEnvelope({
    ...{ type, version, id: '1', source: 's', sourceInstance: 'i', time: 0, mode: 'broadcast' },
    text: JSON.stringify(payload),
  });
  return { event, payload: event.payload() } as HandlerJob;
}

async function outcome(job: HandlerJob, contracts = new EventContracts()): Promise<unknown> {
  const handled: unknown[] = [];
  const next = (given: HandlerJob): Settlement => {
    handled.push(given.payload);
    return ACK;
  };
  try {
    const settlement = await typed(classes, contracts)(job, next);
    return { settlement, handled };
  } catch (error) {
    return error;
  }
}

describe('the typed middleware', () => {
  it('gives an instance', async () => {
    expect(await outcome(jobOf('order.paid', { amount: 1 }))).toEqual({
      settlement: ACK,
      handled: [Object.assign(new Paid(), { amount: 1 })],
    });
  });

  it('leaves events of other types alone, which the handler hears by a pattern', async () => {
    const job = jobOf('order.sent', { amount: -1 }, 9);
    expect(await outcome(job)).toEqual({ settlement: ACK, handled: [{ amount: -1 }] });
  });

  it('refuses what breaks the rules, whether it is known at once or later', async () => {
    const contracts = new EventContracts();
    for (let attempt = 0; attempt < 2; attempt++)
      expect(await outcome(jobOf('order.paid', { amount: -1 }), contracts)).toMatchObject({
        reason: 'invalid',
        error: { issues: [{ path: 'amount', message: 'amount must be a positive number' }] },
      });
  });

  it('refuses versions that cannot be read', async () => {
    const error = { code: 'UNSUPPORTED_VERSION' };
    expect(await outcome(jobOf('order.paid', {}, 3))).toMatchObject({ reason: 'unsupported-version', error });
    expect(await outcome(jobOf('order.paid', {}, 1))).toMatchObject({ reason: 'unsupported-version', error });
  });

  it('takes the failure of an upcast for a failure', async () => {
    const upcasters = new Upcasters();
    const failure = new Error('away');
    upcasters.add(Paid, 1, 2, () => {
      throw failure;
    });
    expect(await outcome(jobOf('order.paid', {}, 1), new EventContracts(upcasters))).toBe(failure);
  });

  it('is not in the way of what the handler throws', () => {
    const failure = new Error('boom');
    const run = (): unknown =>
      typed(classes, new EventContracts())(jobOf('order.sent', {}), () => {
        throw failure;
      });
    expect(run).toThrow(failure);
  });
});

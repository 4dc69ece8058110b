import { describe, expect, it } from '@jest/globals';
import { EventType } from '../core/event-class.js';
import type { EventEnvelope } from '../core/envelope.js';
import { InvalidEventError, InvalidEventTypeError, InvalidOptionError } from '../core/errors.js';
import { HandlersFailedError } from '../core/publish-errors.js';
import { createScopeStorage } from '../core/scope.js';
import type { EventDriver } from '../ports/driver.js';
import { TestClock } from '../testing/clock.js';
import { EnvelopeFactory } from './envelope-factory.js';
import { Receipt } from './receipt.js';
import { Publisher, type LocalHandlers } from './publisher.js';
import type { PublishOptions } from './publish-options.js';

class OrderCreated {
  readonly n = 1;
}
EventType('order.created', { version: 3 })(OrderCreated);

function publisherOf(
  store: (event: EventEnvelope, preferLocal?: boolean) => number | Promise<number>,
  local: Partial<LocalHandlers> = {},
): Publisher {
  const clock = new TestClock();
  const envelopes = new EnvelopeFactory({
    service: 's',
    instanceId: 'i',
    maxPayload: 1_000,
    share: false,
    clock,
    scope: createScopeStorage(),
    loop: () => undefined,
  });
  const handlers = { expect: () => Promise.resolve([]), forget: () => undefined, ...local };
  return new Publisher({ publish: store } as unknown as EventDriver, envelopes, handlers, undefined);
}

describe('Publisher', () => {
  it('is synchronous where the driver is, and gives the time of storing', () => {
    const publisher = publisherOf(() => 5);
    const envelope = publisher.envelope('a', 1, undefined);
    const time = publisher.store(envelope, undefined);
    expect(time).toBe(5);
    const receipt = new Receipt(envelope, 5);
    expect(receipt).toMatchObject({ id: envelope.id, type: 'a', time: new Date(5) });
    expect(JSON.parse(JSON.stringify(receipt))).toEqual({
      id: envelope.id,
      type: 'a',
      time: new Date(5).toISOString(),
    });
  });

  it('waits where the driver does, and hands its error on', async () => {
    const publisher = publisherOf(() => Promise.resolve(7));
    expect(await publisher.store(publisher.envelope('a', 1, undefined), undefined)).toBe(7);
    const failing = publisherOf(() => Promise.reject(new Error('away')));
    await expect(failing.store(failing.envelope('a', 1, undefined), undefined)).rejects.toThrow('away');
  });

  it('takes type and version of an instance from its class', () => {
    expect(publisherOf(() => 0).envelope(new OrderCreated(), undefined, undefined)).toMatchObject({
      type: 'order.created',
      version: 3,
      text: '{"n":1}',
    });
  });

  it('knows the mode from the options', () => {
    const modeOf = (options?: PublishOptions): string => publisherOf(() => 0).envelope('a', 1, options).mode;
    expect([modeOf(), modeOf({}), modeOf({ target: 't' }), modeOf({ mode: 'anycast' })]).toEqual([
      'broadcast',
      'broadcast',
      'unicast',
      'anycast',
    ]);
  });

  const bad: PublishOptions[] = [
    { mode: 'request' as never },
    { mode: 'unicast' },
    { mode: 'anycast', target: 't' },
    { target: '' },
    { target: 7 as never },
    { settle: true, mode: 'anycast' },
    { settle: true, target: 't' },
    { preferLocal: true },
  ];
  it.each(bad)('refuses %j', (options) => {
    expect(() => publisherOf(() => 0).envelope('a', 1, options)).toThrow(InvalidOptionError);
  });

  it('refuses what is no event', () => {
    const publisher = publisherOf(() => 0);
    for (const event of [undefined, null, 7, () => 1, {}, []])
      expect(() => publisher.envelope(event as object, 1, undefined)).toThrow(InvalidEventError);
    expect(() => publisher.envelope('a..b', 1, undefined)).toThrow(InvalidEventTypeError);
  });

  it('waits for the handlers of this process with settle, and tells who failed', async () => {
    const failures = [{ handler: 'bad', error: new Error('boom') }];
    const asked: unknown[] = [];
    const expect_ = (id: string, type: string): Promise<typeof failures> => {
      asked.push([id, type]);
      return Promise.resolve(failures);
    };
    const publisher = publisherOf(() => 1, { expect: expect_ });
    const envelope = publisher.envelope('a', 1, { settle: true });
    await expect(publisher.store(envelope, { settle: true })).rejects.toThrow(HandlersFailedError);
    expect(asked).toEqual([[envelope.id, 'a']]);
  });

  it('forgets the wait when the event was not stored, also when the driver throws at once', async () => {
    const drivers = [() => Promise.reject(new Error('away')), (): never => { throw new Error('away'); }]; // prettier-ignore
    for (const store of drivers) {
      const forgotten: string[] = [];
      const publisher = publisherOf(store, { forget: (id) => forgotten.push(id) });
      const envelope = publisher.envelope('a', 1, { settle: true });
      await expect(publisher.store(envelope, { settle: true })).rejects.toThrow('away');
      expect(forgotten).toEqual([envelope.id]);
    }
  });
});

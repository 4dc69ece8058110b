import { describe, expect, it } from '@jest/globals';
import type { EventEnvelope } from '../core/envelope.js';
import { EventLoopError, InvalidOptionError, PayloadTooLargeError } from '../core/errors.js';
import { createScopeStorage } from '../core/scope.js';
import { TestClock } from '../testing/clock.js';
import { EnvelopeFactory, MAX_HOPS, type EnvelopeFactoryOptions } from './envelope-factory.js';
import type { PublishOptions } from './publish-options.js';

const scope = createScopeStorage();
const clock = new TestClock(1_000);
const factoryOf = (options: Partial<EnvelopeFactoryOptions> = {}): EnvelopeFactory =>
  new EnvelopeFactory({
    service: 'shop',
    instanceId: 'shop-1',
    maxPayload: 100,
    share: false,
    clock,
    scope,
    loop: () => undefined,
    ...options,
  });

describe('EnvelopeFactory', () => {
  it('says who publishes, when, and begins a chain', () => {
    const event = factoryOf().make('a', 2, { n: 1 }, 'broadcast');
    expect(event).toMatchObject({
      type: 'a',
      version: 2,
      source: 'shop',
      sourceInstance: 'shop-1',
      time: 1_000,
      hops: 0,
    });
    expect(event.text).toBe('{"n":1}');
    expect(event.correlationId).toBe(event.id);
    expect([event.causationId, event.inheritedCorrelationId]).toEqual([undefined, undefined]);
  });

  it('draws ids that sort in the order of the calls, whatever order they are read in', () => {
    const factory = factoryOf();
    const events = Array.from({ length: 1_000 }, () => factory.make('a', 1, undefined, 'broadcast'));
    const backwards = [...events].reverse().map((event) => event.id);
    const ids = events.map((event) => event.id);
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(1_000);
    expect(backwards.reverse()).toEqual(ids);
  });

  it('joins the chain of the event that is handled', () => {
    const event = { type: 'cause', id: 'cause', correlationId: 'chain', hops: 3, traceparent: '00-1-2-01' };
    const made = scope.run({ event }, () => factoryOf().make('a', 1, undefined, 'broadcast'));
    expect(made).toMatchObject({ hops: 4, causationId: 'cause', traceparent: '00-1-2-01', correlationId: 'chain' });
  });

  const cause = { type: 'cause', id: 'x', correlationId: 'chain', traceparent: undefined };

  it('refuses the event beyond the limit of hops, and tells of the loop', () => {
    const loops: EventLoopError[] = [];
    const factory = factoryOf({ loop: (error) => loops.push(error) });
    const make = (hops: number) => (): unknown =>
      scope.run({ event: { ...cause, hops } }, () => factory.make('a', 1, undefined, 'broadcast'));
    expect(make(MAX_HOPS - 1)).not.toThrow();
    expect(loops).toEqual([]);
    expect(make(MAX_HOPS)).toThrow(EventLoopError);
    expect(loops).toEqual([expect.objectContaining({ code: 'EVENT_LOOP' })]);
    expect(loops[0]?.message).toContain('chain');
  });

  describe('a notice of the library', () => {
    const notice = (hops: number, type = 'cause'): EventEnvelope | undefined =>
      scope.run({ event: { ...cause, type, hops } }, () =>
        factoryOf({ maxPayload: 1 }).notice('system.error', { n: 1 }),
      );

    it('is a broadcast event that begins a chain, whatever size it has', () => {
      const event = factoryOf({ maxPayload: 1 }).notice('system.startup', { n: 1 });
      expect(event).toMatchObject({ type: 'system.startup', mode: 'broadcast', source: 'shop', hops: 0, time: 1_000 });
      expect([event?.text, event?.correlationId]).toEqual(['{"n":1}', event?.id]);
    });

    it('goes on with the chain that it tells of, at the limit of hops too', () => {
      expect(notice(3)).toMatchObject({ hops: 4, correlationId: 'chain', causationId: 'x' });
      expect(notice(MAX_HOPS)).toMatchObject({ hops: MAX_HOPS, correlationId: 'chain' });
      expect(notice(MAX_HOPS - 1, 'system.error')).toMatchObject({ hops: MAX_HOPS });
    });

    it('is none where notices go round in a circle', () => {
      expect(notice(MAX_HOPS, 'system.error')).toBeUndefined();
    });
  });

  it('hands over by reference where it shall, unchecked', () => {
    const payload = { self: 1n };
    const event = factoryOf({ share: true }).make('a', 1, payload, 'broadcast');
    expect(event.payload()).toBe(payload);
    expect(event.text).toBeUndefined();
  });

  it('takes what the publisher chose', () => {
    const options: PublishOptions = {
      id: 'my id'.replace(' ', '-'),
      source: 'import',
      correlationId: 'c',
      headers: { a: 'b' },
    };
    const event = factoryOf().make('a', 1, undefined, 'unicast', { ...options, target: 't' });
    expect(event).toMatchObject({
      id: 'my-id',
      source: 'import',
      correlationId: 'c',
      headers: { a: 'b' },
      target: 't',
    });
    expect(Object.isFrozen(event.headers)).toBe(true);
  });

  const bad: [string, PublishOptions][] = [
    ['an empty id', { id: '' }],
    ['an id with a space', { id: 'a b' }],
    ['an id beyond 128 characters', { id: 'x'.repeat(129) }],
    ['a source that is no text', { source: 7 as never }],
    ['headers that are not text', { headers: { a: 1 as never } }],
    ['headers of a wrong name', { headers: { 'a:b': '' } }],
    ['headers that are no object', { headers: null as never }],
  ];
  it.each(bad)('refuses %s', (_, options) => {
    expect(() => factoryOf().make('a', 1, undefined, 'broadcast', options)).toThrow(InvalidOptionError);
  });

  it('refuses what is too large', () => {
    expect(() => factoryOf().make('a', 1, 'x'.repeat(99), 'broadcast')).toThrow(PayloadTooLargeError);
  });
});

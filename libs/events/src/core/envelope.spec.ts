import { describe, expect, it } from '@jest/globals';
import { EventEnvelope, NO_HEADERS, type EnvelopeInit } from './envelope.js';
import { IdGenerator } from './id.js';

const NOW = Date.UTC(2026, 10, 20);

const init: EnvelopeInit = {
  type: 'order.created',
  id: 'id-1',
  source: 'orders',
  sourceInstance: 'orders-1',
  time: NOW,
  mode: 'broadcast',
};
const { id: _id, ...withoutId } = init;

describe('EventEnvelope', () => {
  it('has a default for everything that may be left out', () => {
    expect(new EventEnvelope(init)).toMatchObject({
      ...init,
      target: undefined,
      version: 1,
      hops: 0,
      correlationId: 'id-1',
      inheritedCorrelationId: undefined,
      causationId: undefined,
      traceparent: undefined,
      headers: {},
      text: undefined,
      size: 0,
    });
    expect(new EventEnvelope(init).headers).toBe(NO_HEADERS);
    expect(Object.isFrozen(NO_HEADERS)).toBe(true);
  });

  it('carries what it is given', () => {
    const given = {
      ...init,
      mode: 'unicast' as const,
      target: 'billing-1',
      version: 3,
      hops: 2,
      correlationId: 'id-0',
      causationId: 'id-00',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      headers: { tenant: 't' },
      text: '{"a":1}',
    };
    expect(new EventEnvelope(given)).toMatchObject(given);
  });

  describe('id', () => {
    it('is drawn now and spelled when read', () => {
      const ids = new IdGenerator();
      const [first, second] = [1, 2].map(() => new EventEnvelope(withoutId).drawId(ids));
      const later = new EventEnvelope({ ...withoutId, time: NOW + 5 }).drawId(ids);
      const read = [later.id, second?.id ?? '', first?.id ?? ''];
      expect(read.toSorted()).toEqual(read.toReversed());
      expect(new Set(read).size).toBe(3);
      expect(first?.id).toBe(read[2]);
    });

    it('stays when the backend corrects the time', () => {
      const ids = new IdGenerator();
      const envelope = new EventEnvelope(withoutId).drawId(ids);
      envelope.time = NOW + 1_000;
      expect(envelope.id.replaceAll('-', '').slice(0, 12)).toBe(NOW.toString(16).padStart(12, '0'));
    });

    it('is the given one, also when another is drawn', () => {
      expect(new EventEnvelope(init).drawId(new IdGenerator()).id).toBe('id-1');
    });

    it('is empty until it is drawn, and reading it early does no harm', () => {
      const envelope = new EventEnvelope(withoutId);
      expect([envelope.id, envelope.correlationId]).toEqual(['', '']);
      envelope.drawId(new IdGenerator());
      expect(envelope.id).toHaveLength(36);
      expect(envelope.correlationId).toBe(envelope.id);
    });
  });

  describe('correlationId', () => {
    it('is the own id at the start of a chain', () => {
      const envelope = new EventEnvelope(withoutId).drawId(new IdGenerator());
      expect(envelope.inheritedCorrelationId).toBeUndefined();
      expect(envelope.correlationId).toBe(envelope.id);
      expect(envelope.inheritedCorrelationId).toBeUndefined();
    });

    it('is inherited along a chain', () => {
      const envelope = new EventEnvelope({ ...withoutId, correlationId: 'id-0' }).drawId(new IdGenerator());
      expect(envelope.inheritedCorrelationId).toBe('id-0');
      expect(envelope.correlationId).toBe('id-0');
      expect(envelope.id).not.toBe('id-0');
    });

    it('is not inherited when it was given as the own id', () => {
      const envelope = new EventEnvelope({ ...init, correlationId: 'id-1' });
      expect(envelope.correlationId).toBe('id-1');
      expect(envelope.inheritedCorrelationId).toBeUndefined();
    });
  });

  describe('payload', () => {
    it('is read once, frozen, and the same for everybody', () => {
      const envelope = new EventEnvelope({ ...init, text: '{"a":{"b":1},"__proto__":{"c":1}}' });
      const payload = envelope.payload() as { a: object };
      expect(payload).toEqual({ a: { b: 1 } });
      expect(Object.isFrozen(payload) && Object.isFrozen(payload.a)).toBe(true);
      expect(envelope.payload()).toBe(payload);
    });

    it('tells no payload from null', () => {
      expect(new EventEnvelope(init).payload()).toBeUndefined();
      expect(new EventEnvelope({ ...init, text: 'null' }).payload()).toBeNull();
    });

    it('throws every time when the text is not JSON', () => {
      const envelope = new EventEnvelope({ ...init, text: '{"a":' });
      expect(() => envelope.payload()).toThrow(SyntaxError);
      expect(() => envelope.payload()).toThrow(SyntaxError);
    });

    it('is the shared value itself, undefined included', () => {
      const shared = { when: new Date(0) };
      expect(new EventEnvelope({ ...init, text: '{}' }).share(shared).payload()).toBe(shared);
      expect(new EventEnvelope({ ...init, text: '{}' }).share(undefined).payload()).toBeUndefined();
    });

    it('counts with the characters of its text', () => {
      expect(new EventEnvelope({ ...init, text: '{"a":1}' }).size).toBe(7);
      expect(new EventEnvelope(init).share({ a: 1 }).size).toBe(0);
    });
  });
});

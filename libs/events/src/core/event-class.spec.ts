import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { EventType, eventTypeOf } from './event-class.js';

describe('@EventType', () => {
  it('says type, version and schema of the class itself', () => {
    const schema = z.object({ id: z.string() });

    @EventType('order.created', { version: 2, schema })
    class Order {}
    class Special extends Order {}
    expect(eventTypeOf(Order)).toEqual({ type: 'order.created', version: 2, schema });
    expect(eventTypeOf(Special)).toBeUndefined();
  });

  it('takes a schema that is a function, as those of ArkType are', () => {
    const schema = Object.assign(() => 0, {
      '~standard': { version: 1 as const, vendor: 'own', validate: () => ({ value: 0 }) },
    });
    expect(() => EventType('x', { schema })).not.toThrow();
  });

  it.each([null, {}, 'schema', z, { '~standard': { version: 2, validate: () => 0 } }, { '~standard': { version: 1 } }])(
    'refuses what follows no Standard Schema v1: %#',
    (schema) => {
      expect(() => EventType('x', { schema: schema as never })).toThrow("@EventType('x') schema");
    },
  );
});

import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Type } from 'class-transformer';
import { IsArray, IsDate, IsInt, IsOptional, IsPositive, IsString, ValidateNested } from 'class-validator';
import * as v from 'valibot';
import { z } from 'zod';
import { EventEnvelope } from '../core/envelope.js';
import type { EventValidationError } from '../core/errors.js';
import { EventType, eventTypeOfInstance, type EventClass } from '../core/event-class.js';
import type { StandardSchema } from '../core/standard-schema.js';
import { Upcasters } from '../core/upcasters.js';
import { EventContracts } from './event-contracts.js';

const attributes = { id: '1', source: 's', sourceInstance: 'i', time: 0, mode: 'broadcast' } as const;

function envelopeOf(event: object, version?: number): EventEnvelope {
  const info = eventTypeOfInstance(event);
  return new EventEnvelope({ ...attributes, ...info, ...(version && { version }), text: JSON.stringify(event) });
}

function contractsOf(target: EventClass, contracts = new EventContracts()) {
  const contract = contracts.of(target);
  if (contract === undefined) throw new Error('no event class');
  const { type } = eventTypeOfInstance(Object.create((target as unknown as { prototype: object }).prototype) as object);
  return {
    check: async (event: object): Promise<void> => contract.check(event, envelopeOf(event)),
    read: async (payload: unknown, version = 1): Promise<unknown> =>
      contract.read(new EventEnvelope({ ...attributes, type, version, text: JSON.stringify(payload) })),
    contract,
  };
}

const issuesOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'good',
    (error: unknown) => (error as EventValidationError).issues,
  );

class Line {
  @IsString() sku!: string;
  @IsPositive() price!: number;
  get label(): string {
    return `${this.sku} for ${String(this.price)}`;
  }
}

@EventType('order.created')
class Order {
  @IsString() id!: string;
  @IsDate() @Type(() => Date) at!: Date;
  @IsArray() @ValidateNested({ each: true }) @Type(() => Line) lines!: Line[];
  @IsOptional() @IsInt() count?: number;
}

function order(changes: object = {}): Order {
  const line = Object.assign(new Line(), { sku: 'a', price: 2 });
  return Object.assign(new Order(), { id: 'o', at: new Date(5), lines: [line] }, changes);
}

describe('a class with class-validator and class-transformer decorators', () => {
  it('is checked before it is published', async () => {
    const { check } = contractsOf(Order);
    await check(order());
    expect(await issuesOf(check(order({ id: 7 })))).toEqual([{ path: 'id', message: 'id must be a string' }]);
    const wrong = Object.assign(new Line(), { sku: 'b', price: -1 });
    const issues = await issuesOf(check(order({ lines: [order().lines[0], wrong], count: 0.5 })));
    expect(issues).toEqual([
      { path: 'lines[1].price', message: 'price must be a positive number' },
      { path: 'count', message: 'count must be an integer number' },
    ]);
  });

  it('is synchronous once the packages are loaded', async () => {
    const { check, read, contract } = contractsOf(Order);
    await check(order());
    await read(order());
    expect(contract.check(order(), envelopeOf(order()))).toBeUndefined();
    expect(contract.read(envelopeOf(order()))).toBeInstanceOf(Order);
    expect(() => contract.check(order({ id: 1 }), envelopeOf(order()))).toThrow('id must be a string');
  });

  it('comes back with dates, nested classes and arrays of them, deep-frozen', async () => {
    const read = (await contractsOf(Order).read(order())) as Order;
    expect(read).toBeInstanceOf(Order);
    expect(read).toEqual(order());
    expect(read.at).toBeInstanceOf(Date);
    expect(read.lines[0]).toBeInstanceOf(Line);
    expect(read.lines[0]?.label).toBe('a for 2');
    for (const each of [read, read.at, read.lines, read.lines[0]]) expect(Object.isFrozen(each)).toBe(true);
  });

  it('is checked when it comes', async () => {
    const { read } = contractsOf(Order);
    expect(await issuesOf(read({ id: 1, at: 'never', lines: [{ sku: 'a', price: 0 }] }))).toEqual([
      { path: 'id', message: 'id must be a string' },
      { path: 'at', message: 'at must be a Date instance' },
      { path: 'lines[0].price', message: 'price must be a positive number' },
    ]);
    for (const payload of [null, 1, 'x', [order()]])
      expect(await issuesOf(read(payload))).toEqual([{ path: '', message: 'it must be an object' }]);
  });

  it('has rules by inheritance too', async () => {
    @EventType('order.special')
    class Special extends Order {}
    const event = Object.assign(new Special(), order());
    expect(await issuesOf(contractsOf(Special).check(Object.assign(event, { id: 1 })))).toHaveLength(1);
    const read = (await contractsOf(Special).read(order())) as Special;
    expect(read).toBeInstanceOf(Special);
    expect(read.at).toEqual(new Date(5));
  });
});

describe('a class without rules', () => {
  @EventType('plain')
  class Plain {
    readonly n!: number;
    get twice(): number {
      return this.n * 2;
    }
  }

  it('gives frozen instances', async () => {
    const { check, read } = contractsOf(Plain);
    await check(new Plain());
    const value = (await read({ n: 2, inner: { n: 1 } })) as Plain & { inner: object };
    expect(value).toBeInstanceOf(Plain);
    expect(value.twice).toBe(4);
    expect([Object.isFrozen(value), Object.isFrozen(value.inner)]).toEqual([true, true]);
  });

  it('takes what comes, as it came', async () => {
    const { read } = contractsOf(Plain);
    expect(await read(undefined)).toBeUndefined();
    expect(await read([1])).toEqual([1]);
    expect(await read('x')).toBe('x');
    expect(Object.entries((await read({ twice: 1, n: 2 })) as Plain)).toEqual([
      ['twice', 1],
      ['n', 2],
    ]);
  });

  it('gives one value an event', async () => {
    const { contract } = contractsOf(Plain);
    contract.join().join();
    const event = envelopeOf(Object.assign(new Plain(), { n: 1 }));
    const [first, second] = await Promise.all([contract.read(event), contract.read(event)]);
    expect(second).toBe(first);
    expect(contract.read(event)).toBe(first);
  });

  it('hands over by reference what was published by reference', async () => {
    const { contract } = contractsOf(Plain);
    const event = Object.assign(new Plain(), { n: 1 });
    const shared = (payload: object) => new EventEnvelope({ ...attributes, type: 'plain' }).share(payload);
    expect(await contract.read(shared(event))).toBe(event);
    expect(Object.isFrozen(event)).toBe(false);
    const inner = {};
    expect(await contract.read(shared({ n: 1, inner }))).toBeInstanceOf(Plain);
    expect(Object.isFrozen(inner)).toBe(false);
  });
});

const zodSchema = z.object({
  id: z.string(),
  at: z.coerce.date(),
  lines: z.array(z.object({ price: z.number().positive() })),
  currency: z.string().default('EUR'),
});
const valibotSchema = v.object({
  id: v.string(),
  at: v.pipe(
    v.string(),
    v.isoTimestamp(),
    v.transform((text) => new Date(text)),
  ),
  lines: v.array(v.object({ price: v.pipe(v.number(), v.gtValue(0)) })),
  currency: v.optional(v.string(), 'EUR'),
});
const asynchronous: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'own',
    validate: async (value) => {
      await Promise.resolve();
      return zodSchema['~standard'].validate(value);
    },
  },
};

describe.each([
  ['zod', zodSchema],
  ['valibot', valibotSchema],
  ['asynchronous', asynchronous],
])('a class with a schema: %s', (_, schema) => {
  @EventType('schema.order', { schema })
  class SchemaOrder {
    readonly id!: string;
    readonly at!: Date;
    readonly lines!: readonly { readonly price: number }[];
    readonly currency?: string;
  }
  const event = (changes: object = {}): SchemaOrder =>
    Object.assign(new SchemaOrder(), { id: 'o', at: new Date(5), lines: [{ price: 1 }] }, changes);

  it('is checked, as JSON, before it is published', async () => {
    const { check } = contractsOf(SchemaOrder);
    await check(event());
    const issues = await issuesOf(check(event({ lines: [{ price: 1 }, { price: -1 }] })));
    expect(issues).toEqual([expect.objectContaining({ path: 'lines[1].price' })]);
  });

  it('gives handlers what the schema makes, as an instance, deep-frozen', async () => {
    const value = (await contractsOf(SchemaOrder).read(Object.assign(event(), { unknown: 1 }))) as SchemaOrder;
    expect(value).toBeInstanceOf(SchemaOrder);
    expect(value).toEqual(event({ currency: 'EUR' }));
    expect(value.at).toBeInstanceOf(Date);
    for (const each of [value, value.at, value.lines, value.lines[0]]) expect(Object.isFrozen(each)).toBe(true);
  });

  it('is checked when it comes', async () => {
    expect(await issuesOf(contractsOf(SchemaOrder).read({ id: 1 }))).toEqual(
      ['id', 'at', 'lines'].map((path) => expect.objectContaining({ path }) as unknown),
    );
  });

  it('is read as JSON also where it is handed over by reference', async () => {
    const { contract } = contractsOf(SchemaOrder);
    const envelope = new EventEnvelope({ ...attributes, type: 'schema.order' }).share(Object.assign({}, event()));
    expect(await contract.read(envelope)).toEqual(event({ currency: 'EUR' }));
  });
});

describe('schema and decorators together', () => {
  const schema = z.object({ n: z.coerce.number() });

  @EventType('both', { schema })
  class Both {
    @IsPositive() readonly n!: number;
  }

  it('apply both, the schema first', async () => {
    const { read, check } = contractsOf(Both);
    expect(await read({ n: '5' })).toEqual(Object.assign(new Both(), { n: 5 }));
    expect(await issuesOf(read({ n: 'x' }))).toEqual([
      expect.objectContaining({ path: 'n', message: expect.stringContaining('expected number') as unknown }),
    ]);
    expect(await issuesOf(read({ n: '-5' }))).toEqual([{ path: 'n', message: 'n must be a positive number' }]);
    expect(await issuesOf(check(Object.assign(new Both(), { n: -1 })))).toHaveLength(1);
  });
});

describe('versions', () => {
  @EventType('order.paid', { version: 3 })
  class Paid {
    @IsInt() readonly cents!: number;
    @IsString() readonly currency!: string;
  }
  const upcasters = new Upcasters();
  upcasters.add(Paid, 1, undefined, ({ amount }: { amount: number }) => ({ cents: amount * 100 }));
  upcasters.add(Paid, 2, undefined, async (payload: object) => Promise.resolve({ ...payload, currency: 'EUR' }));
  const paid = Object.assign(new Paid(), { cents: 500, currency: 'EUR' });

  it('are brought to that of the class, then checked', async () => {
    const { read } = contractsOf(Paid, new EventContracts(upcasters));
    expect(await read({ amount: 5 }, 1)).toEqual(paid);
    expect(await read({ cents: 500 }, 2)).toEqual(paid);
    expect(await read(paid, 3)).toEqual(paid);
    expect(await issuesOf(read({ amount: 0.001 }, 1))).toEqual([
      { path: 'cents', message: expect.any(String) as unknown },
    ]);
    await expect(read(paid, 4)).rejects.toMatchObject({ code: 'UNSUPPORTED_VERSION' });
  });

  it('an upcast that failed is tried again with the next attempt', async () => {
    let calls = 0;
    const failing = new Upcasters();
    failing.add(Paid, 2, 3, () => (++calls === 1 ? Promise.reject(new Error('away')) : paid));
    const { contract } = contractsOf(Paid, new EventContracts(failing));
    contract.join().join();
    const event = envelopeOf(paid, 2);
    await expect(contract.read(event)).rejects.toThrow('away');
    expect(await contract.read(event)).toEqual(paid);
  });
});

it('there is no contract of a class without @EventType of its own', () => {
  expect(new EventContracts().of(class extends Order {})).toBeUndefined();
});

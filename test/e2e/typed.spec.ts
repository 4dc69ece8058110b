import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Scope, type ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Type } from 'class-transformer';
import { IsDate, IsIn, IsPositive, IsString, IsUUID, ValidateNested } from 'class-validator';
import {
  createEventBus,
  CronEvents,
  DataEvents,
  EventService,
  EventsModule,
  EventType,
  EventValidationError,
  OnEvent,
  Upcast,
  UserEvents,
  type EventContext,
  type EventsLogger,
} from 'nestjs-cardinal';
import { z } from 'zod';

const lines: string[] = [];
const logger: EventsLogger = {
  log: () => {},
  debug: () => {},
  warn: () => {},
  error: (line) => void lines.push(line),
};
let app: TestingModule | undefined;
const seen: unknown[] = [];

afterEach(async () => {
  await app?.close();
  app = undefined;
  seen.length = 0;
  lines.length = 0;
});

async function start(metadata: ModuleMetadata): Promise<EventService> {
  const imports = [EventsModule.forRoot({ env: false, service: 'shop', logger }), ...(metadata.imports ?? [])];
  app = await Test.createTestingModule({ ...metadata, imports }).compile();
  await app.init();
  return app.get(EventService);
}

async function startError(...providers: NonNullable<ModuleMetadata['providers']>): Promise<string> {
  return start({ providers }).then(
    () => 'it started',
    (error: unknown) => (error as Error).message,
  );
}

class Line {
  @IsString() readonly sku!: string;
  @IsPositive() readonly price!: number;
}

@EventType('order.created', { version: 3 })
class OrderCreated {
  @IsUUID() readonly orderId!: string;
  @IsIn(['EUR', 'USD']) readonly currency!: string;
  @IsDate() @Type(() => Date) readonly at!: Date;
  @ValidateNested({ each: true }) @Type(() => Line) readonly lines!: readonly Line[];
  get total(): number {
    return this.lines.reduce((sum, { price }) => sum + price, 0);
  }
}

@EventType('user.registered', {
  schema: z.object({ email: z.email(), since: z.coerce.date(), roles: z.array(z.string()).default([]) }),
})
class UserRegistered {
  readonly email!: string;
  readonly since!: Date;
  readonly roles?: readonly string[];
}

const orderId = '0b7e6cd4-6ec4-4a8b-9d0c-9f5d8d3a4b11';

function order(changes: object = {}): OrderCreated {
  const first = Object.assign(new Line(), { sku: 'a', price: 2 });
  const event = {
    orderId,
    currency: 'EUR',
    at: new Date(5),
    lines: [first, Object.assign(new Line(), { sku: 'b', price: 3 })],
  };
  return Object.assign(new OrderCreated(), event, changes);
}

@Injectable()
class Orders {
  @OnEvent(OrderCreated)
  created(event: OrderCreated): void {
    seen.push(event);
  }

  @OnEvent(UserRegistered)
  registered(event: UserRegistered): void {
    seen.push(event);
  }
}

@Injectable()
class OrderVersions {
  private readonly currency = 'EUR';

  @Upcast(OrderCreated, { from: 1 })
  splitLines({ sku, price, ...rest }: { sku: string; price: number }): object {
    return { ...rest, lines: [{ sku, price }] };
  }

  @Upcast(OrderCreated, { from: 2, to: 3 })
  async addCurrency(payload: object): Promise<object> {
    return Promise.resolve({ ...payload, currency: this.currency });
  }
}

describe('publishing an instance', () => {
  it('that breaks its class-validator rules rejects, and nobody gets it', async () => {
    const events = await start({ providers: [Orders] });
    const bad = order({ orderId: 7, lines: [Object.assign(new Line(), { sku: 'a', price: -1 })] });
    for (let attempt = 0; attempt < 2; attempt++) {
      const error: unknown = await events.publish(bad, { settle: true }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(EventValidationError);
      expect((error as EventValidationError).issues).toEqual([
        { path: 'orderId', message: 'orderId must be a UUID' },
        { path: 'lines[0].price', message: 'price must be a positive number' },
      ]);
    }
    await events.publish(order(), { settle: true });
    expect(seen).toHaveLength(1);
  });

  it('that breaks its schema rejects, and nobody gets it', async () => {
    const events = await start({ providers: [Orders] });
    const bad = Object.assign(new UserRegistered(), { email: 'nobody', since: new Date(0) });
    await expect(events.publish(bad, { settle: true })).rejects.toMatchObject({
      code: 'VALIDATION',
      issues: [{ path: 'email' }],
    });
    expect(seen).toEqual([]);
  });

  it('that is good gives handlers an instance with dates and nested instances, deep-frozen', async () => {
    const events = await start({ providers: [Orders] });
    await events.publish(order(), { settle: true });
    await events.publish(Object.assign(new UserRegistered(), { email: 'a@b.de', since: new Date(7) }), {
      settle: true,
    });
    const [created, registered] = seen as [OrderCreated, UserRegistered];
    expect(created).toBeInstanceOf(OrderCreated);
    expect(created).toEqual(order());
    expect(created.total).toBe(5);
    expect(created.lines[1]).toBeInstanceOf(Line);
    expect(registered).toBeInstanceOf(UserRegistered);
    expect(registered).toEqual({ email: 'a@b.de', since: new Date(7), roles: [] });
    for (const each of [created, created.at, created.lines, created.lines[0], registered, registered.roles])
      expect(Object.isFrozen(each)).toBe(true);
  });
});

describe('a payload that comes by text', () => {
  it('and breaks the rules reaches no handler, and becomes a dead letter', async () => {
    const events = await start({ providers: [Orders, OrderVersions] });
    const publishing = events.publish('user.registered', { email: 'a@b.de', since: 'never' }, { settle: true });
    await expect(publishing).rejects.toMatchObject({
      code: 'HANDLERS_FAILED',
      failures: [{ handler: 'Orders.registered', error: { code: 'VALIDATION', issues: [{ path: 'since' }] } }],
    });
    expect(seen).toEqual([]);
    expect(lines).toEqual([expect.stringContaining('it goes to the dead letters (invalid)')]);
  });
});

describe('versions', () => {
  it('older payloads go through the chain of @Upcast methods', async () => {
    const events = await start({ providers: [Orders, OrderVersions] });
    const first = { orderId, at: new Date(5), sku: 'a', price: 2 };
    await events.publish('order.created', first, { settle: true });
    expect(seen).toEqual([order({ lines: [Object.assign(new Line(), { sku: 'a', price: 2 })] })]);
    expect(seen[0]).toBeInstanceOf(OrderCreated);
  });

  it('a newer payload is refused with a reason that says to upgrade; by text it is handled', async () => {
    @EventType('order.created', { version: 4 })
    class Newer {}

    @Injectable()
    class Audit {
      @OnEvent('order.*')
      any(_: unknown, { version }: EventContext): void {
        seen.push(version);
      }
    }
    const events = await start({ providers: [Orders, OrderVersions, Audit] });
    await expect(events.publish(new Newer(), { settle: true })).rejects.toMatchObject({
      failures: [{ handler: 'Orders.created', error: { code: 'UNSUPPORTED_VERSION' } }],
    });
    expect(seen).toEqual([4]);
    expect(lines[0]).toMatch(/version 4; this process knows 3: upgrade it.*\(unsupported-version\)/);
  });

  it('outside Nest: the option upcasts', async () => {
    @EventType('order.sent', { version: 2 })
    class Sent {
      readonly parcels!: readonly string[];
    }
    const bus = await createEventBus({
      env: false,
      logger,
      upcasts: [{ event: Sent, from: 1, upcast: ({ parcel }: { parcel: string }) => ({ parcels: [parcel] }) }],
    });
    await bus.subscribe(Sent, (event) => void seen.push(event));
    await bus.publish('order.sent', { parcel: 'p' }, { settle: true });
    await bus.close();
    expect(seen).toEqual([Object.assign(new Sent(), { parcels: ['p'] })]);
    expect(seen[0]).toBeInstanceOf(Sent);
    await expect(
      createEventBus({ env: false, logger, upcasts: [{ event: Sent, from: 2, upcast: () => 0 }] }),
    ).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});

describe('an @Upcast that would not work is an error at start', () => {
  it('two from one version', async () => {
    @Injectable()
    class Again {
      @Upcast(OrderCreated, { from: 1 })
      other(payload: unknown): unknown {
        return payload;
      }
    }
    expect(await startError(OrderVersions, Again)).toMatch(
      /Again\.other.*'order.created' has two upcasts from version 1: OrderVersions\.splitLines .* and Again\.other/,
    );
  });

  it('a class without @EventType, a version that the class does not have, no options', async () => {
    class Plain {
      readonly id = 1;
    }

    @Injectable()
    class Wrong {
      @Upcast(Plain, { from: 1 })
      plain(): void {}

      @Upcast(OrderCreated, { from: 3 })
      last(): void {}

      @Upcast(OrderCreated, undefined as never)
      nothing(): void {}
    }
    const message = await startError(Wrong);
    expect(message).toMatch(/Wrong\.plain \(\w+\): @Upcast needs a class with @EventType, not Plain/);
    expect(message).toMatch(/Wrong\.last \(\w+\): upcast of 'order.created', from: got 3/);
    expect(message).toMatch(/Wrong\.nothing \(\w+\): upcast of 'order.created', from: got nothing/);
  });

  it('on a static method, a provider that is made per event, a class that is no provider for events', async () => {
    class Static {
      readonly id = 1;

      @Upcast(OrderCreated, { from: 1 })
      static up(): void {}
    }
    expect(await startError(Static)).toMatch(/Static\.up \(\w+\): it is static/);

    @Injectable({ scope: Scope.REQUEST })
    class PerEvent {
      @Upcast(OrderCreated, { from: 1 })
      up(): void {}
    }
    expect(await startError(PerEvent)).toMatch(/PerEvent\.up \(\w+\): @Upcast needs a provider of which there is one/);

    const message = await startError({ provide: 'all', useValue: [new OrderVersions()] });
    expect(message).toMatch(/OrderVersions \(\w+\) has @Upcast methods, but an instance is inside an array/);
  });
});

it('the common names are those of the documents', () => {
  expect(Object.values({ ...UserEvents, ...DataEvents })).toEqual([
    ...['user.login', 'user.logout', 'user.registered'],
    ...['data.created', 'data.updated', 'data.deleted'],
  ]);
  expect(Object.values(CronEvents)).toEqual(
    ['created', 'updated', 'deleted', 'executed', 'failed', 'completed'].map((what) => `cron.task.${what}`),
  );
});

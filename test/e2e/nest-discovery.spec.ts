import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module, Scope, type ModuleMetadata, type Type } from '@nestjs/common';
import { ContextIdFactory, ModuleRef, REQUEST, type HostComponentInfo } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { of } from 'rxjs';
import {
  EventRequest,
  EventService,
  EventsModule,
  EventType,
  OnEvent,
  type EventContext,
  type EventHandler,
  type EventsLogger,
} from 'nestjs-cardinal';

const quiet: EventsLogger = { log: () => {}, debug: () => {}, warn: () => {}, error: () => {} };
let app: TestingModule | undefined;

afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(metadata: ModuleMetadata): Promise<EventService> {
  const imports = [EventsModule.forRoot({ env: false, service: 'shop', logger: quiet }), ...(metadata.imports ?? [])];
  app = await Test.createTestingModule({ ...metadata, imports }).compile();
  await app.init();
  return app.get(EventService);
}

/** Publishes and waits until the handlers of this process have run. */
async function settled(events: EventService, type: string, payload?: unknown): Promise<void> {
  await events.publish(type, payload, { settle: true });
}

const seen: string[] = [];
const see = (what: string): void => void seen.push(what);
afterEach(() => {
  seen.length = 0;
});

@Injectable()
class Orders {
  @OnEvent('order.created')
  onCreated(payload: { id: string }): void {
    see(`orders ${payload.id}`);
  }
}

describe('what is discovered', () => {
  it('handlers of providers and controllers, with payload and context', async () => {
    const contexts: EventContext[] = [];

    @Controller('orders')
    class OrdersController {
      @OnEvent('order.*')
      async onAny(payload: { id: string }, context: EventContext): Promise<void> {
        see(`controller ${payload.id}`);
        contexts.push(context);
      }
    }
    const events = await start({ providers: [Orders], controllers: [OrdersController] });
    const receipt = await events.publish('order.created', { id: '1' }, { settle: true });
    expect(seen.sort()).toEqual(['controller 1', 'orders 1']);
    const [context] = contexts;
    expect(context).toMatchObject({
      type: 'order.created',
      handler: 'OrdersController.onAny',
      bus: 'default',
      attempt: 1,
    });
    expect(context?.id).toBe(receipt.id);
    expect(context?.source).toBe('shop');
  });

  it('handlers of a module class', async () => {
    @Module({})
    class FeatureModule {
      @OnEvent('x')
      on(): void {
        see('module');
      }
    }
    await settled(await start({ imports: [FeatureModule] }), 'x');
    expect(seen).toEqual(['module']);
  });

  it('handlers of what factories, async ones too, and values give', async () => {
    const make = (name: string): object => {
      @Injectable()
      class Listener {
        @OnEvent('x')
        on(): void {
          see(name);
        }
      }
      return new Listener();
    };
    const events = await start({
      providers: [
        { provide: 'factory', useFactory: () => make('factory') },
        { provide: 'async', useFactory: async () => Promise.resolve(make('async')) },
        { provide: 'value', useValue: make('value') },
      ],
    });
    await settled(events, 'x');
    expect(seen.sort()).toEqual(['async', 'factory', 'value']);
  });

  it('handlers of a class provider under another token', async () => {
    const events = await start({ providers: [{ provide: 'token', useClass: Orders }] });
    await settled(events, 'order.created', { id: '1' });
    expect(seen).toEqual(['orders 1']);
  });

  it('an instance once: aliases, and factories that give a provider, make no doubles', async () => {
    const events = await start({
      providers: [
        { provide: 'before', useFactory: (orders: Orders) => orders, inject: [Orders] },
        Orders,
        { provide: 'alias', useExisting: Orders },
        { provide: 'after', useFactory: (orders: Orders) => orders, inject: [Orders] },
      ],
    });
    await settled(events, 'order.created', { id: '1' });
    expect(seen).toEqual(['orders 1']);
  });

  it('an exported provider that other modules import, once', async () => {
    @Module({ providers: [Orders], exports: [Orders] })
    class OrdersModule {}
    @Module({ imports: [OrdersModule] })
    class Other {}
    const events = await start({ imports: [OrdersModule, Other] });
    await settled(events, 'order.created', { id: '1' });
    expect(seen).toEqual(['orders 1']);
  });

  it('nothing of a provider that a test has replaced', async () => {
    const imports = [EventsModule.forRoot({ env: false })];
    app = await Test.createTestingModule({ imports, providers: [Orders] })
      .overrideProvider(Orders)
      .useValue({})
      .compile();
    await app.init();
    await settled(app.get(EventService), 'order.created', { id: '1' });
    expect(seen).toEqual([]);
  });

  it('passes over values of every kind', async () => {
    const values: unknown[] = [
      null,
      undefined,
      0,
      'text',
      Symbol('s'),
      [],
      new Map(),
      Object.create(null),
      () => 1,
      new Proxy({}, {}),
      /x/,
    ];
    const providers = values.map((useValue, index) => ({ provide: `value-${String(index)}`, useValue }));
    await settled(await start({ providers: [...providers, Orders] }), 'order.created', { id: '1' });
    expect(seen).toEqual(['orders 1']);
  });
});

describe('inheritance', () => {
  class Base {
    readonly name: string = 'base';

    @OnEvent('x')
    on(): void {
      see(this.name);
    }
  }

  it('a handler of the parent is one of the child', async () => {
    @Injectable()
    class Child extends Base {
      override readonly name = 'child';
    }
    await settled(await start({ providers: [Child] }), 'x');
    expect(seen).toEqual(['child']);
  });

  it('a decorated override takes the place of the one of the parent', async () => {
    @Injectable()
    class Child extends Base {
      @OnEvent('y')
      override on(): void {
        see('override');
      }
    }
    const events = await start({ providers: [Child] });
    await settled(events, 'x');
    expect(seen).toEqual([]);
    await settled(events, 'y');
    expect(seen).toEqual(['override']);
  });

  it('siblings do not share declarations', async () => {
    @Injectable()
    class One extends Base {
      override readonly name = 'one';

      @OnEvent('one')
      extra(): void {
        see('extra one');
      }
    }
    @Injectable()
    class Two extends Base {
      override readonly name = 'two';
    }
    const events = await start({ providers: [One, Two] });
    await settled(events, 'x');
    expect(seen.sort()).toEqual(['one', 'two']);
    await settled(events, 'one');
    expect(seen.sort()).toEqual(['extra one', 'one', 'two']);
  });

  it('a method that a mixin copied is a handler', async () => {
    @Injectable()
    class Mixed {
      readonly name = 'mixed';
    }
    Object.defineProperty(Mixed.prototype, 'on', Object.getOwnPropertyDescriptor(Base.prototype, 'on') ?? {});
    await settled(await start({ providers: [Mixed] }), 'x');
    expect(seen).toEqual(['mixed']);
  });

  it('a method that another decorator has replaced is a handler', async () => {
    const twice: MethodDecorator = (_target, _key, descriptor) => {
      const inner = descriptor.value as unknown as (...args: unknown[]) => unknown;
      descriptor.value = function (this: unknown, ...args: unknown[]) {
        inner.apply(this, args);
        return inner.apply(this, args);
      } as never;
    };
    @Injectable()
    class Wrapped {
      @OnEvent('a')
      @twice
      @OnEvent('b')
      on(_payload: unknown, context: EventContext): void {
        see(context.type);
      }
    }
    const events = await start({ providers: [Wrapped] });
    await settled(events, 'a');
    await settled(events, 'b');
    expect(seen).toEqual(['a', 'a', 'b', 'b']);
  });
});

describe('what a handler listens to', () => {
  @EventType('user.created', { version: 2 })
  class UserCreated {
    constructor(readonly name: string) {}
  }

  it('wildcards, lists, classes', async () => {
    @Injectable()
    class Listener {
      @OnEvent('user.*')
      one(): void {
        see('*');
      }
      @OnEvent('user.#')
      hash(): void {
        see('#');
      }
      @OnEvent('**.created')
      stars(): void {
        see('**');
      }
      @OnEvent([UserCreated, 'order.created'])
      list(_payload: unknown, context: EventContext): void {
        see(`list ${context.type} ${String(context.version)}`);
      }
    }
    const events = await start({ providers: [Listener] });
    await events.publish(new UserCreated('ann'), { settle: true });
    expect(seen.splice(0).sort()).toEqual(['#', '*', '**', 'list user.created 2']);
    await settled(events, 'user');
    expect(seen.splice(0)).toEqual(['#']);
    await settled(events, 'order.created');
    expect(seen.splice(0).sort()).toEqual(['**', 'list order.created 1']);
    await settled(events, 'user.a.b');
    expect(seen.splice(0)).toEqual(['#']);
  });

  it('several decorators on one method are several handlers, with a name each', async () => {
    const names: string[] = [];
    const handled: ((name: string) => void)[] = [];
    @Injectable()
    class Listener {
      @OnEvent('a')
      @OnEvent('#')
      @OnEvent('b', { name: 'own' })
      @OnEvent('a', { group: 'g' })
      @OnEvent('c', { group: 'g' })
      on(_payload: unknown, { handler, group, type }: EventContext): void {
        if (type.startsWith('system.')) return;
        names.push(`${handler}${group === undefined ? '' : ` of ${group}`}`);
        handled.shift()?.(handler);
      }
    }
    const events = await start({ providers: [Listener] });
    const three = [0, 1, 2].map(() => new Promise<string>((resolve) => handled.push(resolve)));
    await events.publish('a');
    await Promise.all(three);
    expect(names.splice(0).sort()).toEqual(['Listener.on', 'Listener.on of g', 'Listener.on#2']);
    const two = [0, 1].map(() => new Promise<string>((resolve) => handled.push(resolve)));
    await events.publish('c');
    await Promise.all(two);
    expect(names.splice(0).sort()).toEqual(['Listener.on#2', 'Listener.on#2 of g']);
    await settled(events, 'b');
    expect(names.splice(0).sort()).toEqual(['Listener.on#2', 'own']);
  });

  it('methods under symbols', async () => {
    const key = Symbol('listen');
    @Injectable()
    class Listener {
      @OnEvent('x')
      [key](_payload: unknown, context: EventContext): void {
        see(context.handler);
      }
    }
    await settled(await start({ providers: [Listener] }), 'x');
    expect(seen).toEqual(['Listener.Symbol(listen)']);
  });

  it('`group: true` is the group of the service', async () => {
    const groups: (string | undefined)[] = [];
    let done = (): void => undefined;
    @Injectable()
    class Listener {
      @OnEvent('x', { group: true })
      on(_payload: unknown, { group }: EventContext): void {
        groups.push(group);
        done();
      }
    }
    const events = await start({ providers: [Listener] });
    const handled = new Promise<void>((resolve) => (done = resolve));
    await events.publish('x');
    await handled;
    expect(groups).toEqual(['shop']);
  });

  it('an observable that a handler returns is subscribed, and awaited', async () => {
    @Injectable()
    class Listener {
      @OnEvent('sum')
      sum(numbers: number[]): unknown {
        return of(...numbers, 7);
      }
    }
    const events = await start({ providers: [Listener] });
    expect(await events.publishAndWait('sum', [1, 2])).toBe(7);
  });
});

describe('scopes', () => {
  @Injectable({ scope: Scope.REQUEST })
  class Tenant {
    constructor(@Inject(REQUEST) readonly request: EventRequest<{ tenant: string }>) {}
  }

  async function instancesOf(handler: Type, extra: ModuleMetadata['providers'] = []): Promise<void> {
    const events = await start({ providers: [handler, ...extra] });
    await settled(events, 'x', { tenant: 'a' });
    await settled(events, 'x', { tenant: 'b' });
  }

  it('a request-scoped provider gets an instance an event, and the event as REQUEST', async () => {
    const made: unknown[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Listener {
      constructor(@Inject(REQUEST) readonly request: EventRequest<{ tenant: string }>) {
        made.push(this);
      }
      @OnEvent('x')
      on(payload: { tenant: string }, context: EventContext): void {
        expect(this.request).toBeInstanceOf(EventRequest);
        expect(this.request.payload).toBe(payload);
        expect(this.request.context).toBe(context);
        see(payload.tenant);
      }
    }
    await instancesOf(Listener);
    expect(seen).toEqual(['a', 'b']);
    expect(new Set(made).size).toBe(2);
  });

  it('a provider that depends on a request-scoped one', async () => {
    @Injectable()
    class Listener {
      constructor(readonly tenant: Tenant) {}
      @OnEvent('x')
      on(): void {
        see(this.tenant.request.payload.tenant);
      }
    }
    await instancesOf(Listener, [Tenant]);
    expect(seen).toEqual(['a', 'b']);
  });

  it('a request-scoped controller', async () => {
    @Controller({ path: 'x', scope: Scope.REQUEST })
    class Listener {
      constructor(@Inject(REQUEST) readonly request: EventRequest<{ tenant: string }>) {}
      @OnEvent('x')
      on(): void {
        see(this.request.payload.tenant);
      }
    }
    const events = await start({ controllers: [Listener] });
    await settled(events, 'x', { tenant: 'a' });
    expect(seen).toEqual(['a']);
  });

  it('a request-scoped class in two modules: each module its own', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Listener {
      constructor(@Inject('name') readonly name: string) {}
      @OnEvent('x')
      on(): void {
        see(this.name);
      }
    }
    @Module({ providers: [Listener, { provide: 'name', useValue: 'one' }] })
    class One {}
    @Module({ providers: [Listener, { provide: 'name', useValue: 'two' }] })
    class Two {}
    await settled(await start({ imports: [One, Two] }), 'x');
    expect(seen.sort()).toEqual(['one', 'two']);
  });

  it('a request-scoped factory, when its token is the class', async () => {
    class Listener {
      constructor(readonly request: EventRequest<{ tenant: string }>) {}
      @OnEvent('x')
      on(): void {
        see(this.request.payload.tenant);
      }
    }
    const useFactory = (request: EventRequest<{ tenant: string }>): Listener => new Listener(request);
    const events = await start({
      providers: [{ provide: Listener, scope: Scope.REQUEST, useFactory, inject: [REQUEST] }],
    });
    await settled(events, 'x', { tenant: 'a' });
    expect(seen).toEqual(['a']);
  });

  it('a transient provider gets an instance an event', async () => {
    const made: unknown[] = [];
    @Injectable({ scope: Scope.TRANSIENT })
    class Listener {
      constructor() {
        made.push(this);
      }
      @OnEvent('x')
      on(payload: { tenant: string }): void {
        expect(made).toContain(this);
        see(payload.tenant);
      }
    }
    await instancesOf(Listener);
    expect(seen).toEqual(['a', 'b']);
  });

  it('a failing resolution is a failure of the handler, and the others run', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Listener {
      constructor() {
        throw new Error('no database');
      }
      @OnEvent('order.created')
      on(): void {
        see('never');
      }
      @OnEvent('ask')
      ask(): void {
        see('never');
      }
    }
    const events = await start({ providers: [Listener, Orders] });
    const published = events.publish('order.created', { id: '1' }, { settle: true });
    await expect(published).rejects.toMatchObject({
      code: 'HANDLERS_FAILED',
      failures: [{ handler: 'Listener.on', error: { message: 'no database' } }],
    });
    expect(seen).toEqual(['orders 1']);
    await expect(events.publishAndWait('ask')).rejects.toMatchObject({
      code: 'REMOTE_HANDLER',
      cause: { message: 'no database' },
    });
  });

  it('durable providers are shared as the strategy says, which finds the headers of the event', async () => {
    const trees = new Map<string, { id: number }>();
    ContextIdFactory.apply({
      attach(contextId, request: { headers: Record<string, string> }) {
        const tenant = request.headers['tenant'] ?? '';
        const tree = trees.get(tenant) ?? ContextIdFactory.create();
        trees.set(tenant, tree);
        return { resolve: (info: HostComponentInfo) => (info.isTreeDurable ? tree : contextId), payload: { tenant } };
      },
    });
    try {
      const made: string[] = [];
      @Injectable({ scope: Scope.REQUEST, durable: true })
      class Listener {
        constructor(@Inject(REQUEST) readonly context: { tenant: string }) {
          made.push(context.tenant);
        }
        @OnEvent('x')
        on(): void {
          see(this.context.tenant);
        }
      }
      const events = await start({ providers: [Listener] });
      for (const tenant of ['a', 'b', 'a']) await events.publish('x', 1, { headers: { tenant }, settle: true });
      expect(seen).toEqual(['a', 'b', 'a']);
      expect(made).toEqual(['a', 'b']);
    } finally {
      ContextIdFactory.apply(undefined as never);
    }
  });

  it('events that a request-scoped handler publishes join the chain', async () => {
    const chain: (string | undefined)[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Listener {
      constructor(
        @Inject(REQUEST) readonly request: EventRequest,
        readonly modules: ModuleRef,
        readonly events: EventService,
      ) {}
      @OnEvent('first')
      async on(): Promise<void> {
        await this.events.publish('second', undefined, { settle: true });
      }
    }
    @Injectable()
    class Second {
      @OnEvent('second')
      on(_payload: unknown, context: EventContext): void {
        chain.push(context.correlationId, context.causationId);
      }
    }
    const events = await start({ providers: [Listener, Second] });
    const { id } = await events.publish('first', undefined, { settle: true });
    expect(chain).toEqual([id, id]);
  });
});

describe('what a handler is called as', () => {
  it('a spy that a test puts on the instance is called', async () => {
    const events = await start({ providers: [Orders] });
    const spied: EventHandler = () => see('spy');
    Object.assign(app!.get(Orders), { onCreated: spied });
    await settled(events, 'order.created', { id: '1' });
    expect(seen).toEqual(['spy']);
  });
});

import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  createParamDecorator,
  ForbiddenException,
  Inject,
  Injectable,
  Module,
  ParseIntPipe,
  Scope,
  SetMetadata,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
  type ArgumentMetadata,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplicationContext,
  type ModuleMetadata,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, Reflector, REQUEST } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { IsPositive } from 'class-validator';
import { EMPTY, from, map, of, tap, throwError, type Observable } from 'rxjs';
import {
  EventService,
  EventsModule,
  OnEvent,
  type EventContext,
  type EventRequest,
  type EventsLogger,
  type EventsModuleOptions,
} from 'nestjs-cardinal';

const quiet: EventsLogger = { log: () => {}, debug: () => {}, warn: () => {}, error: () => {} };
const seen: string[] = [];
const see = (what: string): void => void seen.push(what);
let app: INestApplicationContext | undefined;

afterEach(async () => {
  seen.length = 0;
  await app?.close();
  app = undefined;
});

async function start(metadata: ModuleMetadata, options: EventsModuleOptions = {}): Promise<EventService> {
  const imports = [EventsModule.forRoot({ env: false, logger: quiet, ...options }), ...(metadata.imports ?? [])];
  const module = await Test.createTestingModule({ ...metadata, imports }).compile();
  app = module;
  await module.init();
  return module.get(EventService);
}

/** The error of the one handler that fails on `x`; undefined when it does not. */
async function failure(events: EventService, payload: unknown = 1): Promise<unknown> {
  try {
    await events.publish('x', payload, { settle: true });
    return undefined;
  } catch (error) {
    return (error as { failures: { error: unknown }[] }).failures[0]?.error;
  }
}

@Injectable()
class Named {
  readonly prefix = 'di';
}

@Injectable()
class OwnGuard implements CanActivate {
  constructor(readonly named: Named) {}
  canActivate(context: ExecutionContext): boolean {
    see(`${this.named.prefix} own guard`);
    return context.switchToRpc().getData<unknown>() !== 'refused';
  }
}

@Injectable()
class GlobalGuard implements CanActivate {
  canActivate(): boolean {
    see('global guard');
    return true;
  }
}

describe('guards', () => {
  @Injectable()
  class Guarded {
    @UseGuards(OwnGuard)
    @OnEvent('x')
    on(): void {
      see('handled');
    }
  }

  it('a refusal is a failure of the handler, with the ForbiddenException', async () => {
    const events = await start({ providers: [Guarded, Named] });
    expect(await failure(events)).toBeUndefined();
    expect(seen.splice(0)).toEqual(['di own guard', 'handled']);
    expect(await failure(events, 'refused')).toBeInstanceOf(ForbiddenException);
    expect(seen).toEqual(['di own guard']);
  });

  it('a global one does not run unasked, and the own one does', async () => {
    const events = await start({ providers: [Guarded, Named, { provide: APP_GUARD, useClass: GlobalGuard }] });
    await failure(events);
    expect(seen).toEqual(['di own guard', 'handled']);
  });

  it('a global one runs first where its kind is enabled', async () => {
    const providers = [Guarded, Named, { provide: APP_GUARD, useClass: GlobalGuard }];
    const events = await start({ providers }, { enhancers: ['guards'] });
    await failure(events);
    expect(seen).toEqual(['global guard', 'di own guard', 'handled']);
  });

  it('a global one runs where nothing stands around the handler, if enabled', async () => {
    @Injectable()
    class Plain {
      @OnEvent('x')
      on(): void {
        see('handled');
      }
    }
    const providers = [Plain, { provide: APP_GUARD, useClass: GlobalGuard }];
    const events = await start({ providers }, { enhancers: ['guards', 'filters'] });
    await failure(events);
    expect(seen).toEqual(['global guard', 'handled']);
  });

  it('another kind that is enabled does not bring the guards', async () => {
    const providers = [Guarded, Named, { provide: APP_GUARD, useClass: GlobalGuard }];
    const events = await start({ providers }, { enhancers: ['interceptors', 'pipes', 'filters'] });
    await failure(events);
    expect(seen).toEqual(['di own guard', 'handled']);
  });

  it.each([
    ['a controller', { controllers: [Guarded] }],
    ['a class under another token', { providers: [{ provide: 'token', useClass: Guarded }] }],
    ['what a factory gives', { providers: [{ provide: 'token', useFactory: () => new Guarded() }] }],
    ['a value', { providers: [{ provide: 'token', useValue: new Guarded() }] }],
  ])('the own one runs on %s', async (_what, metadata: ModuleMetadata) => {
    const events = await start({ ...metadata, providers: [...(metadata.providers ?? []), Named] });
    expect(await failure(events, 'refused')).toBeInstanceOf(ForbiddenException);
    expect(seen).toEqual(['di own guard']);
  });

  it('the own one runs on a provider that a test has replaced by another class', async () => {
    class Stand {
      readonly stands = true;
    }
    const imports = [EventsModule.forRoot({ env: false, logger: quiet })];
    const testing = Test.createTestingModule({ imports, providers: [Stand, Named] });
    const module = await testing.overrideProvider(Stand).useClass(Guarded).compile();
    app = module;
    await module.init();
    expect(await failure(module.get(EventService), 'refused')).toBeInstanceOf(ForbiddenException);
  });

  it('`overrideGuard` of a test replaces the own one', async () => {
    const imports = [EventsModule.forRoot({ env: false, logger: quiet })];
    const testing = Test.createTestingModule({ imports, providers: [Guarded, Named] });
    const module = await testing
      .overrideGuard(OwnGuard)
      .useValue({ canActivate: () => true })
      .compile();
    app = module;
    await module.init();
    expect(await failure(module.get(EventService), 'refused')).toBeUndefined();
    expect(seen).toEqual(['handled']);
  });

  it('class guards run before those of the method; promises and observables are waited for', async () => {
    const guard = (name: string, answer: boolean | Promise<boolean> | Observable<boolean>): CanActivate => ({
      canActivate: () => {
        see(name);
        return answer;
      },
    });
    @Injectable()
    @UseGuards(guard('class', Promise.resolve(true)))
    class Listener {
      @UseGuards(guard('method', of(true)))
      @OnEvent('x')
      on(): void {
        see('handled');
      }
      @UseGuards(guard('no', of(false)))
      @OnEvent('y')
      other(): void {
        see('never');
      }
    }
    const events = await start({ providers: [Listener] });
    expect(await failure(events)).toBeUndefined();
    expect(seen.splice(0)).toEqual(['class', 'method', 'handled']);
    await expect(events.publishAndWait('y')).rejects.toMatchObject({ cause: { message: 'Forbidden resource' } });
    expect(seen).toEqual(['class', 'no']);
  });

  it('sees the context: type, class, handler, metadata, arguments', async () => {
    const contexts: ExecutionContext[] = [];
    const guard: CanActivate = { canActivate: (context) => contexts.push(context) > 0 };
    @Injectable()
    class Listener {
      @SetMetadata('role', 'admin')
      @UseGuards(guard)
      @OnEvent('x')
      on(): void {}
    }
    const events = await start({ providers: [Listener] });
    await events.publish('x', { a: 1 }, { settle: true, headers: { tenant: 't' } });
    const context = contexts[0]!;
    expect(context.getType()).toBe('event');
    expect(context.getClass()).toBe(Listener);
    expect(context.getHandler()).toBe(Listener.prototype.on);
    expect(new Reflector().get('role', context.getHandler())).toBe('admin');
    const [payload, eventContext] = context.getArgs<[unknown, EventContext]>();
    expect(payload).toEqual({ a: 1 });
    expect(eventContext.headers['tenant']).toBe('t');
    expect(context.switchToRpc().getContext()).toBe(eventContext);
    expect(context.switchToHttp().getRequest()).toBe(payload);
    expect(context.switchToWs().getPattern()).toBe('x');
    expect(context.switchToWs().getData()).toBe(payload);
  });
});

describe('interceptors', () => {
  const around = (name: string): NestInterceptor => ({
    intercept: (_context: ExecutionContext, next: CallHandler) => {
      see(`${name} in`);
      return next.handle().pipe(tap(() => see(`${name} out`)));
    },
  });

  it('stand around the handler, class first, and change its result', async () => {
    @Injectable()
    @UseInterceptors(around('class'))
    class Listener {
      @UseInterceptors(around('method'), {
        intercept: (_context, next) => next.handle().pipe(map((value: unknown) => [value])),
      })
      @OnEvent('ask')
      async on(): Promise<string> {
        see('handled');
        return Promise.resolve('answer');
      }
    }
    const events = await start({ providers: [Listener] });
    expect(await events.publishAndWait('ask')).toEqual(['answer']);
    expect(seen).toEqual(['class in', 'method in', 'handled', 'method out', 'class out']);
  });

  it('may answer in place of the handler, with nothing too', async () => {
    @Injectable()
    class Listener {
      @UseInterceptors({ intercept: () => of('cached') })
      @OnEvent('ask')
      on(): void {
        see('never');
      }
      @UseInterceptors({ intercept: () => EMPTY })
      @OnEvent('empty')
      empty(): void {
        see('never');
      }
    }
    const events = await start({ providers: [Listener] });
    expect(await events.publishAndWait('ask')).toBe('cached');
    expect(await events.publishAndWait('empty')).toBeUndefined();
    expect(seen).toEqual([]);
  });

  it('get the error of the handler', async () => {
    @Injectable()
    class Listener {
      @UseInterceptors({
        intercept: (_context, next) => next.handle().pipe(tap({ error: (error: Error) => see(error.message) })),
      })
      @OnEvent('x')
      on(): void {
        throw new Error('broken');
      }
    }
    const events = await start({ providers: [Listener] });
    expect(await failure(events)).toMatchObject({ message: 'broken' });
    expect(seen).toEqual(['broken']);
  });

  it('carry their asynchronous context to the handler', async () => {
    const storage = new AsyncLocalStorage<string>();
    @Injectable()
    class Listener {
      @UseInterceptors({ intercept: (_context, next) => storage.run('inside', () => next.handle()) })
      @OnEvent('ask')
      on(): string | undefined {
        return storage.getStore();
      }
    }
    expect(await (await start({ providers: [Listener] })).publishAndWait('ask')).toBe('inside');
  });

  it('global ones run where enabled, from APP_INTERCEPTOR and useGlobalInterceptors', async () => {
    @Injectable()
    class Listener {
      @OnEvent('x')
      on(): void {
        see('handled');
      }
    }
    const imports = [EventsModule.forRoot({ env: false, logger: quiet, enhancers: ['interceptors'] })];
    const provider = { provide: APP_INTERCEPTOR, useValue: around('provided') };
    const module = await Test.createTestingModule({ imports, providers: [Listener, provider] }).compile();
    const application = module.createNestApplication();
    application.useGlobalInterceptors(around('used'));
    app = application;
    await application.init();
    await application.get(EventService).publish('x', 1, { settle: true });
    expect(seen).toEqual(['provided in', 'used in', 'handled', 'used out', 'provided out']);
  });

  it('the chain of events goes on through them', async () => {
    const chain: (string | undefined)[] = [];
    @Injectable()
    class Listener {
      constructor(readonly events: EventService) {}
      @UseInterceptors(around('one'))
      @OnEvent('first')
      async on(): Promise<void> {
        await this.events.publish('second', 1, { settle: true });
      }
      @OnEvent('second')
      second(_payload: unknown, context: EventContext): void {
        chain.push(context.causationId);
      }
    }
    const events = await start({ providers: [Listener] });
    const { id } = await events.publish('first', 1, { settle: true });
    expect(chain).toEqual([id]);
  });
});

describe('pipes', () => {
  const trace = (name: string): PipeTransform => ({
    transform: (value: unknown, metadata: ArgumentMetadata) => {
      see(`${name} ${metadata.type}`);
      return value;
    },
  });

  it('the payload goes through those of the class and the method, the context does not', async () => {
    @Injectable()
    @UsePipes(trace('class'))
    class Listener {
      @UsePipes(trace('method'), { transform: (value: number) => value + 1 })
      @OnEvent('ask')
      on(payload: number, context: EventContext): unknown {
        return [payload, context.type];
      }
    }
    expect(await (await start({ providers: [Listener] })).publishAndWait('ask', 1)).toEqual([2, 'ask']);
    expect(seen).toEqual(['class body', 'method body']);
  });

  it('ValidationPipe validates the payload by its declared class', async () => {
    class Payment {
      @IsPositive()
      amount!: number;
    }
    @Injectable()
    class Listener {
      @UsePipes(new ValidationPipe({ transform: true }))
      @OnEvent('x')
      on(payload: Payment): void {
        see(`${String(payload instanceof Payment)} ${String(payload.amount)}`);
      }
    }
    const events = await start({ providers: [Listener] });
    expect(await failure(events, { amount: 2 })).toBeUndefined();
    expect(seen).toEqual(['true 2']);
    expect(await failure(events, { amount: -2 })).toMatchObject({ message: 'Bad Request Exception' });
  });

  it('parameter decorators of Nest, of rpc and of the application', async () => {
    const Tenant = createParamDecorator((data: string, context: ExecutionContext) => {
      see(context.getType<'event'>());
      return context.switchToRpc().getContext<EventContext>().headers[data];
    });
    @Injectable()
    class Listener {
      @OnEvent('rpc')
      rpc(@Ctx() context: EventContext, @Payload('id', ParseIntPipe) id: number): unknown {
        return [context.type, id];
      }
      @OnEvent('own')
      own(payload: unknown, context: EventContext, @Tenant('tenant') tenant: string): unknown {
        return [payload, context.type, tenant];
      }
    }
    const events = await start({ providers: [Listener] });
    expect(await events.publishAndWait('rpc', { id: '7' })).toEqual(['rpc', 7]);
    expect(await events.publishAndWait('own', 'p', { headers: { tenant: 'acme' } })).toEqual(['p', 'own', 'acme']);
    expect(seen).toEqual(['event']);
  });

  it('global ones run where enabled', async () => {
    @Injectable()
    class Listener {
      @OnEvent('x')
      on(): void {
        see('handled');
      }
    }
    const providers = [Listener, { provide: APP_PIPE, useValue: trace('global') }];
    await failure(await start({ providers }));
    expect(seen.splice(0)).toEqual(['handled']);
    await app?.close();
    await failure(await start({ providers }, { enhancers: ['pipes'] }));
    expect(seen).toEqual(['global body', 'handled']);
  });
});

describe('exception filters', () => {
  class Known extends Error {}

  const filter = (result: () => unknown): ExceptionFilter => ({
    catch: (error: Error, host: ArgumentsHost) => {
      see(`${host.getType<'event'>()} ${error.message}`);
      return result();
    },
  });
  const handlerWith = (...filters: ExceptionFilter[]): new () => object => {
    @Injectable()
    class Listener {
      @UseFilters(...filters)
      @OnEvent('ask')
      on(): void {
        throw new Known('broken');
      }
    }
    return Listener;
  };
  const ask = async (...filters: ExceptionFilter[]): Promise<unknown> =>
    (await start({ providers: [handlerWith(...filters)] })).publishAndWait('ask');

  it.each([
    ['a value', () => 'instead'],
    ['a promise', async () => Promise.resolve('instead')],
    ['an observable', () => from(['first', 'instead'])],
  ])('%s that one returns is the result of the handler', async (_what, result) => {
    expect(await ask(filter(result))).toBe('instead');
    expect(seen).toEqual(['event broken']);
  });

  it('null is a result as well', async () => {
    expect(await ask(filter(() => null))).toBeNull();
  });

  it.each([
    ['nothing', () => undefined],
    ['a promise of nothing', async () => Promise.resolve(undefined)],
  ])('one that returns %s leaves the failure as it is', async (_what, result) => {
    await expect(ask(filter(result))).rejects.toMatchObject({ cause: { message: 'broken' } });
    expect(seen).toEqual(['event broken']);
  });

  it.each([
    [
      'throws',
      (): unknown => {
        throw new Error('translated');
      },
    ],
    ['returns an observable that fails', () => throwError(() => new Error('translated'))],
  ])('one that %s changes the failure', async (_what, result) => {
    await expect(ask(filter(result))).rejects.toMatchObject({ cause: { message: 'translated' } });
  });

  it('the method comes before the class, and only what @Catch names is caught', async () => {
    @Catch(TypeError)
    class Other implements ExceptionFilter {
      catch(): string {
        return 'other';
      }
    }
    @Catch(Known)
    class Fitting implements ExceptionFilter {
      catch(): string {
        return 'fitting';
      }
    }
    @Injectable()
    @UseFilters(filter(() => 'class'))
    class Listener {
      @UseFilters(Fitting, Other)
      @OnEvent('ask')
      on(): void {
        throw new Known('broken');
      }
      @UseFilters(Other)
      @OnEvent('second')
      second(): void {
        throw new Known('broken');
      }
    }
    const events = await start({ providers: [Listener] });
    expect(await events.publishAndWait('ask')).toBe('fitting');
    expect(await events.publishAndWait('second')).toBe('class');
  });

  it('they catch the refusal of a guard', async () => {
    @Injectable()
    class Listener {
      @UseFilters(filter(() => 'refused'))
      @UseGuards({ canActivate: () => false })
      @OnEvent('ask')
      on(): void {}
    }
    expect(await (await start({ providers: [Listener] })).publishAndWait('ask')).toBe('refused');
  });

  it('global ones run where enabled, after the own ones', async () => {
    const providers = [handlerWith(), { provide: APP_FILTER, useValue: filter(() => 'global') }];
    await expect((await start({ providers })).publishAndWait('ask')).rejects.toThrow('broken');
    await app?.close();
    expect(await (await start({ providers }, { enhancers: ['filters'] })).publishAndWait('ask')).toBe('global');
    await app?.close();
    const both = [handlerWith(filter(() => 'own')), providers[1]!];
    expect(await (await start({ providers: both }, { enhancers: ['filters'] })).publishAndWait('ask')).toBe('own');
  });
});

describe('request-scoped enhancers', () => {
  @Injectable({ scope: Scope.REQUEST })
  class ScopedGuard implements CanActivate {
    constructor(@Inject(REQUEST) readonly request: EventRequest<string>) {}
    canActivate(): boolean {
      see(`guard ${this.request.payload}`);
      return this.request.payload !== 'refused';
    }
  }
  @Injectable()
  class Guarded {
    @UseGuards(ScopedGuard)
    @OnEvent('x')
    on(payload: string): void {
      see(`handled ${payload}`);
    }
  }
  @Controller()
  class Plain {
    @OnEvent('x')
    on(payload: string): void {
      see(`handled ${payload}`);
    }
  }

  it.each([
    ['a provider', { providers: [Guarded] }],
    ['a controller', { controllers: [Guarded] }],
    ['what a factory gives', { providers: [{ provide: 'token', useFactory: () => new Guarded() }] }],
  ])('an own one of %s is made for each event', async (_what, metadata: ModuleMetadata) => {
    const events = await start(metadata);
    expect(await failure(events, 'a')).toBeUndefined();
    expect(await failure(events, 'refused')).toBeInstanceOf(ForbiddenException);
    expect(seen).toEqual(['guard a', 'handled a', 'guard refused']);
  });

  it.each([
    ['a provider', { providers: [Plain] }],
    ['a controller', { controllers: [Plain] }],
  ])('a global one runs on %s where enabled', async (_what, metadata: ModuleMetadata) => {
    const providers = [...(metadata.providers ?? []), { provide: APP_GUARD, useClass: ScopedGuard }];
    const off = await start({ ...metadata, providers });
    expect(await failure(off, 'refused')).toBeUndefined();
    expect(seen.splice(0)).toEqual(['handled refused']);
    await app?.close();
    const on = await start({ ...metadata, providers }, { enhancers: ['guards'] });
    expect(await failure(on, 'refused')).toBeInstanceOf(ForbiddenException);
    expect(await failure(on, 'a')).toBeUndefined();
    expect(seen).toEqual(['guard refused', 'guard a', 'handled a']);
  });

  it('a transient one is made for each handler', async () => {
    let made = 0;
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient implements CanActivate {
      private readonly number = ++made;
      canActivate(): boolean {
        see(`guard ${String(this.number)}`);
        return true;
      }
    }
    @Injectable()
    class Listener {
      @UseGuards(Transient)
      @OnEvent('x')
      on(): void {}
    }
    const events = await start({ providers: [Listener] });
    await failure(events);
    await failure(events);
    expect(seen[0]).toMatch(/^guard \d$/);
    expect(seen[1]).toBe(seen[0]);
  });

  it('own and global ones on a request-scoped provider', async () => {
    @Module({ providers: [Named], exports: [Named] })
    class NamedModule {}
    @Injectable({ scope: Scope.REQUEST })
    class Listener {
      constructor(@Inject(REQUEST) readonly request: EventRequest<string>) {}
      @UseGuards(OwnGuard, ScopedGuard)
      @OnEvent('x')
      on(): void {
        see(`handled ${this.request.payload}`);
      }
    }
    const providers = [Listener, { provide: APP_GUARD, useClass: GlobalGuard }];
    await failure(await start({ imports: [NamedModule], providers }, { enhancers: ['guards'] }), 'a');
    expect(seen).toEqual(['global guard', 'di own guard', 'guard a', 'handled a']);
  });
});

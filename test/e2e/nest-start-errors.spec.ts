import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Header,
  Injectable,
  Module,
  Query,
  Scope,
  UseGuards,
  type CanActivate,
  type DynamicModule,
  type INestApplication,
  type ModuleMetadata,
  type NestModule,
} from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  EventService,
  EventsConfigError,
  EventsModule,
  InvalidHandlerError,
  InvalidOptionError,
  InvalidPatternError,
  OnEvent,
  UnknownBusError,
  type EventsLogger,
  type EventsModuleOptions,
} from 'nestjs-cardinal';

const lines: string[] = [];
const logger: EventsLogger = {
  log: () => {},
  debug: () => {},
  warn: (message) => void lines.push(message),
  error: (message) => void lines.push(message),
};
const forRoot = (options: EventsModuleOptions = {}): DynamicModule =>
  EventsModule.forRoot({ env: false, logger, ...options });
let app: TestingModule | undefined;

afterEach(async () => {
  lines.length = 0;
  await close();
});

/** Nest 11 rejects with the error of the start once more. */
async function close(): Promise<void> {
  await app?.close().catch(() => undefined);
  app = undefined;
}

/** What `init()` rejects with. */
async function startError(metadata: ModuleMetadata, options?: EventsModuleOptions): Promise<Error> {
  const imports = [forRoot(options), ...(metadata.imports ?? [])];
  app = await Test.createTestingModule({ ...metadata, imports }).compile();
  const error: unknown = await app.init().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('it started');
  return error;
}

/** What it says about one class in providers. */
const errorOf = (provider: new (...args: never[]) => object, options?: EventsModuleOptions): Promise<Error> =>
  startError({ providers: [provider] }, options);

describe('a declaration that cannot be', () => {
  it('an unknown bus: the error lists the known ones', async () => {
    @Injectable()
    class Orders {
      @OnEvent('x', { bus: 'domian' })
      on(): void {}
    }
    const error = await errorOf(Orders, { instances: { domain: {}, audit: {} } });
    expect(error).toBeInstanceOf(UnknownBusError);
    expect(error.message).toMatch(/^Orders\.on \(\w+\): There is no bus 'domian'\. Known: default, domain, audit\./);
    expect(error.stack).toContain(error.message);
  });

  it('a bad pattern', async () => {
    @Injectable()
    class Orders {
      @OnEvent('order..created')
      on(): void {}
    }
    const error = await errorOf(Orders);
    expect(error).toBeInstanceOf(InvalidPatternError);
    expect(error.message).toMatch(/^Orders\.on .*'order\.\.created' is not a pattern: it has an empty word/);
  });

  it.each([
    ['an empty list', []],
    ['a class without @EventType', EventsConfigError],
  ])('%s', async (_what, listenable) => {
    @Injectable()
    class Orders {
      @OnEvent(listenable)
      on(): void {}
    }
    expect(await errorOf(Orders)).toBeInstanceOf(InvalidHandlerError);
  });

  it.each([
    ['retries', { retries: 3 }],
    ['grup', { grup: 'g' }],
  ])('an unknown option, %s: the error lists the known ones', async (key, options) => {
    @Injectable()
    class Orders {
      @OnEvent('x', options as never)
      on(): void {}
    }
    const { message } = await errorOf(Orders);
    expect(message).toContain(`unknown option '${key}'`);
    expect(message).toContain(
      'known: name, bus, group, startFrom, concurrency, timeout, retry, filter, idempotent, batch, reply, once',
    );
  });

  it.each([
    ['a string', 'y', /must be an object; several patterns go into one array/],
    ['null', null, /must be an object/],
    ['reply as text', { reply: 'yes' }, /option reply: got a value of type string; accepted: true or false/],
    ['a bus that is no text', { bus: 1 }, /option bus: got a value of type number/],
  ])('options that are %s', async (_what, options, message) => {
    @Injectable()
    class Orders {
      @OnEvent('x', options as never)
      on(): void {}
    }
    expect((await errorOf(Orders)).message).toMatch(message);
  });

  it.each([
    ['concurrency', { concurrency: 0 }, InvalidOptionError],
    ['startFrom', { startFrom: 'begin' as 'new' }, InvalidOptionError],
    ['name', { name: 'a b' }, InvalidOptionError],
    ['group', { group: '' }, InvalidOptionError],
    ['once in a group', { once: true, group: 'g' }, InvalidHandlerError],
  ])('a bad value: %s', async (_what, options, type) => {
    @Injectable()
    class Orders {
      @OnEvent('x', options)
      on(): void {}
    }
    expect(await errorOf(Orders)).toBeInstanceOf(type);
  });

  it('options that are undefined are left out', async () => {
    @Injectable()
    class Orders {
      @OnEvent('x', { group: undefined, bus: undefined, reply: undefined } as never)
      on(): void {}
    }
    await expect(errorOf(Orders)).rejects.toThrow('it started');
  });

  it('two handlers of one name in one group', async () => {
    @Injectable()
    class Orders {
      @OnEvent('x', { name: 'same', group: 'g' })
      one(): void {}
      @OnEvent('y', { name: 'same', group: 'g' })
      two(): void {}
    }
    expect((await errorOf(Orders)).message).toMatch(/^Orders\.two .*Group 'g' already has a handler named 'same'/);
  });

  it('a class with a group in two modules: its handlers would have one name', async () => {
    @Injectable()
    class Orders {
      @OnEvent('x', { group: 'g' })
      on(): void {}
    }
    @Module({ providers: [Orders] })
    class One {}
    @Module({ providers: [Orders] })
    class Two {}
    const error = await startError({ imports: [One, Two] });
    expect(error.message).toMatch(/^Orders\.on \(Two\): Group 'g' already has a handler named 'Orders\.on'/);
    expect(lines).toEqual([expect.stringMatching(/Orders has 2 instances \(in One, Two\)/)]);
  });

  it('everything that is wrong is in one error', async () => {
    @Injectable()
    class Orders {
      @OnEvent('a..b')
      one(): void {}
      @OnEvent('x', { bus: 'none' })
      @OnEvent('y', { what: 1 } as never)
      two(): void {}
      @OnEvent('x')
      static three(): void {}
    }
    const error = await errorOf(Orders);
    expect(error).toBeInstanceOf(EventsConfigError);
    const { problems } = error as EventsConfigError;
    expect(problems).toHaveLength(4);
    expect(problems.join('\n')).toMatch(/Orders\.three .*\n.*Orders\.one .*\n.*Orders\.two .*\n.*Orders\.two /);
    for (const problem of problems) expect(error.message).toContain(problem);
  });
});

describe('a decorator that nobody would hear', () => {
  it('on a static method', async () => {
    @Injectable()
    class Orders {
      @OnEvent('x')
      static on(): void {}
    }
    expect((await errorOf(Orders)).message).toMatch(/Orders\.on \(\w+\): it is static/);
  });

  it('on a static method of the parent', async () => {
    class Base {
      readonly base = true;
      @OnEvent('x')
      static on(): void {}
    }
    @Injectable()
    class Orders extends Base {}
    expect((await errorOf(Orders)).message).toMatch(/Orders\.on \(\w+\): it is static/);
  });

  it('on an accessor', async () => {
    @Injectable()
    class Orders {
      @OnEvent('x')
      get on(): () => void {
        return () => {};
      }
    }
    expect((await errorOf(Orders)).message).toMatch(/Orders\.on \(\w+\): it is not a method/);
  });

  it('on a field', async () => {
    @Injectable()
    class Orders {
      @(OnEvent('x') as PropertyDecorator)
      on = (): void => {};
    }
    expect((await errorOf(Orders)).message).toMatch(/Orders\.on \(\w+\): it is not a method/);
  });

  it('on a class', async () => {
    @Injectable()
    @(OnEvent('x') as unknown as ClassDecorator)
    class Orders {}
    expect((await errorOf(Orders)).message).toMatch(/Orders \(\w+\): @OnEvent is on the class itself/);
  });

  it('on a method that a child overrides without one', async () => {
    class Base {
      @OnEvent('x')
      on(): void {}
    }
    @Injectable()
    class Orders extends Base {
      override on(): void {}
    }
    expect((await errorOf(Orders)).message).toMatch(
      /Orders\.on \(\w+\): it overrides Base\.on, which has @OnEvent, and has none itself/,
    );
  });

  it('of a request-scoped class as well', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Orders {
      @OnEvent('x')
      static on(): void {}
    }
    expect((await errorOf(Orders)).message).toMatch(/it is static/);
  });

  it('of a class that serves only as a guard', async () => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate = (): boolean => true;
      @OnEvent('x')
      on(): void {}
    }
    @Controller()
    @UseGuards(Guard)
    class Api {}
    const { message } = await startError({ controllers: [Api] });
    expect(message).toMatch(
      /Guard \(\w+\) has @OnEvent methods, but serves only as guard, interceptor, pipe or filter\. List the class in providers\./,
    );
  });

  it('but a guard that is a provider as well is heard, and so is APP_GUARD', async () => {
    const seen: string[] = [];
    @Injectable()
    class Guard implements CanActivate {
      canActivate = (): boolean => true;
      @OnEvent('x')
      on(): void {
        seen.push('guard');
      }
    }
    @Injectable()
    class Application implements CanActivate {
      canActivate = (): boolean => true;
      @OnEvent('x')
      on(): void {
        seen.push('application');
      }
    }
    @Controller()
    @UseGuards(Guard)
    class Api {}
    const providers = [Guard, { provide: APP_GUARD, useClass: Application }];
    app = await Test.createTestingModule({ imports: [forRoot()], controllers: [Api], providers }).compile();
    await app.init();
    await app.get(EventService).publish('x', 1, { settle: true });
    expect(seen.sort()).toEqual(['application', 'guard']);
  });

  it('of a class that serves only as middleware', async () => {
    @Injectable()
    class Middleware {
      use(_request: unknown, _response: unknown, next: () => void): void {
        next();
      }
      @OnEvent('x')
      on(): void {}
    }
    @Controller('api')
    class Api {}
    @Module({ imports: [forRoot()], controllers: [Api] })
    class AppModule implements NestModule {
      configure(consumer: Parameters<NestModule['configure']>[0]): void {
        consumer.apply(Middleware).forRoutes(Api);
      }
    }
    const application = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    await expect(application.init()).rejects.toThrow(
      /Middleware \(AppModule\) has @OnEvent methods, but serves only as middleware/,
    );
    await application.close();
  });

  it('of a class that is a value, or whose instance is in an array', async () => {
    class Orders {
      @OnEvent('x')
      on(): void {}
    }
    const asValue = await startError({ providers: [{ provide: 'class', useValue: Orders }] });
    expect(asValue.message).toMatch(/Orders \(\w+\) has @OnEvent methods, but a provider gives the class itself/);
    await close();
    const inArray = await startError({ providers: [{ provide: 'all', useFactory: () => [new Orders()] }] });
    expect(inArray.message).toMatch(/Orders \(\w+\) has @OnEvent methods, but an instance is inside an array/);
    await close();
    const providers = [Orders, { provide: 'all', useFactory: (orders: Orders) => [orders], inject: [Orders] }];
    await expect(startError({ providers })).rejects.toThrow('it started');
  });

  it('with a parameter decorator that means nothing for an event', async () => {
    @Controller()
    class Orders {
      @Header('a', 'b')
      @OnEvent('x')
      on(@Query() _query: unknown): void {}
    }
    expect((await startError({ controllers: [Orders] })).message).toMatch(
      /Orders\.on .*the decorator of parameter 0 means nothing for an event/,
    );
  });

  it('with a guard that cannot be made, or is none', async () => {
    @Injectable()
    class Guard implements CanActivate {
      constructor(readonly missing: EventsConfigError) {}
      canActivate = (): boolean => true;
    }
    class Orders {
      @UseGuards(Guard)
      @OnEvent('x')
      on(): void {}
    }
    const error = await startError({ providers: [{ provide: 'x', useFactory: () => new Orders() }] });
    expect(error).toBeInstanceOf(InvalidHandlerError);
    expect(error.message).toMatch(/Orders\.on .*Guard in @UseGuards cannot be made: /);
    await close();

    class NoGuard {
      readonly guards = false;
    }
    class Other {
      @UseGuards(NoGuard)
      @OnEvent('x')
      on(): void {}
    }
    const none = await startError({ providers: [{ provide: 'x', useFactory: () => new Other() }] });
    expect(none.message).toMatch(/Other\.on .*what is given to @UseGuards has no method canActivate/);
  });
});

describe('the module', () => {
  it('forRoot() imported twice would double every handler', async () => {
    const error = await startError({ imports: [forRoot()] });
    expect(error.message).toMatch(/EventsModule\.forRoot\(\) is imported 2 times/);
  });

  it('one dynamic module imported in several places is one', async () => {
    const events = forRoot();
    @Module({ imports: [events] })
    class Feature {}
    app = await Test.createTestingModule({ imports: [events, Feature] }).compile();
    await app.init();
  });

  it('EventsModule in a feature module is allowed beside forRoot(), and alone it is an error', async () => {
    @Module({ imports: [EventsModule] })
    class Feature {}
    app = await Test.createTestingModule({ imports: [Feature, forRoot()] }).compile();
    await app.init();
    await expect(Test.createTestingModule({ imports: [Feature] }).compile()).rejects.toThrow(
      /import EventsModule\.forRoot\(\) once, in the root module/,
    );
  });

  it('bad options stop the application with every problem', async () => {
    const imports = [EventsModule.forRoot({ env: { EVENT_URLL: 'x' }, shutdownTimeout: 'soon' })];
    const error: unknown = await Test.createTestingModule({ imports })
      .compile()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EventsConfigError);
    expect((error as EventsConfigError).problems).toHaveLength(2);
  });

  describe('rejects the start of every kind of application', () => {
    @Injectable()
    class Orders {
      @OnEvent('x', { bus: 'none' })
      on(): void {}
    }
    @Module({ imports: [forRoot()], providers: [Orders] })
    class AppModule {}
    const options = { logger: false, abortOnError: false } as const;

    it('create() and listen()', async () => {
      const application: INestApplication = await NestFactory.create(AppModule, options);
      await expect(application.listen(0)).rejects.toThrow(UnknownBusError);
      await application.close();
    });

    it('createApplicationContext()', async () => {
      await expect(NestFactory.createApplicationContext(AppModule, options)).rejects.toThrow(UnknownBusError);
    });

    it('createMicroservice() and listen()', async () => {
      const application = await NestFactory.createMicroservice(AppModule, { ...options, options: { port: 0 } });
      await expect(application.listen()).rejects.toThrow(UnknownBusError);
      await application.close();
    });
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Inject,
  Injectable,
  Logger,
  Module,
  type DynamicModule,
  type LoggerService,
  type Provider,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  EVENT_SERVICE,
  EventBus,
  EventsConfigError,
  EventService,
  EventsModule,
  getBusToken,
  InjectBus,
  OnEvent,
  type EventContext,
  type EventsLogger,
  type EventsModuleAsyncOptions,
  type EventsModuleOptions,
  type EventsOptionsFactory,
} from 'nestjs-cardinal';

const quiet: EventsLogger = { log: () => {}, debug: () => {}, warn: () => {}, error: () => {} };
const running: TestingModule[] = [];

afterEach(async () => {
  // Nest 11 rejects with the error of a failed start once more.
  await Promise.allSettled(running.splice(0).map((app) => app.close()));
});

async function start(
  events: DynamicModule,
  providers: Provider[] = [],
  imports: DynamicModule[] = [],
): Promise<TestingModule> {
  const app = await Test.createTestingModule({ imports: [events, ...imports], providers }).compile();
  running.push(app);
  return app.init();
}

const forRoot = (options: EventsModuleOptions = {}): DynamicModule =>
  EventsModule.forRoot({ env: false, logger: quiet, ...options });

@Injectable()
class Uses {
  constructor(
    readonly events: EventService,
    @Inject(EVENT_SERVICE) readonly alias: EventService,
    @InjectBus() readonly main: EventBus,
    @InjectBus('domain') readonly domain: EventBus,
  ) {}
}

describe('injection', () => {
  it('EventService by class and by token, buses by name', async () => {
    const app = await start(forRoot({ instances: { domain: {} } }), [Uses]);
    const { events, alias, main, domain } = app.get(Uses);
    expect(events).toBeInstanceOf(EventService);
    expect(alias).toBe(events);
    expect([events.name, main.name, domain.name]).toEqual(['default', 'default', 'domain']);
    expect(events.bus('domain')).toBe(domain);
    expect(app.get(getBusToken('domain'))).toBe(domain);
    expect(getBusToken('domain')).toBe(Symbol.for('nestjs-cardinal.bus.domain'));
  });

  it('everywhere, as the module is global', async () => {
    @Injectable()
    class Deep {
      constructor(readonly events: EventService) {}
    }
    @Module({ providers: [Deep] })
    class DeepModule {}
    const app = await start(forRoot(), [], [{ module: DeepModule }]);
    expect(app.get(Deep).events).toBe(app.get(EventService));
  });

  it('a bus that only the environment names', async () => {
    const env = { EVENT_DOMAIN_CONCURRENCY: '3' };
    const app = await start(EventsModule.forRoot({ env, logger: quiet }), [Uses]);
    expect(app.get(Uses).domain.name).toBe('domain');
  });

  it('a provider can ask for it in its factory', async () => {
    const provider = { provide: 'name', useFactory: (events: EventService) => events.name, inject: [EventService] };
    expect((await start(forRoot(), [provider])).get('name')).toBe('default');
  });
});

describe('named buses', () => {
  @Injectable()
  class Listener {
    readonly seen: string[] = [];
    @OnEvent('x')
    onDefault(_payload: unknown, context: EventContext): void {
      this.seen.push(context.bus);
    }
    @OnEvent('x', { bus: 'domain' })
    onDomain(_payload: unknown, context: EventContext): void {
      this.seen.push(context.bus);
    }
  }

  it('are apart', async () => {
    const app = await start(forRoot({ instances: { domain: {} } }), [Listener]);
    const events = app.get(EventService);
    await events.publish('x', 1, { settle: true });
    expect(app.get(Listener).seen.splice(0)).toEqual(['default']);
    await events.bus('domain').publish('x', 1, { settle: true });
    expect(app.get(Listener).seen).toEqual(['domain']);
    expect(() => events.bus('none')).toThrow(/Known: default, domain/);
  });

  it('can be made at run time, and close with the application', async () => {
    const app = await start(forRoot());
    const bus = await app.get(EventService).createBus('tenant');
    const seen: unknown[] = [];
    await bus.subscribe('x', (payload) => void seen.push(payload));
    await bus.publish('x', 1, { settle: true });
    expect(seen).toEqual([1]);
    await app.close();
    await expect(bus.publish('x')).rejects.toMatchObject({ code: 'BUS_CLOSED' });
  });
});

describe('requests', () => {
  it('are answered by the first declared handler, and fail with its error', async () => {
    @Injectable()
    class Sums {
      @OnEvent('sum')
      async sum(numbers: number[]): Promise<number> {
        return Promise.resolve(numbers.reduce((a, b) => a + b, 0));
      }
      @OnEvent('sum')
      second(): string {
        return 'second';
      }
      @OnEvent('fail')
      fail(): void {
        throw new TypeError('cannot');
      }
      @OnEvent('silent.*')
      wildcard(): string {
        return 'no';
      }
      @OnEvent('loud.*', { reply: true })
      loud(): string {
        return 'yes';
      }
    }
    const events = (await start(forRoot(), [Sums])).get(EventService);
    expect(await events.publishAndWait('sum', [1, 2, 3])).toBe(6);
    await expect(events.publishAndWait('fail')).rejects.toMatchObject({
      remote: { name: 'TypeError', message: 'cannot' },
    });
    await expect(events.publishAndWait('silent.x')).rejects.toMatchObject({ code: 'NO_HANDLER' });
    expect(await events.publishAndWait('loud.x')).toBe('yes');
  });
});

describe('forRootAsync', () => {
  @Injectable()
  class Config {
    readonly service = 'from-config';
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  @Injectable()
  class Factory implements EventsOptionsFactory {
    constructor(private readonly config: Config) {}
    async createEventsOptions(): Promise<EventsModuleOptions> {
      return Promise.resolve({ env: false, service: this.config.service, logger: quiet, instances: { domain: {} } });
    }
  }
  @Module({ imports: [ConfigModule], providers: [Factory], exports: [Factory] })
  class FactoryModule {}

  const ways: [string, EventsModuleAsyncOptions][] = [
    [
      'useFactory',
      {
        imports: [ConfigModule],
        inject: [Config],
        useFactory: async (config: Config) => new Factory(config).createEventsOptions(),
      },
    ],
    ['useClass', { imports: [ConfigModule], useClass: Factory }],
    ['useExisting', { imports: [FactoryModule], useExisting: Factory }],
  ];

  it.each(ways)('%s', async (_name, options) => {
    @Injectable()
    class Listener {
      readonly sources: string[] = [];
      @OnEvent('x', { bus: 'domain' })
      on(_payload: unknown, context: EventContext): void {
        this.sources.push(context.source);
      }
    }
    const app = await start(EventsModule.forRootAsync({ ...options, instances: ['domain'] }), [Uses, Listener]);
    await app.get(Uses).domain.publish('x', 1, { settle: true });
    expect(app.get(Listener).sources).toEqual(['from-config']);
  });

  it('only the buses of `instances` can be injected, the others are there', async () => {
    const events = EventsModule.forRootAsync({
      useFactory: () => ({ env: false as const, instances: { domain: {} } }),
    });
    await expect(start(events, [Uses])).rejects.toThrow(/nestjs-cardinal\.bus\.domain/);
    expect((await start(events)).get(EventService).bus('domain').name).toBe('domain');
  });

  it('an instance that does not exist is an error at start', async () => {
    const events = EventsModule.forRootAsync({ instances: ['domain'], useFactory: () => ({ env: false as const }) });
    const error: unknown = await start(events).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EventsConfigError);
    expect((error as Error).message).toMatch(
      /got 'domain', which neither the options nor the environment have; known: default/,
    );
  });

  it('a factory that fails, or that none or two are given, is an error at start', async () => {
    const failing = EventsModule.forRootAsync({ useFactory: async () => Promise.reject(new Error('no config')) });
    await expect(start(failing)).rejects.toThrow('no config');
    await expect(start(EventsModule.forRootAsync({}))).rejects.toThrow(/got 0 of useFactory, useClass and useExisting/);
    const two = EventsModule.forRootAsync({ useFactory: () => ({}), useClass: Factory });
    await expect(start(two)).rejects.toThrow(/got 2 of/);
  });
});

describe('two applications in one process', () => {
  @Injectable()
  class Listener {
    readonly seen: unknown[] = [];
    @OnEvent('x')
    on(payload: unknown): void {
      this.seen.push(payload);
    }
  }

  it('share nothing, even with one dynamic module', async () => {
    const events = forRoot();
    const [one, two] = [await start(events, [Listener]), await start(events, [Listener])];
    expect(one.get(EventService).instanceId).not.toBe(two.get(EventService).instanceId);
    await one.get(EventService).publish('x', 'one', { settle: true });
    await two.get(EventService).publish('x', 'two', { settle: true });
    await one.close();
    await two.get(EventService).publish('x', 'still', { settle: true });
    expect(one.get(Listener).seen).toEqual(['one']);
    expect(two.get(Listener).seen).toEqual(['two', 'still']);
  });
});

describe('the log', () => {
  @Injectable()
  class Orders {
    @OnEvent('order.created')
    onCreated(): void {}
    @OnEvent(['order.*', 'invoice.#'], { bus: 'domain', group: true, startFrom: 'earliest', concurrency: 3 })
    onAny(): void {}
    @OnEvent('ready', { once: true })
    once(): void {}
  }

  const report = [
    "Bus 'default' is in memory; service 'shop', instance 'shop-1'.",
    "Bus 'domain' is in memory; service 'shop', instance 'shop-1'.",
    "Orders.onCreated listens to 'order.created' on bus 'default': every process, 10 at once, answers requests.",
    "Orders.onAny listens to 'order.*', 'invoice.#' on bus 'domain': once in group 'shop', 3 at once, no requests, from the earliest.",
    "Orders.once listens to 'ready' on bus 'default': every process, 10 at once, answers requests, once.",
  ];
  const options: EventsModuleOptions = { env: false, service: 'shop', instanceId: 'shop-1', instances: { domain: {} } };

  it('says at start what listens to what, and how', async () => {
    const lines: string[] = [];
    const logger = { ...quiet, log: (line: string) => void lines.push(line) };
    await start(EventsModule.forRoot({ ...options, logger }), [Orders]);
    expect(lines).toEqual(report);
  });

  it("is Nest's, as 'Events', where none is given", async () => {
    const lines: unknown[][] = [];
    const write = (...args: unknown[]): void => void lines.push(args);
    const logger: LoggerService = { log: write, warn: write, error: write, debug: write };
    const app = await Test.createTestingModule({ imports: [EventsModule.forRoot(options)], providers: [Orders] })
      .setLogger(logger)
      .compile();
    running.push(app);
    try {
      await app.init();
      expect(lines.filter((args) => args.at(-1) === 'Events').map(([line]) => line)).toEqual(report);
    } finally {
      Logger.overrideLogger(false);
    }
  });

  it('warns of a class with several instances', async () => {
    const lines: string[] = [];
    const seen: string[] = [];
    @Injectable()
    class Listener {
      constructor(@Inject('name') private readonly name: string) {}
      @OnEvent('x')
      on(): void {
        seen.push(this.name);
      }
    }
    @Module({ providers: [Listener, { provide: 'name', useValue: 'one' }] })
    class One {}
    @Module({ providers: [Listener, { provide: 'name', useValue: 'two' }] })
    class Two {}
    const events = forRoot({ logger: { ...quiet, warn: (line) => void lines.push(line) } });
    const app = await start(events, [], [{ module: One }, { module: Two }]);
    await app.get(EventService).publish('x', 1, { settle: true });
    expect(seen.sort()).toEqual(['one', 'two']);
    expect(lines).toEqual([
      expect.stringMatching(/^Listener has 2 instances \(in One, Two\), and each handles every event/),
    ]);
  });
});

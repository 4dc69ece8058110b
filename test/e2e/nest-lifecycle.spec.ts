import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Global,
  Injectable,
  Module,
  type INestApplication,
  type INestApplicationContext,
  type INestMicroservice,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import {
  EventService,
  EventsModule,
  OnEvent,
  type EventContext,
  type EventDriver,
  type EventsLogger,
} from 'nestjs-cardinal';
import { within } from '../support/wait.js';

const lines: string[] = [];
const logger: EventsLogger = {
  log: (line) => void lines.push(line),
  debug: () => {},
  warn: (line) => void lines.push(`warn ${line}`),
  error: (line) => void lines.push(`error ${line}`),
};
const quiet = { logger: false, abortOnError: false } as const;

interface Signal {
  readonly given: Promise<void>;
  give(): void;
}
function signal(): Signal {
  let give = (): void => {};
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given: within('a signal', given, 10_000), give: () => give() };
}

let order: string[] = [];
let app: { close(): Promise<unknown> } | undefined;

beforeEach(() => {
  order = [];
  lines.length = 0;
});
afterEach(async () => {
  await app?.close();
  app = undefined;
});

/** The ways to run an application; each resolves when it has started. */
const WAYS: [string, (module: Type) => Promise<INestApplicationContext>][] = [
  [
    'a testing module',
    async (module) => {
      const testing = await Test.createTestingModule({ imports: [module] }).compile();
      await testing.init();
      return testing;
    },
  ],
  [
    'an application of a testing module',
    async (module) => (await Test.createTestingModule({ imports: [module] }).compile()).createNestApplication().init(),
  ],
  [
    'an application that listens',
    async (module) => {
      const application: INestApplication = await NestFactory.create(module, quiet);
      await application.listen(0);
      return application;
    },
  ],
  ['an application context', async (module) => NestFactory.createApplicationContext(module, quiet)],
  [
    'a microservice',
    async (module) => {
      const options = { ...quiet, transport: Transport.TCP, options: { port: 0 } };
      const microservice: INestMicroservice = await NestFactory.createMicroservice(module, options);
      await microservice.listen();
      return microservice;
    },
  ],
  [
    'a hybrid application',
    async (module) => {
      const application: INestApplication = await NestFactory.create(module, quiet);
      application.connectMicroservice({ transport: Transport.TCP, options: { port: 0 } });
      await application.startAllMicroservices();
      await application.listen(0);
      return application;
    },
  ],
];

describe.each(WAYS)('%s', (_name, run) => {
  it('starts the consumers after every bootstrap hook, and gives them what the hooks published', async () => {
    const handled = signal();

    @Injectable()
    class Nested implements OnModuleInit, OnApplicationBootstrap {
      constructor(private readonly events: EventService) {}
      async onModuleInit(): Promise<void> {
        await this.events.publish('early', 'nested init');
      }
      async onApplicationBootstrap(): Promise<void> {
        await this.events.publish('early', 'nested bootstrap');
      }
    }
    @Global()
    @Module({ providers: [Nested] })
    class GlobalModule {}

    @Injectable()
    class Root implements OnModuleInit, OnApplicationBootstrap {
      constructor(private readonly events: EventService) {}
      async onModuleInit(): Promise<void> {
        await this.events.publish('early', 'root init');
        order.push('root init');
      }
      async onApplicationBootstrap(): Promise<void> {
        await this.events.publish('early', 'root bootstrap');
        await new Promise((resolve) => setImmediate(resolve));
        order.push('root bootstrap');
      }
      @OnEvent('early')
      on(payload: string): void {
        this.see(`process ${payload}`);
      }
      @OnEvent('early', { group: true, startFrom: 'earliest', concurrency: 1 })
      member(payload: string): void {
        this.see(`group ${payload}`);
      }
      private see(what: string): void {
        order.push(what);
        if (order.filter((each) => /process|group/.test(each)).length === 8) handled.give();
      }
    }
    @Module({ imports: [GlobalModule, EventsModule.forRoot({ env: false, logger })], providers: [Root] })
    class AppModule implements OnApplicationBootstrap {
      async onApplicationBootstrap(): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
        order.push('module bootstrap');
      }
    }
    app = await run(AppModule);
    await handled.given;
    const early = ['nested init', 'root init', 'nested bootstrap', 'root bootstrap'];
    expect(order.slice(0, 3)).toEqual(['root init', 'root bootstrap', 'module bootstrap']);
    expect(order.filter((each) => each.startsWith('process'))).toEqual(early.map((each) => `process ${each}`));
    expect(order.filter((each) => each.startsWith('group'))).toEqual(early.map((each) => `group ${each}`));
  });

  it('answers requests to own handlers in hooks', async () => {
    const answers: unknown[] = [];
    @Injectable()
    class Asking implements OnModuleInit, OnApplicationBootstrap {
      constructor(private readonly events: EventService) {}
      async onModuleInit(): Promise<void> {
        answers.push(await this.events.publishAndWait('sum', [1, 2]));
      }
      async onApplicationBootstrap(): Promise<void> {
        answers.push(await this.events.publishAndWait('sum', [3, 4]));
      }
    }
    @Global()
    @Module({ providers: [Asking] })
    class AskingModule {}
    @Injectable()
    class Sums {
      @OnEvent('sum')
      sum([a, b]: [number, number]): number {
        return a + b;
      }
    }
    // The global module that asks comes first in every order that Nest has.
    @Module({ imports: [AskingModule, EventsModule.forRoot({ env: false, logger })], providers: [Sums] })
    class AppModule {}
    app = await run(AppModule);
    expect(answers).toEqual([3, 7]);
  });

  it('drains before anybody is destroyed, and publishes until the end', async () => {
    const begun = signal();
    const destroying = signal();
    const end = signal();

    class Closing implements OnModuleDestroy, OnApplicationShutdown {
      constructor(
        private readonly name: string,
        private readonly events: EventService,
      ) {}
      onModuleDestroy(): void {
        order.push(`${this.name} destroyed`);
      }
      async onApplicationShutdown(): Promise<void> {
        await this.events.publish('late', this.name);
        order.push(`${this.name} shut down`);
      }
    }
    @Injectable()
    class Database extends Closing {
      constructor(events: EventService) {
        super('database', events);
      }
    }
    @Injectable()
    class GlobalDatabase extends Closing {
      constructor(events: EventService) {
        super('global', events);
      }
    }
    @Injectable()
    class RootDatabase extends Closing {
      constructor(events: EventService) {
        super('root', events);
      }
    }
    @Global()
    @Module({ providers: [GlobalDatabase] })
    class GlobalModule {}
    @Module({ providers: [Database] })
    class Before {}
    @Module({ imports: [Before] })
    class After {}

    @Injectable()
    class Slow {
      @OnEvent('slow')
      async on(): Promise<void> {
        order.push('begun');
        begun.give();
        await destroying.given;
        await new Promise((resolve) => setImmediate(resolve));
        order.push('ended');
      }
    }
    @Module({
      imports: [GlobalModule, Before, EventsModule.forRoot({ env: false, logger }), After],
      providers: [Slow, RootDatabase],
    })
    class AppModule {}

    const context = await run(AppModule);
    await context.get(EventService).publish('slow');
    await begun.given;
    const closed = context.close().then(() => end.give());
    destroying.give();
    await closed;
    await end.given;
    expect(order.slice(0, 2)).toEqual(['begun', 'ended']);
    expect(order.slice(2, 5).sort()).toEqual(['database destroyed', 'global destroyed', 'root destroyed']);
    expect(order.slice(5).sort()).toEqual(['database shut down', 'global shut down', 'root shut down']);
    await expect(context.get(EventService).publish('x')).rejects.toMatchObject({ code: 'BUS_CLOSED' });
    expect(lines.filter((line) => /^(warn|error)/.test(line))).toEqual([]);
  });
});

describe('shutdown', () => {
  it('while HTTP requests are still served: a request gets its events published', async () => {
    const begun = signal();
    const go = signal();
    @Controller()
    class Api {
      constructor(private readonly events: EventService) {}
      @Get()
      async get(): Promise<string> {
        begun.give();
        await go.given;
        return (await this.events.publish('x')).type;
      }
    }
    @Module({ imports: [EventsModule.forRoot({ env: false, logger })], controllers: [Api] })
    class AppModule {}
    const application: INestApplication = await NestFactory.create(AppModule, quiet);
    await application.listen(0);
    const response = fetch(await application.getUrl(), { headers: { connection: 'close' } });
    await begun.given;
    const closed = application.close();
    go.give();
    expect(await (await response).text()).toBe('x');
    await closed;
  });

  it('does not wait longer than shutdownTimeout, and aborts the signal then', async () => {
    const begun = signal();
    const aborted = signal();
    @Injectable()
    class Stuck {
      @OnEvent('x')
      async on(_payload: unknown, context: EventContext): Promise<void> {
        context.signal.addEventListener('abort', () => aborted.give());
        begun.give();
        await new Promise(() => {});
      }
    }
    @Module({ imports: [EventsModule.forRoot({ env: false, logger, shutdownTimeout: 1 })], providers: [Stuck] })
    class AppModule {}
    const context = await NestFactory.createApplicationContext(AppModule, quiet);
    await context.get(EventService).publish('x');
    await begun.given;
    await context.close();
    await aborted.given;
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringMatching(/1 deliveries did not finish/),
    ]);
  });

  it('of an application that was never initialized', async () => {
    const testing = await Test.createTestingModule({
      imports: [EventsModule.forRoot({ env: false, logger })],
    }).compile();
    await testing.get(EventService).publish('x');
    await testing.close();
    await expect(testing.get(EventService).publish('x')).rejects.toMatchObject({ code: 'BUS_CLOSED' });
  });

  it('twice', async () => {
    @Module({ imports: [EventsModule.forRoot({ env: false, logger })] })
    class AppModule {}
    const context = await NestFactory.createApplicationContext(AppModule, quiet);
    await Promise.all([context.close(), context.close()]);
    await context.close();
    expect(lines.filter((line) => /^(warn|error)/.test(line))).toEqual([]);
  });
});

describe('a start that fails', () => {
  /** A driver that connects and tells what is done to it. */
  const driver = (calls: string[], fails: Partial<Record<'open' | 'attach' | 'close', Error>> = {}): EventDriver => {
    const act = async (what: 'open' | 'attach' | 'close'): Promise<never> => {
      calls.push(what);
      const error = fails[what];
      if (error !== undefined) throw error;
      return Promise.resolve(undefined as never);
    };
    const source = {
      listen: async () => undefined,
      unlisten: async () => {},
      pull: () => {},
      settle: () => {},
      alone: async () => 0,
      pause: async () => {},
      close: async () => {},
    };
    return {
      capabilities: { name: 'fake', durable: false, distributed: false },
      open: async () => act('open'),
      deadLetters: undefined as never,
      idempotency: undefined as never,
      cards: undefined as never,
      publish: () => 0,
      attach: async () => {
        await act('attach');
        return source;
      },
      request: async () => Promise.reject(new Error('none')),
      members: async () => [],
      close: async () => act('close'),
    };
  };

  const start = async (events: EventDriver, provider?: Type): Promise<void> => {
    @Module({
      imports: [EventsModule.forRoot({ env: false, logger, instances: { default: { backend: () => events } } })],
      providers: provider === undefined ? [] : [provider],
    })
    class AppModule {}
    const context = await NestFactory.createApplicationContext(AppModule, quiet);
    app = context;
  };

  it('to connect', async () => {
    const calls: string[] = [];
    await expect(start(driver(calls, { open: new Error('no server') }))).rejects.toThrow('no server');
    expect(calls).toEqual(['open']);
  });

  it('to receive: disconnects', async () => {
    const calls: string[] = [];
    await expect(start(driver(calls, { attach: new Error('lost') }))).rejects.toThrow('lost');
    expect(calls[0]).toBe('open');
    expect(calls.at(-1)).toBe('close');
    expect(lines).toEqual([]);
  });

  it('by a wrong handler: disconnects', async () => {
    @Injectable()
    class Wrong {
      @OnEvent('a..b')
      on(): void {}
    }
    const calls: string[] = [];
    await expect(start(driver(calls), Wrong)).rejects.toMatchObject({ code: 'INVALID_PATTERN' });
    expect(calls).toEqual(['open', 'close']);
  });

  it('and an end that fails is told to the log, and others end', async () => {
    @Injectable()
    class Other implements OnApplicationShutdown {
      onApplicationShutdown(): void {
        order.push('other');
      }
    }
    const calls: string[] = [];
    await start(driver(calls, { close: new Error('no answer') }), Other);
    await app?.close();
    expect(order).toEqual(['other']);
    expect(lines.filter((line) => line.startsWith('error'))).toEqual([
      'error The event bus could not disconnect: no answer',
    ]);
  });
});

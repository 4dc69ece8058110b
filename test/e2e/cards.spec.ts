import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  ForbiddenException,
  Inject,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplicationContext,
  type ModuleMetadata,
  type NestInterceptor,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type PipeTransform,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { IsPositive } from 'class-validator';
import {
  EventRequest,
  EventService,
  EventsConfigError,
  EventsModule,
  EventType,
  EventValidationError,
  InjectBus,
  InvalidCardError,
  InvalidHandlerError,
  InvalidOptionError,
  OnCardTopic,
  OnEvent,
  UnknownBusError,
  Upcast,
  type CardContext,
  type EventBus,
  type EventContext,
  type EventsLogger,
  type EventsModuleOptions,
} from 'nestjs-cardinal';
import { waitFor } from 'nestjs-cardinal/testing';
import { map, type Observable } from 'rxjs';

const seen: string[] = [];
const see = (what: string): void => void seen.push(what);
const lines: string[] = [];
const logger: EventsLogger = {
  log: (line) => void lines.push(line),
  debug: () => {},
  warn: (line) => void lines.push(line),
  error: (line) => void lines.push(line),
};
let app: INestApplicationContext | undefined;

afterEach(async () => {
  await app?.close().catch(() => undefined);
  app = undefined;
  seen.length = 0;
  lines.length = 0;
});

async function start(metadata: ModuleMetadata, options: EventsModuleOptions = {}): Promise<EventService> {
  const module = EventsModule.forRoot({ env: false, service: 'desk', instanceId: 'desk-1', logger, ...options });
  const imports = [module, ...(metadata.imports ?? [])];
  const compiled = await Test.createTestingModule({ ...metadata, imports }).compile();
  app = compiled;
  await compiled.init();
  return compiled.get(EventService);
}

/** What the start rejects with. */
async function startError(metadata: ModuleMetadata, options?: EventsModuleOptions): Promise<Error> {
  const error: unknown = await start(metadata, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('it started');
  return error;
}

/** Resolves when so much has been seen, with all of it. */
const sees = async (count: number): Promise<readonly string[]> => {
  await waitFor(() => seen.length >= count, { what: `${String(count)} things: ${seen.join(', ')}` });
  return seen;
};

const numbers = (count: number): number[] => [...Array(count).keys()];

describe('a handler of cards', () => {
  it('gets the events of each card in order, those of different cards at the same time', async () => {
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));

    @Injectable()
    class Comments {
      @OnCardTopic('comment')
      async on(n: number, { cardId }: CardContext): Promise<void> {
        see(`${cardId} ${String(n)} begins`);
        await gate;
        see(`${cardId} ${String(n)} ends`);
      }
    }
    const events = await start({ providers: [Comments] });
    const all = numbers(3).flatMap((n) => ['a', 'b'].map((cardId) => ({ topic: 'comment', cardId, payload: n })));
    await events.cards.publishMany(all);
    expect([...(await sees(2))].sort()).toEqual(['a 0 begins', 'b 0 begins']);
    open();
    await sees(12);
    const of = (card: string): string[] => seen.filter((line) => line.startsWith(card)).map((line) => line.slice(2));
    const inOrder = numbers(3).flatMap((n) => [`${String(n)} begins`, `${String(n)} ends`]);
    expect([of('a'), of('b')]).toEqual([inOrder, inOrder]);
  });

  it('gets the context of its card, also of the events that bootstrap hooks publish', async () => {
    const contexts: CardContext[] = [];

    @Injectable()
    class Comments implements OnApplicationBootstrap {
      constructor(private readonly events: EventService) {}

      async onApplicationBootstrap(): Promise<void> {
        await this.events.cards.publish('comment', 'a:1', { text: 'first' }, { headers: { tenant: 'x' } });
      }

      @OnCardTopic('comment')
      on({ text }: { text: string }, context: CardContext): void {
        see(text);
        contexts.push(context);
      }
    }
    await start({ providers: [Comments] });
    await sees(1);
    const [context] = contexts;
    expect(context).toMatchObject({
      ...{ topic: 'comment', cardId: 'a:1', type: 'comment', source: 'desk', handler: 'Comments.on', bus: 'default' },
      ...{ attempt: 1, redelivered: false, mode: 'anycast', headers: { tenant: 'x' } },
    });
    expect(context?.sequence).toMatch(/^\d+-\d+$/);
    expect(context?.fencingToken).toMatch(/^\d+$/);
    expect(JSON.parse(JSON.stringify(context))).toMatchObject({
      topic: 'comment',
      cardId: 'a:1',
      handler: 'Comments.on',
    });
  });

  it('publishing works until the end of the shutdown', async () => {
    @Injectable()
    class Late implements OnApplicationShutdown {
      constructor(private readonly events: EventService) {}

      async onApplicationShutdown(): Promise<void> {
        const { type } = await this.events.cards.publish('comment', 'a', 1);
        see(type);
      }
    }
    const events = await start({ providers: [Late] });
    await app?.close();
    expect(seen).toEqual(['comment']);
    await expect(events.cards.publish('comment', 'a', 2)).rejects.toMatchObject({ code: 'BUS_CLOSED' });
  });

  it('in memory handles what waits before the application ends: there is no later', async () => {
    @Injectable()
    class Comments {
      @OnCardTopic('comment', { concurrency: 1 })
      async on(n: number, { cardId }: CardContext): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
        see(`${cardId}${String(n)}`);
      }
    }
    const events = await start({ providers: [Comments] });
    const all = numbers(10).flatMap((n) => ['a', 'b'].map((cardId) => ({ topic: 'comment', cardId, payload: n })));
    await events.cards.publishMany(all);
    await app?.close();
    expect(seen).toHaveLength(20);
    expect(lines.filter((line) => line.includes('did not finish'))).toEqual([]);
  });

  it('that is closed at run time finishes what it has begun; what waits is for the next', async () => {
    const events = await start({});
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const first = await events.cards.subscribe('comment', (n) => gate.then(() => see(`first ${String(n)}`)));
    await events.cards.publishMany(numbers(3).map((payload) => ({ topic: 'comment', cardId: 'a', payload })));
    await waitFor(async () => (await events.cards.inspect('comment', 'a'))?.state === 'owned');
    await first.close();
    const second = events.cards.subscribe('comment', (n) => see(`second ${String(n)}`));
    open();
    expect((await second).patterns).toEqual(['comment']);
    expect(await sees(3)).toEqual(['first 0', 'second 1', 'second 2']);
  });

  it('may be in a controller, on a named bus, on several topics, beside a handler of events', async () => {
    @Controller()
    class Orders {
      constructor(@InjectBus('domain') private readonly domain: EventBus) {}

      @OnCardTopic(['order', 'refund'], { bus: 'domain', name: 'ledger', concurrency: 3 })
      @OnEvent('order')
      async on(n: number, context: EventContext | CardContext): Promise<void> {
        see(`${context.handler} ${'topic' in context ? context.topic : context.type} ${String(n)}`);
        if (n === 1) await this.domain.cards.publish('refund', 'a', 2);
      }
    }
    const events = await start({ controllers: [Orders] }, { instances: { domain: {} } });
    await events.bus('domain').cards.publish('order', 'a', 1);
    await events.publish('order', 3);
    expect([...(await sees(3))].sort()).toEqual(['Orders.on order 3', 'ledger order 1', 'ledger refund 2']);
    expect(lines.filter((line) => line.includes('Orders.on') || line.includes('ledger'))).toEqual([
      "ledger handles the cards of 'order', 'refund' on bus 'domain': each in order, 3 at once, failed ones to the dead letters.",
      "Orders.on listens to 'order' on bus 'default': every process, 10 at once, answers requests.",
    ]);
  });

  it('with batch gets consecutive events of one card', async () => {
    @Injectable()
    class Comments {
      @OnCardTopic('comment', { batch: { size: 3, maxWait: 0 } })
      on(payloads: number[], contexts: CardContext[]): void {
        see(`${contexts.map(({ cardId }) => cardId).join('')} ${payloads.join('')}`);
      }
    }
    const events = await start({
      providers: [
        Comments,
        {
          provide: 'filled',
          inject: [EventService],
          useFactory: (service: EventService) =>
            service.cards.publishMany(numbers(5).map((payload) => ({ topic: 'comment', cardId: 'a', payload }))),
        },
      ],
    });
    expect(await sees(2)).toEqual(['aaa 012', 'aa 34']);
    expect(lines).toContainEqual(expect.stringContaining('1 at once in batches of 3'));
    expect((await events.cards.inspect('comment', 'a'))?.state).toBe('idle');
  });

  it('idempotent: once an event of a card, whatever other cards have under its id', async () => {
    @Injectable()
    class Comments {
      @OnCardTopic('comment', { idempotent: true, retry: { attempts: 2, delay: 1 } })
      on(n: number, { cardId, attempt }: CardContext): void {
        see(`${cardId} ${String(n)}`);
        if (n === 2 && attempt === 1) throw new Error('once');
      }
    }
    const events = await start({ providers: [Comments] });
    for (const cardId of ['a', 'b']) await events.cards.publish('comment', cardId, 1, { id: 'same' });
    await events.cards.publish('comment', 'a', 2);
    expect([...(await sees(4))].sort()).toEqual(['a 1', 'a 2', 'a 2', 'b 1']);
  });

  it('runs with the guards, interceptors, pipes and filters of its method', async () => {
    class Guard implements CanActivate {
      canActivate(execution: ExecutionContext): boolean {
        const { cardId } = execution.getArgByIndex<CardContext>(1);
        see(`guard ${execution.getType<string>()} ${cardId}`);
        return cardId !== 'closed';
      }
    }
    class Twice implements PipeTransform<number, number> {
      transform(n: number): number {
        return n * 2;
      }
    }
    class Around implements NestInterceptor {
      intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle().pipe(map(() => see('after')));
      }
    }
    class Told implements ExceptionFilter {
      catch(error: unknown, host: ArgumentsHost): string | undefined {
        const { cardId } = host.getArgByIndex<CardContext>(1);
        see(`${cardId} ${(error as Error).constructor.name}`);
        return cardId === 'closed' && error instanceof ForbiddenException ? 'handled' : undefined;
      }
    }

    @Injectable()
    class Comments {
      @OnCardTopic('comment')
      @UseGuards(Guard)
      @UsePipes(Twice)
      @UseInterceptors(Around)
      @UseFilters(Told)
      on(n: number): void {
        see(`handler ${String(n)}`);
      }
    }
    const events = await start({ providers: [Comments] });
    await events.cards.publish('comment', 'open', 21);
    expect(await sees(3)).toEqual(['guard event open', 'handler 42', 'after']);
    await events.cards.publish('comment', 'closed', 1);
    expect((await sees(5)).slice(3)).toEqual(['guard event closed', 'closed ForbiddenException']);
    expect(await events.deadLetters.list()).toMatchObject({ total: 0 });
  });

  it('request-scoped: an instance for each event, which gets the event', async () => {
    let made = 0;

    @Injectable({ scope: Scope.REQUEST })
    class Comments {
      private readonly number = ++made;

      constructor(@Inject(REQUEST) private readonly request: EventRequest<number>) {}

      @OnCardTopic('comment')
      on(n: number, { cardId }: CardContext): void {
        const { payload, context } = this.request;
        see([this.number, n, payload, (context as CardContext).cardId === cardId].join(' '));
      }
    }
    const events = await start({ providers: [Comments] });
    for (const n of numbers(3)) await events.cards.publish('comment', 'a', n);
    expect(await sees(3)).toEqual(['1 0 0 true', '2 1 1 true', '3 2 2 true']);
    expect(lines).toContainEqual(expect.stringMatching(/^Comments\.on handles the cards .*an instance per event\.$/));
  });
});

describe('events of classes', () => {
  @EventType('comment.added', { version: 2 })
  class CommentAdded {
    @IsPositive() readonly size!: number;
    get isLong(): boolean {
      return this.size > 100;
    }
  }
  const added = (size: number): CommentAdded => Object.assign(new CommentAdded(), { size });

  @Injectable()
  class Comments {
    @OnCardTopic('comment', { events: [CommentAdded] })
    on(event: CommentAdded | number, { cardId, type, version }: CardContext): void {
      const what = event instanceof CommentAdded ? `${String(event.isLong)} ${String(Object.isFrozen(event))}` : event;
      see(`${cardId} ${type} ${String(version)} ${String(what)}`);
    }

    @Upcast(CommentAdded, { from: 1 })
    newer({ text }: { text: string }): object {
      return { size: text.length };
    }
  }

  it('are checked when they are published, and come as instances; others come as they are', async () => {
    const events = await start({ providers: [Comments] });
    await events.cards.publish('comment', 'a', added(101));
    await events.cards.publish('comment', 'a', 7);
    await events.cards.publish('comment', 'a', { text: 'short' }, { type: 'comment.added' });
    expect(await sees(3)).toEqual(['a comment.added 2 true true', 'a comment 1 7', 'a comment.added 1 false true']);
    await expect(events.cards.publish('comment', 'a', added(-1))).rejects.toBeInstanceOf(EventValidationError);
    const other = events.cards.publish('comment', 'a', added(1), { type: 'other' });
    await expect(other).rejects.toBeInstanceOf(InvalidOptionError);
    expect((await events.cards.inspect('comment', 'a'))?.length).toBe(0);
  });

  it('that break their rules when they come are dead letters at once, and the card goes on', async () => {
    const events = await start({ providers: [Comments] });
    await events.cards.publish('comment', 'a', { text: '' }, { type: 'comment.added' });
    await events.cards.publish('comment', 'a', 8);
    expect(await sees(1)).toEqual(['a comment 1 8']);
    const { items } = await events.deadLetters.list({ topic: 'comment' });
    expect(items).toMatchObject([{ reason: 'invalid', type: 'comment.added', cardId: 'a', attempts: 1 }]);
    expect(await events.deadLetters.list({ type: 'comment.*' })).toMatchObject({ total: 1 });
    expect(await events.deadLetters.list({ type: 'comment' })).toMatchObject({ total: 0 });
  });

  it('a class stands for the topic of its type', async () => {
    @Injectable()
    class OfClass {
      @OnCardTopic(CommentAdded)
      on(event: CommentAdded, { topic }: CardContext): void {
        see(`${topic} ${String(event.isLong)}`);
      }
    }
    const events = await start({ providers: [OfClass] });
    await events.cards.publish('comment.added', 'a', added(1));
    expect(await sees(1)).toEqual(['comment.added false']);
  });
});

describe('a head that fails for good', () => {
  let broken = true;

  afterEach(() => {
    broken = true;
  });

  const failing = (n: number): void => {
    see(String(n));
    if (broken && n === 1) throw new Error('boom');
  };

  it('is a dead letter that can be replayed: it goes to the end of its card', async () => {
    @Injectable()
    class Comments {
      @OnCardTopic('comment', { retry: { attempts: 1 } })
      on(n: number): void {
        failing(n);
      }
    }
    const events = await start({ providers: [Comments] }, { redact: ['secret'] });
    for (const n of numbers(3)) await events.cards.publish('comment', 'a', n);
    await sees(3);
    const [letter] = (await events.deadLetters.list({ topic: 'comment' })).items;
    expect(letter).toMatchObject({
      ...{ topic: 'comment', cardId: 'a', type: 'comment', reason: 'handler-failed', handler: 'Comments.on' },
      ...{ error: 'boom', attempts: 1, group: undefined, event: { payload: 1 } },
    });
    broken = false;
    expect(await events.deadLetters.replay(letter?.id ?? '')).toMatchObject({ replayed: 1, ids: [letter?.id] });
    expect(await sees(4)).toEqual(['0', '1', '2', '1']);
    expect(await events.deadLetters.list()).toMatchObject({ total: 0 });
    const warned = lines.filter((line) => line.includes('is a dead letter'));
    expect(warned).toHaveLength(1);
  });

  it('park: the card waits, is told to system.warning, and goes on when it is resumed', async () => {
    @Injectable()
    class Comments {
      @OnCardTopic('comment', { retry: { attempts: 2, delay: 1 }, onExhausted: 'park' })
      on(n: number): void {
        failing(n);
      }

      @OnEvent('system.warning')
      warned({ cause, message }: { cause: string; message: string }): void {
        if (cause === 'parked') lines.push(message);
      }
    }
    const events = await start({ providers: [Comments] });
    for (const n of numbers(3)) await events.cards.publish('comment', 'a', n);
    await waitFor(async () => (await events.cards.inspect('comment', 'a'))?.state === 'parked');
    expect(seen).toEqual(['0', '1', '1']);
    const card = await events.cards.inspect('comment', 'a');
    expect(card).toMatchObject({ length: 2, attempts: 2, lastError: 'boom', owner: undefined, retryAt: undefined });
    expect(card?.activeAt).toBeInstanceOf(Date);
    expect((await events.cards.list('comment')).cards).toEqual([card]);
    await waitFor(() =>
      lines.includes("card 'comment:a' is parked until it is resumed or skipped: handler-failed: boom"),
    );
    broken = false;
    expect(await events.cards.resume('comment', 'a')).toBe(true);
    expect(await sees(5)).toEqual(['0', '1', '1', '1', '2']);
    expect(lines.some((line) => line.includes("of card 'comment:a'") && line.includes('its card is parked'))).toBe(
      true,
    );
  });
});

describe('a declaration that cannot be is an error at start', () => {
  it('two handlers of one topic: in two classes, on two methods, twice on one', async () => {
    @Injectable()
    class One {
      @OnCardTopic('comment')
      on(): void {}
    }
    @Injectable()
    class Other {
      @OnCardTopic(['order', 'comment'])
      handle(): void {}
    }
    const error = await startError({ providers: [One, Other] });
    expect(error).toBeInstanceOf(InvalidHandlerError);
    expect(error.message).toMatch(
      /^Other\.handle \(\w+\): Topic 'comment' on bus 'default' has the handler One\.on already/,
    );

    @Injectable()
    class Both {
      @OnCardTopic('comment')
      @OnCardTopic('comment')
      on(): void {}
    }
    expect(await startError({ providers: [Both] })).toBeInstanceOf(InvalidHandlerError);
  });

  it.each<[string, unknown, unknown, new (...args: never[]) => Error]>([
    ['a topic with a colon', 'a:b', {}, InvalidCardError],
    ['a topic that is empty', '', {}, InvalidCardError],
    ['an empty list', [], {}, InvalidHandlerError],
    ['a class without @EventType', EventsConfigError, {}, InvalidHandlerError],
    ['an unknown bus', 'comment', { bus: 'domian' }, UnknownBusError],
    ['a bad concurrency', 'comment', { concurrency: 0 }, InvalidOptionError],
    ['a bad onExhausted', 'comment', { onExhausted: 'drop' }, InvalidOptionError],
    ['events that are no list', 'comment', { events: EventsConfigError }, InvalidOptionError],
    ['events without @EventType', 'comment', { events: [EventsConfigError] }, InvalidHandlerError],
    ['an unknown option', 'comment', { group: 'g' }, EventsConfigError],
    ['options that are none', 'comment', 'order', EventsConfigError],
    ['a name that is none', 'comment', { name: 7 }, EventsConfigError],
  ])('%s', async (_what, listenable, options, type) => {
    @Injectable()
    class Comments {
      @OnCardTopic(listenable as string, options as object)
      on(): void {}
    }
    const error = await startError({ providers: [Comments] });
    expect(error).toBeInstanceOf(type);
    expect(error.message).toContain('Comments.on');
  });

  it('the error of an unknown option lists the known ones', async () => {
    @Injectable()
    class Comments {
      @OnCardTopic('comment', { exhausted: 'park' } as object)
      on(): void {}
    }
    const { message } = await startError({ providers: [Comments] });
    expect(message).toContain("unknown option 'exhausted'");
    expect(message).toContain(
      'known: name, bus, retry, timeout, filter, idempotent, batch, concurrency, onExhausted, events',
    );
  });

  it('a decorator that nobody would hear: on a static method, on a class that is only a guard', async () => {
    class Static {
      readonly n = 1;
      @OnCardTopic('comment')
      static on(): void {}
    }
    expect((await startError({ providers: [Static] })).message).toContain('it is static');

    @Injectable()
    class Guard implements CanActivate {
      canActivate(): boolean {
        return true;
      }
      @OnCardTopic('comment')
      on(): void {}
    }
    @UseGuards(Guard)
    @Controller()
    class Guarded {}
    expect((await startError({ controllers: [Guarded] })).message).toContain(
      'Guard (RootTestModule) has @OnCardTopic methods',
    );
  });
});

import type { EventContext, PublishReceipt } from '../core/context.js';
import { BusClosedError, InvalidOptionError, WaitAbortedError } from '../core/errors.js';
import type { EventHandler } from '../core/handler.js';
import type { EventEnvelope } from '../core/envelope.js';
import { Receipt } from './receipt.js';
import { storeMany } from './store-many.js';
import { isPromise } from '../pipeline/compose.js';
import { Breather } from './breather.js';
import type { BusCore } from './bus-core.js';
import type { Cards } from './cards.js';
import type { DeadLetters } from './dead-letters.js';
import type { EventToPublish, Listenable, PublishOptions, RequestOptions } from './publish-options.js';
import { pull, type PulledEvent, type StreamOptions } from './stream.js';
import type { SubscribeOptions, Subscription } from './subscription.js';

/** Events that a stream holds unsettled. */
const STREAM_PREFETCH = 64;

/** An event as `once` without a handler gives it. */
export interface ReceivedEvent<Payload = unknown> {
  readonly payload: Payload;
  readonly context: EventContext;
}

/**
 * A named bus: publishes events, sends requests, adds handlers at run time. In Nest it is injected (`EventService` for
 * the default bus, `@InjectBus(name)` for a named one); elsewhere `createEventBus` makes one.
 */
export class EventBus {
  private readonly breather = new Breather();

  constructor(private readonly core: BusCore) {}

  /** The bus's name; `default` unless configured otherwise. */
  get name(): string {
    return this.core.name;
  }

  /** This process on the bus: `target` for unicast events. */
  get instanceId(): string {
    return this.core.instanceId;
  }

  /**
   * Stores an event for its subscribers. Resolves when the backend has it, rejects when it has not. Works from the moment
   * the bus is connected, also in bootstrap hooks, until the end of the shutdown. Inside a handler the event joins the
   * chain of the event that is handled.
   *
   * @param event an instance of a class with `@EventType`, or an event type followed by a payload (any JSON value)
   * @throws InvalidEventTypeError, InvalidEventError, InvalidOptionError, EventSerializationError, PayloadTooLargeError
   * @throws EventLoopError beyond 32 hops
   * @throws BackendUnavailableError, BackendError, EventsOverloadedError, StreamFullError
   * @throws NoSuchInstanceError when the target of a unicast event is not alive
   * @throws HandlersFailedError with `settle`, when a handler failed (the event is stored)
   */
  publish(event: object, options?: PublishOptions): Promise<PublishReceipt>;
  publish(type: string, payload?: unknown, options?: PublishOptions): Promise<PublishReceipt>;
  publish(event: string | object, second?: unknown, third?: PublishOptions): Promise<PublishReceipt> {
    try {
      const envelope = this.envelope(event, second, third);
      const stored = this.core.publisher.store(envelope, optionsOf(event, second, third));
      if (isPromise(stored)) return stored.then((time) => new Receipt(envelope, time));
      return this.breather.pass(new Receipt(envelope, stored));
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as thrown
      return Promise.reject(error);
    }
  }

  /**
   * Publishes without waiting: what goes wrong is logged and becomes a `system.error` event in this process. Never throws.
   */
  emit(event: object, options?: PublishOptions): void;
  emit(type: string, payload?: unknown, options?: PublishOptions): void;
  emit(event: string | object, second?: unknown, third?: PublishOptions): void {
    try {
      const stored = this.core.publisher.store(this.envelope(event, second, third), optionsOf(event, second, third));
      if (isPromise(stored))
        stored.catch((error: unknown) => {
          this.core.emitFailed(event, error);
        });
    } catch (error) {
      this.core.emitFailed(event, error);
    }
  }

  /**
   * Publishes several events, each on its own: one that is refused does not hold back the others. Resolves with the
   * receipts, in order.
   * @throws PublishManyError when at least one was not stored; its `results` has each event's receipt or error
   */
  publishMany(events: readonly EventToPublish[]): Promise<PublishReceipt[]> {
    const { publisher } = this.core;
    return storeMany(events, (each) => {
      const envelope =
        'event' in each
          ? this.envelope(each.event, each.options, undefined)
          : this.envelope(each.type, each.payload, each.options);
      return { envelope, time: publisher.store(envelope, each.options) };
    });
  }

  /**
   * Asks, and waits for the answer: the return value of exactly one handler, of this process where it has one that
   * answers the type, else of one live process, in turn. No retries: the handler's first error is the caller's.
   *
   * @returns what the handler returned, as JSON gives it, deep-frozen
   * @throws NoHandlerError at once when no live process answers the type
   * @throws RequestTimeoutError, WaitAbortedError, RemoteHandlerError, ResponderLostError
   */
  publishAndWait<Result = unknown>(event: object, options?: RequestOptions): Promise<Result>;
  publishAndWait<Result = unknown>(type: string, payload?: unknown, options?: RequestOptions): Promise<Result>;
  async publishAndWait<Result>(event: string | object, second?: unknown, third?: RequestOptions): Promise<Result> {
    this.core.assertOpen();
    const options = (typeof event === 'string' ? third : second) as RequestOptions | undefined;
    const payload = typeof event === 'string' ? second : undefined;
    const headers = options?.headers === undefined ? undefined : { headers: options.headers };
    const envelope = this.core.publisher.envelope(event, payload, headers, 'request');
    const checking = this.core.publisher.checked(envelope);
    if (checking !== undefined) await checking;
    return (await this.core.requests.request(envelope, options)) as Result;
  }

  /**
   * Adds a handler at run time. Resolves when it counts: events published after that reach it.
   * @throws InvalidPatternError, InvalidHandlerError, InvalidOptionError
   */
  async subscribe<Payload = unknown>(
    pattern: Listenable,
    handler: EventHandler<Payload>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.core.assertOpen();
    assertNamed(options);
    return this.core.subscribe(pattern, handler, options);
  }

  /**
   * Handles the first event that matches, then stops listening. Without a handler: a promise of that event.
   * @throws WaitAbortedError when `signal` aborts before it came
   */
  once<Payload = unknown>(
    pattern: Listenable,
    handler: EventHandler<Payload>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  once<Payload = unknown>(
    pattern: Listenable,
    options?: Pick<SubscribeOptions, 'signal'>,
  ): Promise<ReceivedEvent<Payload>>;
  async once<Payload>(
    pattern: Listenable,
    second?: EventHandler<Payload> | SubscribeOptions,
    third: SubscribeOptions = {},
  ): Promise<Subscription | ReceivedEvent<Payload>> {
    this.core.assertOpen();
    if (typeof second === 'function') return this.core.subscribe(pattern, second, { ...third, once: true });
    return this.nextEvent(pattern, second?.signal);
  }

  /**
   * Events to pull: `for await (const event of bus.stream('order.*')) { …; event.ack(); }`. It begins to listen with the
   * first step of the loop; leaving the loop, or `signal`, ends it, and what is not settled goes back.
   * @throws InvalidPatternError, InvalidOptionError, BusClosedError (at the first step)
   */
  stream<Payload = unknown>(pattern: Listenable, options: StreamOptions = {}): AsyncIterable<PulledEvent<Payload>> {
    const { signal, prefetch = STREAM_PREFETCH, ...rest } = options;
    const subscribe = (handler: EventHandler): Promise<Subscription> => {
      this.core.assertOpen();
      assertNamed(rest);
      return this.core.subscribe(pattern, handler, {
        ...rest,
        concurrency: prefetch,
        timeout: 0,
        reply: false,
        pulled: true,
      });
    };
    return pull<Payload>(subscribe as never, (end) => {
      const forget = this.core.onClose(end);
      signal?.addEventListener('abort', end, { once: true });
      if (signal?.aborted === true) end();
      return () => {
        forget();
        signal?.removeEventListener('abort', end);
      };
    });
  }

  /** Cards: queues in strict order, one for each card of a topic. */
  get cards(): Cards {
    return this.core.cards;
  }

  /** The dead letters of the bus, those of its cards among them. */
  get deadLetters(): DeadLetters {
    return this.core.deadLetters;
  }

  /** Resolves when the bus receives: its handlers count. */
  ready(): Promise<void> {
    return this.core.started;
  }

  /** Takes nothing more and lets running handlers finish, at most `shutdownTimeout`. Publishing still works. */
  drain(): Promise<void> {
    return this.core.drain();
  }

  /** Drains and disconnects. Twice is once. */
  close(): Promise<void> {
    return this.core.close();
  }

  private envelope(event: string | object, second: unknown, third: PublishOptions | undefined): EventEnvelope {
    const { core } = this;
    core.assertOpen();
    if (typeof event === 'string') return core.publisher.envelope(event, second, third);
    return core.publisher.envelope(event, undefined, second as PublishOptions | undefined);
  }

  private async nextEvent<Payload>(
    pattern: Listenable,
    signal: AbortSignal | undefined,
  ): Promise<ReceivedEvent<Payload>> {
    const what = 'an event (once)';
    if (signal?.aborted === true) throw new WaitAbortedError(what, signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(new WaitAbortedError(what, signal?.reason));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const handler = (payload: Payload, context: EventContext): void => {
        forget();
        signal?.removeEventListener('abort', onAbort);
        resolve({ payload, context });
      };
      const forget = this.core.onClose(() => {
        reject(new BusClosedError(this.name));
      });
      this.core
        .subscribe(pattern, handler, { ...(signal === undefined ? {} : { signal }), once: true, reply: false })
        .catch(reject);
    });
  }
}

/** Dead letters and retries find a handler of a group by its name. @throws InvalidOptionError */
function assertNamed({ group, name }: { readonly group?: string | true; readonly name?: string }): void {
  if (group !== undefined && name === undefined)
    throw new InvalidOptionError(
      'subscribe() name',
      name,
      'a name, where there is a group: dead letters and retries find the handler by it',
    );
}

/** The options of a call, wherever its form puts them. */
function optionsOf(
  event: string | object,
  second: unknown,
  third: PublishOptions | undefined,
): PublishOptions | undefined {
  return typeof event === 'string' ? third : (second as PublishOptions | undefined);
}

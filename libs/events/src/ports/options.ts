import type { Filter } from '../core/filter.js';
import type { RetryPolicy } from '../core/retry-policy.js';
import type { EventsLogger } from './logger.js';
import type { EventDriver } from './driver.js';

/** Milliseconds, or a number with a unit: `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'2d'`. */
export type Duration = number | string;

export type Backend = 'memory' | 'redis' | 'rabbitmq';
export type Overflow = 'reject' | 'drop-oldest';
export type ExchangeType = 'topic' | 'direct' | 'fanout' | 'headers';

/** Makes a driver of your own; it must pass the conformance suite of `nestjs-cardinal/testing`. */
export type DriverFactory = (options: ResolvedBusOptions) => EventDriver | Promise<EventDriver>;

/** A client of ioredis 5 or 6 (`Redis` or `Cluster`), structurally: the package is an optional peer. */
export interface RedisLike {
  readonly status: string;
  readonly options?: { readonly keyPrefix?: string | undefined };
  duplicate(...args: never[]): unknown;
}

/**
 * One bus. Every option has a default, and a variable that beats it: `EVENT_<OPTION>` for the default instance,
 * `EVENT_<INSTANCE>_<OPTION>` for a named one (`redis` and `connection` are for code only).
 */
export interface BusOptions {
  /**
   * Defaults to what the scheme of `url` says, to `'redis'` with `redis` or `connection`, else to `'memory'`.
   * `'rabbitmq'` is not part of this release yet and stops the start.
   */
  backend?: Backend | DriverFactory;
  /**
   * `redis://`, `rediss://`, `redis+cluster://h1:6379,h2:6379`, `redis+sentinel://h1:26379,h2:26379/mymaster`; name and
   * password once, before the first host, percent-encoded. For a driver of your own: whatever it reads.
   * For redis it defaults to `REDIS_URL`, else to `redis://localhost:6379`; for other backends to none.
   */
  url?: string;
  /** Options of an ioredis client, instead of `url`; without a `keyPrefix` of their own. Defaults to none. */
  redis?: Readonly<Record<string, unknown>>;
  /**
   * A client of yours, instead of `url`: it is duplicated with the library's settings and never closed. One with a
   * `keyPrefix` of its own is an error, because the prefix would be put before some keys and not before others.
   * Defaults to none.
   */
  connection?: RedisLike;
  /**
   * What the keys of this bus begin with; processes that share events need the same. At most 128 bytes, no white space,
   * no braces. Defaults to `'events:'` for the default instance, `'events:<name>:'` for a named one.
   */
  keyPrefix?: string;
  /** Only with the rabbitmq backend. Defaults to none. */
  exchangeName?: string;
  /** Only with the rabbitmq backend. Defaults to none. */
  exchangeType?: ExchangeType;
  /** What `group: true` means. Defaults to the service's name. */
  group?: string;
  /** Memory: payloads by value, as over a network. `false`: by reference, not frozen, fastest. Defaults to true. */
  isolate?: boolean;
  /** Events that one handler handles at once in this process. Defaults to 10. */
  concurrency?: number;
  /**
   * Unsettled events that one subscriber holds in this process; not less than `concurrency` where both are set.
   * Defaults to 64, to `concurrency` where this is more; and at most 8 MiB of them.
   */
  prefetch?: number;
  /** Largest payload, bytes of JSON; up to 512 MiB, the largest value of Redis. Defaults to 1 MiB. */
  maxPayload?: number;
  /** How long events stay that every subscriber has read. Defaults to 5 minutes. */
  retention?: Duration;
  /** Unread events that a type may hold. Defaults to 1,000,000. */
  maxLength?: number;
  /** What happens beyond `maxLength`. Defaults to `'reject'`. */
  overflow?: Overflow;
  /**
   * How long a type without events and subscribers keeps its stream. Not less than `retention`, which would otherwise
   * not be kept. Defaults to 1 hour, to `retention` where this is more.
   */
  streamTtl?: Duration;
  /** How long an unsettled event may be silent before another member takes it; at least 1 s. Defaults to 30 s. */
  reclaimAfter?: Duration;
  /** For every handler of this bus that does not say otherwise. */
  handlers?: HandlerDefaults;
  /** Cards: strict order per (topic, card). */
  cards?: CardOptions;
  /** By pattern: which events the handlers of this bus want at all, beside their own `filter`. Defaults to none. */
  filters?: Readonly<Record<string, Filter>>;
}

/** How cards are kept and owned. Processes that share cards need the same `streamPrefix` and `lease`. */
export interface CardOptions {
  /** How long a silent process keeps its cards; at least 1 s. Defaults to 10 s. */
  lease?: Duration;
  /** Events of one card that are handled before others have their turn. Defaults to 32. */
  quantum?: number;
  /** How long a card without events keeps its stream. Defaults to 10 min. */
  idleAfter?: Duration;
  /** Between two looks at all registered cards, for notifications that were lost. Defaults to 30 s. */
  sweep?: Duration;
  /** Between two looks for streams that nobody registered. Defaults to 5 min. */
  scan?: Duration;
  /**
   * What the keys of streams begin with, for all buses on a server alike: `<streamPrefix><topic>:<cardId>`. Defaults to
   * `'event_stream:'`.
   */
  streamPrefix?: string;
  /**
   * What `cards.publish` writes: `'cloudevents'`, or `'fields'`: each key of the payload as a field of its own, for
   * consumers in other languages. Both are read. Defaults to `'cloudevents'`.
   */
  encoding?: CardEncoding;
  /**
   * How long a handler that goes on after its timeout keeps its card; then it is reported as stuck, and the event is tried
   * again or becomes a dead letter. Defaults to 1 min.
   */
  stuckAfter?: Duration;
}

export type CardEncoding = 'cloudevents' | 'fields';

/** When a failed handler is tried again. Group handlers: durably, by any member; others: in their process. */
export interface RetryOptions {
  /** Attempts in all, the first among them; 1 = none again. 1 to 1,000. Defaults to 3. */
  readonly attempts?: number;
  /** Before the second attempt. Defaults to 1 s. */
  readonly delay?: Duration;
  /** How the waits grow. Defaults to `'exponential'`: each twice the one before. */
  readonly backoff?: 'fixed' | 'linear' | 'exponential';
  /** Longest wait. Defaults to 5 min. */
  readonly maxDelay?: Duration;
  /** Draw each wait from half of it to all of it. Defaults to true. */
  readonly jitter?: boolean;
}

/** Defaults for the handlers of a bus. */
export interface HandlerDefaults {
  /** How long a run may take; 0 = for ever. Defaults to 30 s. */
  timeout?: Duration;
  /**
   * How long a run that goes on after its timeout keeps its event; then it is reported as stuck (`system.warning`), and
   * the event is tried again or becomes a dead letter. Defaults to 1 min.
   */
  stuckAfter?: Duration;
  retry?: RetryOptions;
}

/** The module. `forRoot()` without options works, in memory. */
export interface EventsModuleOptions {
  /**
   * This service: `source` of what it publishes, its default group. `EVENT_SERVICE` beats it. At most 128 bytes, no white
   * space, no braces. Defaults to the name in the nearest package.json without its scope, else to `'app'`.
   */
  service?: string;
  /**
   * This process. `EVENT_INSTANCE_ID` beats it. Two live holders of one id are an error. At most 128 bytes, no white
   * space, no braces. Defaults to `<service>-<host>-<pid>-<random>`.
   */
  instanceId?: string;
  /**
   * Named buses; `default` always exists, and so does one that only the environment names. A name is letters, digits,
   * `-` and `_`, and keeps its spelling; names that differ only in case, or in `-` and `_`, are an error, because they
   * have the same variables. Defaults to none but `default`.
   */
  instances?: Readonly<Record<string, BusOptions>>;
  /** Where `EVENT_*` variables and `REDIS_URL` are read; `false` = nowhere; `ignore` = names that are not ours, beside `process.env`. Defaults to `process.env`. */
  env?: Readonly<Record<string, string | undefined>> | false | { readonly ignore: readonly string[] };
  /** Global enhancers that also run on handlers. Defaults to none. */
  enhancers?: readonly ('guards' | 'interceptors' | 'pipes' | 'filters')[];
  /** How long running handlers may finish at shutdown. `EVENT_SHUTDOWN_TIMEOUT` beats it. Defaults to 10 s. */
  shutdownTimeout?: Duration;
  /** One log line per publish, receive and settle. `EVENT_DEBUG` beats it. Defaults to false. */
  debug?: boolean;
  /** `{ publish: true }`: `system.*` events are published on the bus like others. Defaults to false: they stay in the process. */
  system?: { readonly publish: boolean };
  /** Payload keys that are hidden in logs and listings; a list is compared without regard to case. Defaults to none. */
  redact?: readonly string[] | ((key: string) => boolean);
  /** Where log lines go. Defaults to Nest's logger; outside Nest, to standard error. */
  logger?: EventsLogger;
}

/** A bus's options with defaults filled in, durations in milliseconds; frozen. */
export interface ResolvedBusOptions {
  readonly name: string;
  readonly backend: Backend | DriverFactory;
  readonly url: string | undefined;
  readonly redis: Readonly<Record<string, unknown>> | undefined;
  readonly connection: RedisLike | undefined;
  readonly keyPrefix: string;
  readonly exchangeName: string | undefined;
  readonly exchangeType: ExchangeType | undefined;
  readonly group: string;
  readonly isolate: boolean;
  readonly concurrency: number;
  readonly prefetch: number;
  /** Bytes of payload that one subscriber holds in this process. */
  readonly prefetchBytes: number;
  readonly maxPayload: number;
  readonly retention: number;
  readonly maxLength: number;
  readonly overflow: Overflow;
  readonly streamTtl: number;
  readonly reclaimAfter: number;
  readonly handlers: ResolvedHandlerDefaults;
  readonly cards: ResolvedCardOptions;
  readonly filters: ReadonlyMap<string, Filter>;
}

/** Options of cards, filled in: milliseconds. */
export interface ResolvedCardOptions {
  readonly lease: number;
  readonly quantum: number;
  readonly idleAfter: number;
  readonly sweep: number;
  readonly scan: number;
  readonly streamPrefix: string;
  readonly encoding: CardEncoding;
  readonly stuckAfter: number;
}

/** Defaults of handlers, filled in: milliseconds. */
export interface ResolvedHandlerDefaults {
  readonly timeout: number;
  readonly stuckAfter: number;
  readonly retry: RetryPolicy;
}

/** The module's options with defaults filled in; frozen. */
export interface ResolvedModuleOptions {
  readonly service: string;
  readonly instanceId: string;
  readonly instances: ReadonlyMap<string, ResolvedBusOptions>;
  readonly enhancers: ReadonlySet<'guards' | 'interceptors' | 'pipes' | 'filters'>;
  readonly shutdownTimeout: number;
  readonly debug: boolean;
  readonly publishSystemEvents: boolean;
  readonly redact: (key: string) => boolean;
  readonly logger: EventsLogger | undefined;
  /** `REDIS_URL`: the address of a redis backend without any. */
  readonly lastResortUrl: string | undefined;
}

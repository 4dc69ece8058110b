import { EventsConfigError } from '../core/errors.js';
import { instanceNameProblems, newInstanceId, readEnvironment, serviceName } from './env.js';
import {
  BUS_FIELDS,
  CODE_OPTIONS,
  MODULE_FIELDS,
  PREFETCH_BYTES,
  backendOfUrl,
  isRecord,
  layerOf,
  parse,
  readRedisUrl,
  serverName,
  unknownOptions,
  type Field,
  type Given,
  type Layer,
} from './fields.js';
import type {
  BusOptions,
  EventsModuleOptions,
  RedisLike,
  ResolvedBusOptions,
  ResolvedModuleOptions,
} from '../ports/options.js';
import {
  enhancersOf,
  filtersOf,
  fixed,
  isClient,
  loggerOf,
  publishesSystemEvents,
  recordOf,
  redactOf,
  type Options,
} from './code-options.js';
import { show } from './secrets.js';

/** What a bus takes from its surroundings. */
export interface BusContext {
  readonly service: string;
  /** The address of a redis backend without any, `EnvironmentReading.lastResortUrl`. Defaults to `redis://localhost:6379`. */
  readonly lastResortUrl?: string | undefined;
  /** Buses that are there already: a new one must share neither their variables nor their server and key prefix. */
  readonly beside?: Iterable<ResolvedBusOptions>;
}

type At = (path: string) => string;
type Server = Pick<ResolvedBusOptions, 'backend' | 'url' | 'redis' | 'connection' | 'exchangeName' | 'exchangeType'>;

const NOTHING: Layer = new Map();
const DEFAULT_URL = 'redis://localhost:6379';
const NO_RABBITMQ = 'the rabbitmq backend is not part of this release yet; use redis';

/**
 * The module's options with defaults filled in and the environment applied, frozen. What a variable beats is not judged.
 * @param defaults `packageName` in place of the name in the nearest package.json
 * @throws EventsConfigError with every problem there is
 */
export function resolveModuleOptions(
  options: EventsModuleOptions = {},
  defaults: { readonly packageName?: string } = {},
): ResolvedModuleOptions {
  const problems: string[] = [];
  const given = recordOf(options, 'options', problems);
  const code = layerOf(given, Object.values(MODULE_FIELDS), (path) => path);
  problems.push(...unknownOptions(given, MODULE_FIELDS, CODE_OPTIONS.module, (path) => path));
  const declared = recordOf(given['instances'], 'instances', problems);
  const env = readEnvironment(given['env'], Object.keys(declared));
  problems.push(...env.problems);
  const take = <Value>(field: Field<Value>): Value | undefined =>
    parse(field, env.module.get(field.path) ?? code.get(field.path), problems);

  const service = take(MODULE_FIELDS.service) ?? serviceName(defaults.packageName);
  const names = [...new Set(['default', ...Object.keys(declared), ...env.buses.keys()])];
  problems.push(...instanceNameProblems(names, (name) => `instances.${name}`));
  const instances = new Map<string, ResolvedBusOptions>();
  for (const name of names) {
    const own = Object.hasOwn(declared, name) ? recordOf(declared[name], `instances.${name}`, problems) : {};
    const context = { service, lastResortUrl: env.lastResortUrl };
    const at: At = (path) => `instances.${name}.${path}`;
    const bus = resolveBus(name, own, env.buses.get(name) ?? NOTHING, context, at, problems);
    problems.push(...sharedKeys(bus, instances.values()));
    instances.set(name, bus);
  }
  const resolved: ResolvedModuleOptions = {
    service,
    instanceId: take(MODULE_FIELDS.instanceId) ?? newInstanceId(service),
    instances: fixed(instances),
    enhancers: fixed(enhancersOf(given['enhancers'], problems)),
    shutdownTimeout: take(MODULE_FIELDS.shutdownTimeout) ?? MODULE_FIELDS.shutdownTimeout.fallback,
    debug: take(MODULE_FIELDS.debug) ?? MODULE_FIELDS.debug.fallback,
    redact: redactOf(given['redact'], problems),
    publishSystemEvents: publishesSystemEvents(given['system'], problems),
    logger: loggerOf(given['logger'], problems),
    lastResortUrl: env.lastResortUrl,
  };
  if (problems.length > 0) throw new EventsConfigError(problems);
  return Object.freeze(resolved);
}

/**
 * One bus's options with defaults filled in, frozen. For buses that are made while the process runs: it reads no
 * environment, because a variable of such a name has made an instance at start already.
 * @throws EventsConfigError with every problem there is
 */
export function resolveBusOptions(name: string, options: BusOptions, context: BusContext): ResolvedBusOptions {
  const beside = [...(context.beside ?? [])];
  const names = new Set([...beside.map((bus) => bus.name), name]);
  const problems = instanceNameProblems([...names], (bus) => `bus '${bus}'`);
  const at: At = (path) => `${path} of bus '${name}'`;
  const bus = resolveBus(name, recordOf(options, at('options'), problems), NOTHING, context, at, problems);
  problems.push(...sharedKeys(bus, beside));
  if (problems.length > 0) throw new EventsConfigError(problems);
  return bus;
}

function resolveBus(
  name: string,
  options: Options,
  env: Layer,
  context: BusContext,
  at: At,
  problems: string[],
): ResolvedBusOptions {
  problems.push(...unknownOptions(options, BUS_FIELDS, CODE_OPTIONS.bus, at));
  const code = layerOf(options, [...Object.values(BUS_FIELDS), ...CODE_OPTIONS.bus.map((path) => ({ path }))], at);
  const pick = ({ path }: { path: string }): Given | undefined => env.get(path) ?? code.get(path);
  const take = <Value>(field: Field<Value>): Value | undefined => parse(field, pick(field), problems);
  const or = <Value>(field: Field<Value, Value>): Value => take(field) ?? field.fallback;
  const origin = (field: Field<unknown>): string => pick(field)?.origin ?? `the default of ${field.path}`;

  const server = resolveServer(env, code, context, problems);
  const [concurrency, prefetch] = [take(BUS_FIELDS.concurrency), take(BUS_FIELDS.prefetch)];
  if (prefetch !== undefined && concurrency !== undefined && prefetch < concurrency)
    problems.push(
      `${origin(BUS_FIELDS.prefetch)}: got ${String(prefetch)}; accepted: not less than ${origin(BUS_FIELDS.concurrency)}, ` +
        `${String(concurrency)}, which could never be reached.`,
    );
  const [kept, streamTtl] = [take(BUS_FIELDS.retention), take(BUS_FIELDS.streamTtl)];
  const retention = kept ?? BUS_FIELDS.retention.fallback;
  const retentionIsBad = kept === undefined && pick(BUS_FIELDS.retention) !== undefined;
  if (streamTtl !== undefined && streamTtl < retention && !retentionIsBad)
    problems.push(
      `${origin(BUS_FIELDS.streamTtl)}: got ${String(streamTtl)} ms; accepted: not less than ${origin(BUS_FIELDS.retention)}, ` +
        `${String(retention)} ms, which would not be kept; or set a shorter retention.`,
    );
  const maxPayload = or(BUS_FIELDS.maxPayload);
  const retryDelay = or(BUS_FIELDS.handlersRetryDelay);
  return Object.freeze({
    name,
    ...server,
    keyPrefix: take(BUS_FIELDS.keyPrefix) ?? (name === 'default' ? 'events:' : `events:${name}:`),
    group: take(BUS_FIELDS.group) ?? context.service,
    isolate: or(BUS_FIELDS.isolate),
    concurrency: concurrency ?? BUS_FIELDS.concurrency.fallback,
    prefetch: prefetch ?? Math.max(BUS_FIELDS.prefetch.fallback, concurrency ?? 0),
    prefetchBytes: Math.max(PREFETCH_BYTES, maxPayload),
    maxPayload,
    retention,
    maxLength: or(BUS_FIELDS.maxLength),
    overflow: or(BUS_FIELDS.overflow),
    streamTtl: streamTtl ?? Math.max(BUS_FIELDS.streamTtl.fallback, retention),
    reclaimAfter: or(BUS_FIELDS.reclaimAfter),
    handlers: Object.freeze({
      timeout: or(BUS_FIELDS.handlersTimeout),
      stuckAfter: or(BUS_FIELDS.handlersStuckAfter),
      retry: Object.freeze({
        attempts: or(BUS_FIELDS.handlersRetryAttempts),
        delay: retryDelay,
        backoff: or(BUS_FIELDS.handlersRetryBackoff),
        maxDelay:
          take(BUS_FIELDS.handlersRetryMaxDelay) ?? Math.max(BUS_FIELDS.handlersRetryMaxDelay.fallback, retryDelay),
        jitter: or(BUS_FIELDS.handlersRetryJitter),
      }),
    }),
    cards: Object.freeze({
      lease: or(BUS_FIELDS.cardsLease),
      quantum: or(BUS_FIELDS.cardsQuantum),
      idleAfter: or(BUS_FIELDS.cardsIdleAfter),
      sweep: or(BUS_FIELDS.cardsSweep),
      scan: or(BUS_FIELDS.cardsScan),
      streamPrefix: or(BUS_FIELDS.cardsStreamPrefix),
      encoding: or(BUS_FIELDS.cardsEncoding),
      stuckAfter: or(BUS_FIELDS.cardsStuckAfter),
    }),
    filters: filtersOf(code.get('filters'), problems),
  });
}

/** The backend and its address: one decision, taken by the layer that `serverLayer` chooses. */
function resolveServer(env: Layer, code: Layer, context: BusContext, problems: string[]): Server {
  const layer = serverLayer(env, code);
  const origin = (path: string): string => layer.get(path)?.origin ?? path;
  const said = parse(BUS_FIELDS.backend, layer.get('backend'), problems);
  const url = parse(BUS_FIELDS.url, layer.get('url'), problems);
  const backend = said ?? backendOf(layer) ?? 'memory';
  const addresses = ['url', 'redis', 'connection']
    .filter((path) => layer.has(path))
    .map(origin)
    .join(' and ');

  if (addresses.includes(' and ')) problems.push(`${addresses} are given together; accepted: one of them.`);
  if (said === 'rabbitmq') problems.push(`${origin('backend')}: got 'rabbitmq'; ${NO_RABBITMQ}.`);
  if (said === 'memory' && addresses !== '')
    problems.push(
      `${origin('backend')}: got 'memory', which has no server, beside ${addresses}; remove one of the two.`,
    );
  else if (url !== undefined && typeof said !== 'function') problems.push(...urlProblems(url, origin('url')));
  const redis = layer.get('redis');
  const connection = layer.get('connection');
  problems.push(
    ...clientProblems(redis, (value) => isRecord(value) && !isClient(value), 'an object of options of ioredis'),
  );
  problems.push(...clientProblems(connection, isClient, 'a client of ioredis, Redis or Cluster'));

  const lonely = backend === 'redis' && addresses === '' ? context.lastResortUrl : undefined;
  if (lonely !== undefined) problems.push(...urlProblems(lonely, 'REDIS_URL'));
  const setAside = backendOf(code) === 'rabbitmq' && backend !== 'rabbitmq';
  const exchange = <Value>(field: Field<Value>): Value | undefined => {
    const given = env.get(field.path) ?? (setAside ? undefined : code.get(field.path));
    if (given !== undefined && backend !== 'rabbitmq')
      problems.push(`${given.origin}: got ${show(given.value)}; accepted: only beside the rabbitmq backend.`);
    return parse(field, given, problems);
  };
  return {
    backend,
    url: url ?? (backend === 'redis' && addresses === '' ? (lonely ?? DEFAULT_URL) : undefined),
    redis: isRecord(redis?.value) ? Object.freeze({ ...redis.value }) : undefined,
    connection: connection?.value as RedisLike | undefined,
    exchangeName: exchange(BUS_FIELDS.exchangeName),
    exchangeType: exchange(BUS_FIELDS.exchangeType),
  };
}

/**
 * Operators decide last, and about the whole: a URL in the environment sets aside every address and backend in code (but
 * a driver of your own, which gets the URL), a backend in the environment every address in code that is not for it.
 */
function serverLayer(env: Layer, code: Layer): Layer {
  const some = (layer: Layer, ...keys: string[]): [string, Given][] =>
    [...layer].filter(([path]) => keys.includes(path));
  const own = typeof code.get('backend')?.value === 'function';
  if (env.has('url')) return new Map([...(own ? some(code, 'backend') : []), ...some(env, 'backend', 'url')]);
  if (!env.has('backend')) return code;
  const fits = backendOf(env) === backendOf(code);
  return new Map([...some(env, 'backend'), ...(fits ? some(code, 'url', 'redis', 'connection') : [])]);
}

function backendOf(layer: Layer): ResolvedBusOptions['backend'] | undefined {
  const said = layer.get('backend');
  if (said !== undefined) return BUS_FIELDS.backend.parse(said.value);
  if (layer.has('redis') || layer.has('connection')) return 'redis';
  return backendOfUrl(String(layer.get('url')?.value));
}

function urlProblems(url: string, origin: string): string[] {
  if (backendOfUrl(url) === 'rabbitmq') return [`${origin}: got ${show(url)}; ${NO_RABBITMQ}.`];
  const read = readRedisUrl(url);
  return 'why' in read ? [`${origin}: got ${show(url)}, but ${read.why}; accepted: ${BUS_FIELDS.url.accepted}.`] : [];
}

/** ioredis would put its own prefix before the keys that it knows of, and not before those inside scripts and channels. */
function clientProblems(given: Given | undefined, fits: (value: unknown) => boolean, accepted: string): string[] {
  if (given === undefined) return [];
  if (!fits(given.value)) return [`${given.origin}: got ${show(given.value)}; accepted: ${accepted}.`];
  const options = isClient(given.value) ? given.value.options : given.value;
  const prefixes = isRecord(options)
    ? [options, options['redisOptions']].map((all) => isRecord(all) && all['keyPrefix'])
    : [];
  return prefixes.some((prefix) => typeof prefix === 'string' && prefix !== '')
    ? [`${given.origin} has a keyPrefix of its own; accepted: none there. Use the option keyPrefix of the bus.`]
    : [];
}

/** Two buses whose keys would be the same. */
function sharedKeys(bus: ResolvedBusOptions, others: Iterable<ResolvedBusOptions>): string[] {
  const servers = serversOf(bus);
  return [...others].flatMap((other) => {
    if (other.keyPrefix !== bus.keyPrefix || other.name === bus.name) return [];
    const shared = serversOf(other).find((server) => servers.includes(server));
    if (shared === undefined) return [];
    const where = typeof shared === 'string' ? `the server ${shared}` : 'one client';
    return [
      `instances '${other.name}' and '${bus.name}' have ${where} and the key prefix ${show(bus.keyPrefix)} together; ` +
        'accepted: another keyPrefix (EVENT_<INSTANCE>_KEY_PREFIX) or another server for each.',
    ];
  });
}

/** What tells the servers of a bus apart: texts, and the client itself. */
function serversOf({ backend, url, redis, connection }: ResolvedBusOptions): readonly unknown[] {
  if (backend !== 'redis') return [];
  if (connection !== undefined) return [connection, ...hostsOf(connection.options, undefined)];
  if (redis !== undefined) return hostsOf(redis, 'localhost');
  const read = readRedisUrl(url ?? '');
  return 'servers' in read ? read.servers : [];
}

function hostsOf(options: unknown, fallback: string | undefined): readonly unknown[] {
  if (!isRecord(options)) return [];
  const { sentinels, nodes, path, host = fallback, port } = options;
  const name = (host: unknown, port: unknown, standard: number): string | undefined => {
    const bare = String(host);
    const number = typeof port === 'number' || typeof port === 'string' ? Number(port) : standard;
    return serverName(bare.includes(':') ? `[${bare}]` : bare, number);
  };
  const all = (list: unknown, standard: number): unknown[] =>
    Array.isArray(list)
      ? list.map((one: unknown) => (isRecord(one) ? name(one['host'], one['port'], standard) : one))
      : [];
  if (sentinels !== undefined) return all(sentinels, 26_379).map((one) => `${String(one)}/${String(options['name'])}`);
  if (nodes !== undefined) return all(nodes, 6379);
  if (typeof path === 'string') return [path];
  return host === undefined ? [] : [name(host, port, 6379)];
}

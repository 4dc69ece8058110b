import type { AbstractConnector, Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import type { ResolvedBusOptions } from '../../ports/options.js';
import { InvalidOptionError, MissingDependencyError } from '../../core/errors.js';
import { anyNodeOf } from './cluster-node-connector.js';
import { parseRedisUrl, type RedisAddress } from './url.js';

export type { Cluster, Redis };
export type Client = Redis | Cluster;

/** The clients of one bus. */
export interface Clients {
  readonly commands: Client;
  readonly subscriber: Client;
  readonly cluster: boolean;
}

/** Between two tries to connect, ms. */
const RETRY_MIN = 20;
const RETRY_MAX = 1_000;

/**
 * Nothing waits or is repeated inside the client: a command on a lost connection fails at once, and this library decides
 * what may be sent again (a resend by the client doubles stream entries).
 */
const SETTINGS = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  autoResubscribe: false,
  enableReadyCheck: true,
  connectTimeout: 5_000,
  noDelay: true,
  keepAlive: 10_000,
  retryStrategy: (times: number) => Math.min(RETRY_MIN * 2 ** Math.min(times, 10), RETRY_MAX),
} satisfies RedisOptions;

/** What is used of the package. Its own constructor types tell apart reply modes that are not used here. */
interface Module {
  readonly AbstractConnector: typeof AbstractConnector;
  readonly Redis: new (options: RedisOptions) => Redis;
  readonly Cluster: new (nodes: readonly unknown[], options: ClusterOptions) => Cluster;
}

/**
 * Makes unconnected clients from the options: a URL, ioredis options, or duplicates of a client of the user's.
 * @throws MissingDependencyError, EventsConfigError, InvalidOptionError
 */
export async function createClients(options: ResolvedBusOptions): Promise<Clients> {
  const given = options.connection as unknown as Client | undefined;
  if (given !== undefined && !given.isCluster)
    return pair(() => (given as Redis).duplicate({ ...SETTINGS, ...protocol2() }));
  const ioredis = await loadClientPackage();
  const named = (role: string): RedisOptions => ({
    ...SETTINGS,
    ...protocol2(),
    connectionName: `cardinal:${options.name}:${role}`,
  });
  if (given !== undefined) return likeCluster(ioredis, given as Cluster, named);
  if (options.redis !== undefined) return fromOptions(ioredis, options.redis, named);
  const address = parseRedisUrl(options.url ?? 'redis://127.0.0.1:6379');
  if (address.kind === 'cluster') return ofCluster(ioredis, [...address.nodes], {}, auth(address), named);
  const place = address.kind === 'sentinel' ? sentinel(address) : { ...address.nodes[0] };
  const common = { ...place, ...auth(address), ...(address.db === undefined ? {} : { db: address.db }) };
  return pair((role) => new ioredis.Redis({ ...common, ...named(role) }));
}

/** RESP2 keeps replies in one shape over client versions. Unknown to ioredis 5, which speaks nothing else. */
function protocol2(): RedisOptions {
  return { protocol: 2 };
}

async function loadClientPackage(): Promise<Module> {
  try {
    return (await import('ioredis')) as unknown as Module;
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND')
      throw new MissingDependencyError('ioredis', "backend 'redis'", error);
    throw error;
  }
}

function fromOptions(
  ioredis: Module,
  given: Readonly<Record<string, unknown>>,
  named: (role: string) => RedisOptions,
): Clients {
  if (given['keyPrefix'] !== undefined && given['keyPrefix'] !== '')
    throw new InvalidOptionError('redis.keyPrefix', given['keyPrefix'], 'none: use the bus option keyPrefix');
  const { nodes, ...rest } = given as { nodes?: unknown };
  if (Array.isArray(nodes)) {
    const { redisOptions, ...cluster } = rest as ClusterOptions;
    return ofCluster(ioredis, nodes as unknown[], cluster, redisOptions ?? {}, named);
  }
  return pair((role) => new ioredis.Redis({ ...(rest as RedisOptions), ...named(role) }));
}

function likeCluster(ioredis: Module, given: Cluster, named: (role: string) => RedisOptions): Clients {
  const redisOptions = given.options.redisOptions ?? {};
  const cluster = given.duplicate(undefined, clusterOptions(named('commands'), redisOptions) as never);
  return withSubscriber(ioredis, cluster, redisOptions, named);
}

function pair(make: (role: string) => Redis): Clients {
  return { commands: make('commands'), subscriber: make('subscriber'), cluster: false };
}

function ofCluster(
  ioredis: Module,
  nodes: readonly unknown[],
  options: ClusterOptions,
  redisOptions: RedisOptions,
  named: (role: string) => RedisOptions,
): Clients {
  const merged = { ...options, ...clusterOptions(named('commands'), redisOptions) };
  return withSubscriber(ioredis, new ioredis.Cluster(nodes, merged), redisOptions, named);
}

/** A cluster passes messages on to all nodes. The client's own subscriber loses them without a word when it reconnects. */
function withSubscriber(
  ioredis: Module,
  cluster: Cluster,
  redisOptions: RedisOptions,
  named: (role: string) => RedisOptions,
): Clients {
  const options = { ...redisOptions, ...named('subscriber'), Connector: anyNodeOf(cluster, ioredis.AbstractConnector) };
  return { commands: cluster, subscriber: new ioredis.Redis(options), cluster: true };
}

function clusterOptions(settings: RedisOptions, given: RedisOptions): ClusterOptions {
  const { lazyConnect, retryStrategy, ...node } = settings;
  return {
    lazyConnect: lazyConnect ?? true,
    // The first commands wait for the connection to their node. Nothing is sent while the cluster is not ready.
    enableOfflineQueue: true,
    // 0: a lost connection fails the command instead of sending it again behind our back.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: 3_000,
    slotsRefreshInterval: 5_000,
    clusterRetryStrategy: (times) => retryStrategy?.(times) ?? RETRY_MAX,
    redisOptions: { ...given, ...node },
  };
}

function sentinel({ nodes, master }: RedisAddress): RedisOptions {
  return { sentinels: nodes.map((node) => ({ ...node })), name: master ?? '' };
}

function auth({ username, password, tls }: RedisAddress): RedisOptions {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
  };
}

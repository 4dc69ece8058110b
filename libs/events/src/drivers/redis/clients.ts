import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import type { ResolvedBusOptions } from '../../ports/options.js';
import { InvalidOptionError, MissingDependencyError } from '../../core/errors.js';
import { parseRedisUrl, type RedisAddress } from './url.js';

export type { Cluster, Redis };
export type Client = Redis | Cluster;

/** The clients of one bus. On a cluster they are one: ioredis keeps its subscriber beside it. */
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
  readonly Redis: new (options: RedisOptions) => Redis;
  readonly Cluster: new (nodes: readonly unknown[], options: ClusterOptions) => Cluster;
}

/**
 * Makes unconnected clients from the options: a URL, ioredis options, or duplicates of a client of the user's.
 * @throws MissingDependencyError, EventsConfigError, InvalidOptionError
 */
export async function createClients(options: ResolvedBusOptions): Promise<Clients> {
  if (options.connection !== undefined) return duplicates(options.connection as unknown as Client);
  const ioredis = await loadClientPackage();
  const named = (role: string): RedisOptions => ({
    ...SETTINGS,
    ...protocol2(),
    connectionName: `cardinal:${options.name}:${role}`,
  });
  if (options.redis !== undefined) return fromOptions(ioredis, options.redis, named);
  const address = parseRedisUrl(options.url ?? 'redis://127.0.0.1:6379');
  if (address.kind === 'cluster')
    return oneCluster(new ioredis.Cluster([...address.nodes], clusterOptions(named('cluster'), auth(address))));
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
    const merged = clusterOptions(named('cluster'), redisOptions ?? {});
    return oneCluster(new ioredis.Cluster(nodes as unknown[], { ...cluster, ...merged }));
  }
  return pair((role) => new ioredis.Redis({ ...(rest as RedisOptions), ...named(role) }));
}

function duplicates(connection: Client): Clients {
  if (connection.isCluster) {
    const cluster = connection as Cluster;
    const options = clusterOptions({ ...SETTINGS, ...protocol2() }, cluster.options.redisOptions ?? {});
    return oneCluster(cluster.duplicate(undefined, options as never));
  }
  return pair(() => (connection as Redis).duplicate({ ...SETTINGS, ...protocol2() }));
}

function pair(make: (role: string) => Redis): Clients {
  return { commands: make('commands'), subscriber: make('subscriber'), cluster: false };
}

function oneCluster(cluster: Cluster): Clients {
  return { commands: cluster, subscriber: cluster, cluster: true };
}

function clusterOptions(settings: RedisOptions, given: RedisOptions): ClusterOptions {
  const { lazyConnect, retryStrategy, ...node } = settings;
  return {
    lazyConnect: lazyConnect ?? true,
    enableOfflineQueue: false,
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

import { dockerAnswers, WAYS_OUT, which } from './redis-server.js';
import { onCleanup } from './cleanup.js';
import { startServer, type RedisHandle, type RedisOptions } from './redis-process.js';
import { command, format, type Address } from './resp.js';

export type { RedisHandle, RedisOptions, RestartOptions } from './redis-process.js';
export { startCluster, type ClusterHandle, type ClusterOptions } from './redis-cluster.js';
export { startSentinel, type SentinelHandle } from './redis-sentinel.js';

/**
 * A real Redis: EVENTS_TEST_REDIS_URL, else a private redis-server from the PATH, else a container. Any option asks for
 * a private server, so the URL is passed over then. It ends with the test file.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisHandle> {
  const needsPrivate =
    options.private === true || options.args !== undefined || options.port !== undefined || options.dir !== undefined;
  const url = process.env['EVENTS_TEST_REDIS_URL'];
  if (url && !needsPrivate) return foreign(url, 'the server of EVENTS_TEST_REDIS_URL');
  const binary = which('redis-server');
  if (binary !== undefined) return startServer({ binary, name: 'redis-server', ...options });
  if (needsPrivate) throw new Error(`This test starts and stops a redis-server of its own.\n${WAYS_OUT}`);
  if (await dockerAnswers()) return startContainer();
  throw new Error(WAYS_OUT);
}

async function startContainer(): Promise<RedisHandle> {
  // Lazily: testcontainers is large, and of no use where there is no Docker.
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer('redis:7-alpine')
    .withExposedPorts(6379)
    .withCommand(['redis-server', '--save', '', '--appendonly', 'no'])
    .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
    .start();
  const stop = async (): Promise<void> => {
    await container.stop();
  };
  const takeBack = onCleanup(stop);
  return {
    ...foreign(`redis://${container.getHost()}:${String(container.getMappedPort(6379))}`, 'a container'),
    async stop() {
      takeBack();
      await stop();
    },
  };
}

function foreign(url: string, what: string): RedisHandle {
  const { hostname, port, password, username } = new URL(url);
  const address: Address = {
    host: hostname,
    port: Number(port || 6379),
    password: decodeURIComponent(password),
    username: decodeURIComponent(username),
  };
  const refuse = (): never => {
    throw new Error(`${what} is not a private one: ask for it with startRedis({ private: true })`);
  };
  return {
    url,
    host: address.host,
    port: address.port,
    pid: undefined,
    private: false,
    stop: () => Promise.resolve().then(refuse),
    restart: () => Promise.resolve().then(refuse),
    pause: refuse,
    resume: refuse,
    async cli(...args) {
      return format(await command(address, args));
    },
  };
}

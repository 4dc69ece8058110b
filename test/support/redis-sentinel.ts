import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WAYS_OUT, which } from './redis-server.js';
import { startServer, type RedisHandle } from './redis-process.js';
import { waitUntil } from './wait.js';

export interface SentinelOptions {
  /** After how long without an answer a sentinel holds the master for dead, in milliseconds. Defaults to 1,000. */
  readonly downAfter?: number;
}

export interface SentinelHandle {
  readonly masterName: string;
  /** In the form the library takes: redis+sentinel://h1:p1,h2:p2,h3:p3/name */
  readonly url: string;
  /** In the form ioredis takes. */
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  readonly sentinelServers: readonly RedisHandle[];
  /** As at the start: a failover changes the roles. */
  readonly master: RedisHandle;
  readonly replica: RedisHandle;
  /** The port of the master as the sentinels see it now. */
  currentMasterPort(): Promise<number>;
  stop(): Promise<void>;
}

const MASTER = 'mymaster';
const COUNT = 3;

/** One master, one replica and three sentinels on loopback, which know each other when this resolves. */
export async function startSentinel({ downAfter = 1_000 }: SentinelOptions = {}): Promise<SentinelHandle> {
  const binary = which('redis-server');
  if (binary === undefined) throw new Error(`Sentinel needs a redis-server on the PATH.\n${WAYS_OUT}`);
  const args = ['--repl-diskless-sync-delay', '0'];
  const master = await startServer({ binary, name: 'redis-server (master)', args });
  const follow = ['--replicaof', `${master.host} ${String(master.port)}`];
  const replica = await startServer({ binary, name: 'redis-server (replica)', args: [...args, ...follow] });
  await waitUntil('the replica to follow its master', async () =>
    (await replica.cli('INFO', 'replication')).includes('master_link_status:up'),
  );
  const servers = await Promise.all(
    Array.from({ length: COUNT }, (_, index) =>
      startServer({
        binary,
        name: `sentinel ${String(index)}`,
        config: async (dir, port) => {
          const file = join(dir, 'sentinel.conf');
          const lines = [
            `port ${String(port)}`,
            'bind 127.0.0.1',
            `dir ${dir}`,
            `sentinel monitor ${MASTER} ${master.host} ${String(master.port)} ${String(Math.floor(COUNT / 2) + 1)}`,
            `sentinel down-after-milliseconds ${MASTER} ${String(downAfter)}`,
            `sentinel failover-timeout ${MASTER} 10000`,
            `sentinel parallel-syncs ${MASTER} 1`,
          ];
          await writeFile(file, `${lines.join('\n')}\n`);
          return [file, '--sentinel'];
        },
      }),
    ),
  );
  await Promise.all(
    servers.map((server) =>
      waitUntil('the sentinels to know each other and the replica', () => sees(server), { timeout: 30_000 }),
    ),
  );
  const sentinels = servers.map(({ host, port }) => ({ host, port }));
  return {
    masterName: MASTER,
    url: `redis+sentinel://${sentinels.map(({ host, port }) => `${host}:${String(port)}`).join(',')}/${MASTER}`,
    sentinels,
    sentinelServers: servers,
    master,
    replica,
    async currentMasterPort() {
      const alive = servers.find((server) => server.pid !== undefined);
      if (!alive) throw new Error('no sentinel is running');
      return Number((await alive.cli('SENTINEL', 'get-master-addr-by-name', MASTER)).split('\n')[1]);
    },
    async stop() {
      await Promise.all([...servers, replica, master].map((server) => server.stop('SIGKILL')));
    },
  };
}

async function sees(server: RedisHandle): Promise<boolean> {
  const fields = (await server.cli('SENTINEL', 'master', MASTER)).split('\n');
  const field = (name: string): string | undefined => fields[fields.indexOf(name) + 1];
  return (
    field('num-slaves') === '1' && field('num-other-sentinels') === String(COUNT - 1) && field('flags') === 'master'
  );
}

import { WAYS_OUT, which } from './redis-server.js';
import { startServer, type RedisHandle } from './redis-process.js';
import { waitUntil } from './wait.js';

export interface ClusterOptions {
  /** Defaults to 3, the fewest that make a cluster. */
  readonly masters?: number;
  /** For each master. Defaults to 0. */
  readonly replicas?: 0 | 1;
  /** After how long without an answer a node counts as dead, in milliseconds. Defaults to 2,000. */
  readonly nodeTimeout?: number;
}

export interface ClusterNode extends RedisHandle {
  readonly id: string;
  /** As it was at the start: a failover changes it. */
  readonly role: 'master' | 'replica';
  /** First and last slot, as at the start; undefined for a replica. */
  readonly slots: readonly [number, number] | undefined;
}

export interface ClusterHandle {
  readonly urls: readonly string[];
  /** Of the whole cluster, in the form the library takes: redis+cluster://host:port,… */
  readonly url: string;
  /** The masters first. */
  readonly nodes: readonly ClusterNode[];
  /** Waits until every running node says cluster_state:ok. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const BUS = 10_000;

/** A cluster of real servers on loopback, made by commands alone, ready for use. */
export async function startCluster(options: ClusterOptions = {}): Promise<ClusterHandle> {
  const { masters = 3, replicas = 0, nodeTimeout = 2_000 } = options;
  const binary = which('redis-server');
  if (binary === undefined) throw new Error(`A cluster needs a redis-server on the PATH.\n${WAYS_OUT}`);
  const count = masters * (1 + replicas);
  const servers = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      startServer({
        binary,
        name: `redis-server (cluster node ${String(index)})`,
        alsoFree: [BUS],
        args: [
          ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
          ...['--cluster-node-timeout', String(nodeTimeout), '--repl-diskless-sync-delay', '0'],
          // A replica is used for a failover however long it was away.
          ...['--cluster-replica-validity-factor', '0'],
        ],
      }),
    ),
  );
  const ids = await Promise.all(servers.map((server) => server.cli('CLUSTER', 'MYID')));
  const ranges = Array.from({ length: masters }, (_, index): readonly [number, number] => [
    Math.floor((SLOTS * index) / masters),
    Math.floor((SLOTS * (index + 1)) / masters) - 1,
  ]);
  const nodes = servers.map(
    (server, index): ClusterNode =>
      // Not a spread: `pid` is a getter.
      Object.create(server, {
        id: { value: ids[index], enumerable: true },
        role: { value: index < masters ? 'master' : 'replica', enumerable: true },
        slots: { value: ranges[index], enumerable: true },
      }) as ClusterNode,
  );

  await Promise.all(
    nodes.map(async (node, index) => {
      await node.cli('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
      if (!node.slots) return;
      const [first, last] = node.slots;
      await node.cli('CLUSTER', 'ADDSLOTS', ...Array.from({ length: last - first + 1 }, (_, slot) => first + slot));
    }),
  );
  // Every node meets every other one: quicker than waiting for the gossip.
  await Promise.all(
    nodes.flatMap((node, index) =>
      nodes.slice(index + 1).map((other) => node.cli('CLUSTER', 'MEET', other.host, other.port)),
    ),
  );
  await Promise.all(nodes.map((node) => waitUntil('the nodes to know each other', () => knowsAll(node, ids))));
  await Promise.all(
    nodes.slice(masters).map(async (node, index) => {
      const master = ids[index % masters] ?? '';
      await node.cli('CLUSTER', 'REPLICATE', master);
      await waitUntil('a replica to follow its master', async () =>
        (await node.cli('INFO', 'replication')).includes('master_link_status:up'),
      );
    }),
  );
  const handle: ClusterHandle = {
    urls: nodes.map((node) => node.url),
    url: `redis+cluster://${nodes.map((node) => `${node.host}:${String(node.port)}`).join(',')}`,
    nodes,
    async ready() {
      const alive = nodes.filter((node) => node.pid !== undefined);
      await Promise.all(
        alive.map((node) =>
          waitUntil('cluster_state:ok', async () => (await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok'), {
            timeout: 30_000,
          }),
        ),
      );
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    },
  };
  await handle.ready();
  if (replicas > 0) {
    // A failover needs masters that know of each other's replicas.
    await Promise.all(
      nodes.map((node) =>
        waitUntil('every node to know the replicas', async () => {
          const lines = (await node.cli('CLUSTER', 'NODES')).split('\n');
          return lines.filter((line) => /[ ,]slave /.test(line)).length === masters * replicas;
        }),
      ),
    );
  }
  return handle;
}

async function knowsAll(node: RedisHandle, ids: readonly string[]): Promise<boolean> {
  const lines = (await node.cli('CLUSTER', 'NODES')).split('\n').filter((line) => !/handshake|noaddr/.test(line));
  return ids.every((id) => lines.some((line) => line.startsWith(id) && line.includes(' connected')));
}

import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { AbstractConnector, Cluster, RedisOptions } from 'ioredis';

/** How long a connection that was ended may linger, ms. */
const DISCONNECT_TIMEOUT = 2_000;

type Connector = new (options: unknown) => AbstractConnector;
type Stream = Awaited<ReturnType<AbstractConnector['connect']>>;

/** Makes a plain client connect to some node of the cluster, to another one at each try. */
export function anyNodeOf(cluster: Cluster, base: typeof AbstractConnector): Connector {
  let turn = Math.floor(Math.random() * 1_000);

  return class extends base {
    constructor() {
      super(DISCONNECT_TIMEOUT);
    }

    connect(): Promise<Stream> {
      this.connecting = true;
      return new Promise((resolve) => {
        process.nextTick(() => {
          const nodes = cluster.nodes('all');
          // Before the cluster has said what nodes it has, the connection fails and is tried again.
          const { host, port, tls }: RedisOptions = nodes[turn++ % Math.max(nodes.length, 1)]?.options ?? { port: 0 };
          const address = { host: host ?? 'localhost', port: port ?? 6379 };
          this.stream = tls === undefined ? connectTcp(address) : connectTls({ ...tls, ...address });
          this.stream.once('error', (error: Error) => {
            this.firstError = error;
          });
          if (!this.connecting) this.stream.destroy();
          resolve(this.stream);
        });
      });
    }
  };
}

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/** Stands between one process and Redis: it counts the connections of that process, and cuts them. */
export class Proxy {
  private readonly links = new Set<Link>();

  private constructor(
    private readonly listener: Server,
    /** To connect to, in place of the server. */
    readonly url: string,
  ) {}

  static async to(target: string): Promise<Proxy> {
    const { hostname, port } = new URL(target);
    const listener = createServer();
    listener.listen({ port: 0, host: '127.0.0.1' });
    await once(listener, 'listening');
    const url = new URL(target);
    url.hostname = '127.0.0.1';
    url.port = String((listener.address() as AddressInfo).port);
    const proxy = new Proxy(listener, url.href.replace(/\/$/, ''));
    listener.on('connection', (client) => {
      proxy.join({ client, server: connect({ host: hostname, port: Number(port || 6379) }) });
    });
    return proxy;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.links.size;
  }

  /**
   * Cuts every connection. For `deaf` ms before that, Redis gets and carries out what is sent, and its answers get lost.
   */
  async cut(deaf: number): Promise<void> {
    const links = [...this.links];
    for (const { client, server } of links) {
      server.unpipe(client);
      server.resume();
    }
    await new Promise((resolve) => setTimeout(resolve, deaf));
    for (const link of links) this.end(link);
  }

  async close(): Promise<void> {
    this.listener.close();
    for (const link of [...this.links]) this.end(link);
    await once(this.listener, 'close');
  }

  private join(link: Link): void {
    const { client, server } = link;
    this.links.add(link);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => {
        this.end(link);
      });
      socket.on('close', () => {
        this.end(link);
      });
    }
    client.pipe(server);
    server.pipe(client);
  }

  private end(link: Link): void {
    link.client.destroy();
    link.server.destroy();
    this.links.delete(link);
  }
}

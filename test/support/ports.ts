import { createServer } from 'node:net';

/**
 * A port of the loopback interface that nobody listens on. It lies below the range from which the system takes ports
 * for outgoing connections, so that a server can be restarted on it; `also` are offsets that must be free too.
 */
export async function freePort(also: readonly number[] = []): Promise<number> {
  for (let round = 0; round < 200; round += 1) {
    const port = 18_000 + Math.floor(Math.random() * 14_000);
    const all = await Promise.all([0, ...also].map((offset) => isFree(port + offset)));
    if (all.every(Boolean)) return port;
  }
  throw new Error('no free port between 18000 and 32000 on 127.0.0.1');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

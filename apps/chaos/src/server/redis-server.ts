import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RedisServer {
  readonly url: string;
  /** How it came to be, for the report. */
  readonly origin: string;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const ATTEMPTS = 5;

/** Ends the server and removes its folder (`$0`) when we end, however we end: then its standard input closes. */
const GUARD = `redis-server "$@" & pid=$!
exec >&-
cat >/dev/null
kill $pid
wait $pid
rm -rf "$0"`;

/** A private server without persistence on a free port, unless `given` is the URL of another one. */
export async function startRedis(given: string | undefined): Promise<RedisServer> {
  if (given !== undefined) return { url: given, origin: given, stop: () => Promise.resolve() };
  let last: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      return await launch(await freePort());
    } catch (error) {
      last = error;
    }
  }
  throw new Error('No redis-server could be started. Put one on the PATH, or give --url.', { cause: last });
}

async function launch(port: number): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'cardinal-chaos-'));
  const args = ['--bind', HOST, '--port', String(port), '--dir', dir, '--save', '', '--appendonly', 'no'];
  const guard = spawn('sh', ['-c', GUARD, dir, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(guard, 'exit');
  const stop = async (): Promise<void> => {
    guard.stdin.end();
    await exited;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await new Promise<void>((resolve, reject) => {
      let output = '';
      guard.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('Ready to accept connections')) resolve();
      });
      guard.stdout.once('close', () => {
        reject(new Error(`redis-server ended:\n${output}`));
      });
      guard.once('error', reject);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `redis://${HOST}:${port}`, origin: 'private, no persistence', stop };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen({ port: 0, host: HOST, exclusive: true });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

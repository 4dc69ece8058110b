import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

export interface RedisServer {
  readonly url: string;
  /** How it came to be, for the report. */
  readonly origin: string;
  stop(): Promise<void>;
}

const BINARY = 'redis-server';
const HOST = '127.0.0.1';
const ATTEMPTS = 5;
const NOT_FOUND = 127;

/** A private server without persistence on a free port, unless EVENTS_BENCH_REDIS_URL names another one. */
export async function startRedis(): Promise<RedisServer> {
  const given = process.env['EVENTS_BENCH_REDIS_URL'];
  if (given) return { url: given, origin: 'EVENTS_BENCH_REDIS_URL', stop: () => Promise.resolve() };
  let last: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      return await launch(await freePort());
    } catch (error) {
      if (error instanceof MissingServer) throw error;
      last = error;
    }
  }
  throw last;
}

/** Ends the server and removes its folder (`$0`) when we end, however we end: then its standard input closes. */
const GUARD = `command -v ${BINARY} >/dev/null || exit ${NOT_FOUND}
${BINARY} "$@" & pid=$!
exec >&-
cat >/dev/null
kill $pid
wait $pid
rm -rf "$0"`;

async function launch(port: number): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'cardinal-bench-'));
  const args = ['--bind', HOST, '--port', String(port), '--dir', dir, '--save', '', '--appendonly', 'no'];
  const guard = spawn('sh', ['-c', GUARD, dir, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<number | null>((resolve) => {
    guard.once('exit', resolve);
    guard.once('error', () => {
      resolve(NOT_FOUND);
    });
  });
  const stop = async (): Promise<void> => {
    guard.stdin.end();
    await exited;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await ready(guard.stdout, exited);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `redis://${HOST}:${port}`, origin: 'private, no persistence', stop };
}

/** The server's output ends when the server does; the guard ends before only where there is no server. */
function ready(stdout: Readable, guardExited: Promise<number | null>): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Ready to accept connections')) resolve();
    });
    stdout.once('close', () => {
      reject(new Error(`${BINARY} ended:\n${output}`));
    });
    void guardExited.then((code) => {
      if (code === NOT_FOUND) reject(new MissingServer());
    });
  });
}

class MissingServer extends Error {
  override readonly message = `There is no ${BINARY} on the PATH. Install one, or set EVENTS_BENCH_REDIS_URL to a server to use.`;
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

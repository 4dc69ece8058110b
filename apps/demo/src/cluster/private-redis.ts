import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const HOST = '127.0.0.1';

type Shell = ChildProcessByStdio<Writable, Readable, null>;

/** The server ends with the input of its shell, and that ends with this process, however it ends. */
const GUARD = `command -v redis-server >/dev/null || exit 127
redis-server "$@" </dev/null &
trap "kill $! 2>/dev/null; wait" EXIT
exec >/dev/null
cat`;

/** What a shell says of a command that is not there. */
const NOT_FOUND = 127;

const ABSENT = `demo:cluster starts a redis-server of its own, and there is none on the PATH.
Install Redis 7 or newer (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis) and run it again.
Without Redis, npm start runs the same application in one process, in memory.`;

/** A redis-server of our own on a free port: nothing is stored, nothing is left. */
export class PrivateRedis {
  readonly url: string;
  private readonly shell: Shell;
  private readonly exited: Promise<number | null>;

  private constructor(
    port: number,
    private readonly dir: string,
  ) {
    this.url = `redis://${HOST}:${String(port)}`;
    const args = ['--bind', HOST, '--port', String(port), '--dir', dir, '--save', '', '--appendonly', 'no'];
    // Detached: a Ctrl-C in the terminal is for this process, which ends the server last.
    this.shell = spawn('sh', ['-c', GUARD, 'sh', ...args], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    this.exited = once(this.shell, 'exit').then(([code]) => code as number | null);
  }

  static async start(): Promise<PrivateRedis> {
    const redis = new PrivateRedis(await freePort(), await mkdtemp(join(tmpdir(), 'cardinal-demo-')));
    try {
      await redis.ready();
    } catch (error) {
      await redis.stop();
      throw error;
    }
    return redis;
  }

  async stop(): Promise<void> {
    this.shell.stdin.end();
    await this.exited;
    await rm(this.dir, { recursive: true, force: true });
  }

  private async ready(): Promise<void> {
    const said: string[] = [];
    for await (const line of createInterface({ input: this.shell.stdout })) {
      said.push(line);
      if (!line.includes('Ready to accept connections')) continue;
      this.shell.stdout.resume();
      return;
    }
    this.shell.stdin.end();
    if ((await this.exited) === NOT_FOUND) throw new Error(ABSENT);
    throw new Error(`redis-server does not start:\n${said.join('\n')}`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

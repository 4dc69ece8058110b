import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onCleanup } from './cleanup.js';
import { startGuarded, type GuardedProcess } from './guarded.js';
import { freePort } from './ports.js';
import { command, format } from './resp.js';
import { waitUntil } from './wait.js';

export interface RedisOptions {
  /** More server arguments, e.g. `['--appendonly', 'yes']`. Asks for a private server. */
  readonly args?: readonly string[];
  /** Asks for a private server. Defaults to a free port. */
  readonly port?: number;
  /** The server's directory, kept at the end. Asks for a private server. Defaults to a temporary one, removed at the end. */
  readonly dir?: string;
  /** A server of this test file's own, that can be stopped, restarted and paused. Defaults to false: any server will do. */
  readonly private?: boolean;
}

export interface RestartOptions {
  /** Without its data. Defaults to false: what the server's own persistence kept (`--appendonly yes`) is there again. */
  readonly empty?: boolean;
  /** How the running server is ended first. Defaults to SIGTERM. */
  readonly signal?: NodeJS.Signals;
}

export interface RedisHandle {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Of the server that runs now; undefined for a server that is not ours, and while it is stopped. */
  readonly pid: number | undefined;
  /** True: ours alone, so stop, restart, pause and resume work. */
  readonly private: boolean;
  /** Ends the server and waits for that. Defaults to SIGTERM. On a server that is not ours: an error. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Stops it when it runs, and starts it on the same port. */
  restart(options?: RestartOptions): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  pause(): void;
  resume(): void;
  /** One command, as `redis-cli` would print its reply. Rejects when the server answers with an error. */
  cli(...args: (string | number)[]): Promise<string>;
}

export interface ServerSpec {
  readonly binary: string;
  readonly name: string;
  readonly args?: readonly string[];
  readonly port?: number;
  readonly dir?: string;
  /** Offsets from the port that must be free too (the cluster bus). */
  readonly alsoFree?: readonly number[];
  /** Writes a configuration file into the directory and gives its path: then the server is told nothing else. */
  readonly config?: (dir: string, port: number) => Promise<readonly string[]>;
}

const HOST = '127.0.0.1';
const PORT_TAKEN = /Address already in use|Failed listening/;

/** A private server on loopback, without persistence unless `args` ask for it. */
export async function startServer(spec: ServerSpec): Promise<RedisHandle> {
  const dir = spec.dir ?? (await mkdtemp(join(tmpdir(), 'cardinal-redis-')));
  let running: GuardedProcess | undefined;

  const launch = async (port: number): Promise<GuardedProcess> => {
    const args = spec.config
      ? await spec.config(dir, port)
      : [
          '--bind',
          HOST,
          '--port',
          String(port),
          '--dir',
          dir,
          '--save',
          '',
          '--appendonly',
          'no',
          ...(spec.args ?? []),
        ];
    const child = await startGuarded(spec.binary, args, { cwd: dir, name: spec.name });
    try {
      await child.line(spec.config ? /Sentinel ID is|Running mode=sentinel/ : 'Ready to accept connections');
      await waitUntil(`${spec.name} to answer`, () => answers(child, port));
    } catch (error) {
      await child.destroy();
      throw error;
    }
    return child;
  };

  const portTaken = (error: unknown): boolean => spec.port === undefined && PORT_TAKEN.test(String(error));
  let port = 0;
  for (let round = 1; running === undefined; round += 1) {
    port = spec.port ?? (await freePort(spec.alsoFree));
    try {
      running = await launch(port);
    } catch (error) {
      if (!portTaken(error) || round === 5) throw error;
    }
  }

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const child = running;
    running = undefined;
    if (!child) return;
    if (signal !== 'SIGKILL') {
      child.kill('SIGCONT');
      child.kill(signal);
      await Promise.race([child.exited, new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
    }
    await child.destroy();
  };
  onCleanup(async () => {
    await end('SIGKILL');
    if (spec.dir === undefined) await rm(dir, { recursive: true, force: true });
  });

  return {
    url: `redis://${HOST}:${String(port)}`,
    host: HOST,
    port,
    private: true,
    get pid() {
      return running?.exit ? undefined : running?.pid;
    },
    async stop(signal = 'SIGTERM') {
      await end(signal);
    },
    async restart({ empty = false, signal = 'SIGTERM' } = {}) {
      await end(empty ? 'SIGKILL' : signal);
      if (empty) await emptyDir(dir);
      running = await launch(port);
    },
    pause() {
      if (running?.kill('SIGSTOP') !== true) throw new Error(`${spec.name} is not running: it cannot be paused`);
    },
    resume() {
      if (running?.kill('SIGCONT') !== true) throw new Error(`${spec.name} is not running: it cannot be resumed`);
    },
    async cli(...args) {
      return format(await command({ host: HOST, port }, args));
    },
  };
}

/** That it is our server that answers on the port, not another one. */
async function answers(child: GuardedProcess, port: number): Promise<boolean> {
  const info = format(await command({ host: HOST, port }, ['INFO', 'server'], 2_000));
  return info.includes(`process_id:${String(child.pid)}\r\n`);
}

async function emptyDir(dir: string): Promise<void> {
  const { readdir } = await import('node:fs/promises');
  for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true, force: true });
}

import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onCleanup } from './cleanup.js';
import { within } from './wait.js';

/**
 * A small shell stands between us and the command. It waits for the command, and for the end of its own input, which
 * comes when this process dies in whatever way: then it kills the command. So no server outlives a killed test run.
 */
const GUARD = `exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
echo "guarded-pid $pid"
(read -r _ <&3; kill -9 $pid) >/dev/null 2>&1 &
guard=$!
exec 3<&-
wait $pid 2>/dev/null
code=$?
kill $guard 2>/dev/null
exit $code`;

export interface Exit {
  readonly code: number;
  /** The number of the signal that ended it, when one did. */
  readonly signal: number | undefined;
}

export interface GuardedProcess {
  /** Of the command itself, not of the shell around it. */
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** Undefined while it runs. */
  readonly exit: Exit | undefined;
  /** All lines of stdout and stderr so far. */
  readonly lines: readonly string[];
  /** The first line, past or future, that matches. Rejects when the process ends before. */
  line(match: RegExp | string, timeout?: number): Promise<string>;
  /** Sends the signal; false when the process has ended. Does not wait: see `exited`. */
  kill(signal?: NodeJS.Signals): boolean;
  /** SIGKILL, and waits for the end. */
  destroy(): Promise<void>;
}

export interface GuardedOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What it is called in errors. Defaults to the command's name. */
  readonly name?: string;
}

export async function startGuarded(
  command: string,
  args: readonly string[],
  options: GuardedOptions = {},
): Promise<GuardedProcess> {
  const name = options.name ?? command;
  const shell: ChildProcess = spawn('sh', ['-c', GUARD, 'sh', command, ...args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const watchers = new Set<(line: string) => void>();
  let exit: Exit | undefined;

  let onPid: (pid: number) => void;
  const started = new Promise<number>((resolve, reject) => {
    onPid = resolve;
    shell.once('error', reject);
  });
  for (const stream of [shell.stdout, shell.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      const pid = /^guarded-pid (\d+)$/.exec(line)?.[1];
      if (pid !== undefined) {
        onPid(Number(pid));
        return;
      }
      lines.push(line);
      for (const watcher of [...watchers]) watcher(line);
    });
  }
  const exited = new Promise<Exit>((resolve) => {
    // 'close', not 'exit': by then every line has been read.
    shell.once('close', (code) => {
      const value = code ?? 1;
      exit = { code: value, signal: value > 128 ? value - 128 : undefined };
      resolve(exit);
    });
  });

  const pid = await within(`${name} to start`, started, 10_000);
  const process_: GuardedProcess = {
    pid,
    exited,
    lines,
    get exit() {
      return exit;
    },
    line(match, timeout = 20_000) {
      const fits = (line: string): boolean => (typeof match === 'string' ? line.includes(match) : match.test(line));
      const past = lines.find(fits);
      if (past !== undefined) return Promise.resolve(past);
      let watcher: ((line: string) => void) | undefined;
      const future = new Promise<string>((resolve) => {
        watcher = (line) => {
          if (fits(line)) resolve(line);
        };
        watchers.add(watcher);
      });
      const ended = exited.then(({ code }) => {
        const late = lines.find(fits);
        if (late !== undefined) return late;
        throw new Error(`${name} ended with code ${String(code)} before a line ${String(match)}:\n${tail(lines)}`);
      });
      return within(`${name}, line ${String(match)}`, Promise.race([future, ended]), timeout)
        .catch((error: unknown) => {
          throw error instanceof Error && error.message.includes('not within')
            ? new Error(`${error.message}\n${tail(lines)}`, { cause: error })
            : error;
        })
        .finally(() => {
          if (watcher) watchers.delete(watcher);
        });
    },
    kill(signal = 'SIGTERM') {
      if (exit) return false;
      try {
        return process.kill(pid, signal);
      } catch {
        return false;
      }
    },
    async destroy() {
      process_.kill('SIGKILL');
      await within(`${name} to end`, exited, 10_000);
    },
  };
  const takeBack = onCleanup(() => process_.destroy());
  void exited.then(takeBack);
  return process_;
}

function tail(lines: readonly string[]): string {
  return lines.slice(-30).join('\n');
}

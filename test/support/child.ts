import { resolve } from 'node:path';
import { startGuarded, type GuardedProcess } from './guarded.js';

export interface ChildOptions {
  readonly args?: readonly string[];
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Defaults to the root of the repository. */
  readonly cwd?: string;
  /** The line to wait for before it counts as started. Defaults to not waiting. */
  readonly ready?: RegExp | string;
  readonly readyTimeout?: number;
  readonly nodeArgs?: readonly string[];
}

const root = resolve(import.meta.dirname, '../..');

/**
 * Runs a .ts, .js or .mjs file in a Node process of its own. It imports the *built* library by its name: nothing is built
 * here. TypeScript files are only transpiled (no types are checked). The process is killed when the test file ends.
 */
export async function startChild(file: string, options: ChildOptions = {}): Promise<GuardedProcess> {
  // Jest's own flags must not reach a child; nor may FORCE_COLOR change the lines that tests match. (A variable that is
  // undefined is not passed on.)
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: undefined, FORCE_COLOR: undefined, ...options.env };
  const path = resolve(root, file);
  const loader = path.endsWith('ts') ? ['--import', new URL('ts-loader.mjs', import.meta.url).href] : [];
  const child = await startGuarded(
    process.execPath,
    [...loader, ...(options.nodeArgs ?? []), path, ...(options.args ?? [])],
    {
      cwd: options.cwd ?? root,
      env,
      name: file,
    },
  );
  if (options.ready !== undefined) {
    try {
      await child.line(options.ready, options.readyTimeout);
    } catch (error) {
      await child.destroy();
      throw error;
    }
  }
  return child;
}

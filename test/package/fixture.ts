import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onCleanup } from '../support/cleanup.js';
import { startGuarded } from '../support/guarded.js';
import { within } from '../support/wait.js';

const root = resolve(import.meta.dirname, '../..');
const fixtures = join(import.meta.dirname, 'fixtures');

/** npm's variables of the run that we are in would lead a nested npm to our own workspace. */
function cleanEnv(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([key]) =>
      !/^(NODE_OPTIONS|FORCE_COLOR|INIT_CWD|npm_(package|lifecycle|command|config_(local_prefix|workspaces?)).*)$/i.test(
        key,
      ),
  );
  return { ...Object.fromEntries(kept), NO_COLOR: '1', ...extra };
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Record<string, string>;
  readonly timeout?: number;
  /** Defaults to false: a code other than 0 is an error with the output in it. */
  readonly mayFail?: boolean;
}

/** Runs a command to its end and gives the lines of its output. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<readonly string[]> {
  const name = `${command} ${args.join(' ')}`;
  const child = await startGuarded(command, args, { cwd: options.cwd, env: cleanEnv(options.env), name });
  const { code } = await within(name, child.exited, options.timeout ?? 240_000).catch(async (error: unknown) => {
    await child.destroy();
    throw new Error(`${String(error)}\n${child.lines.slice(-60).join('\n')}`, { cause: error });
  });
  if (code !== 0 && options.mayFail !== true) {
    throw new Error(`${name} in ${options.cwd}: code ${String(code)}\n${child.lines.slice(-80).join('\n')}`);
  }
  return child.lines;
}

export async function temporaryDir(name: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), `cardinal-${name}-`));
  onCleanup(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export interface Packed {
  readonly tarball: string;
  readonly files: readonly string[];
}

/** Packs the library as it was built. */
export async function pack(): Promise<Packed> {
  const dir = await temporaryDir('pack');
  const args = ['pack', '--workspace', 'nestjs-cardinal', '--pack-destination', dir, '--json', '--loglevel', 'error'];
  const lines = await run('npm', args, { cwd: root });
  // Before npm's JSON come the lines of the prepack script.
  const output = lines.slice(lines.findIndex((line) => /^[[{]$/.test(line))).join('\n');
  const parsed = JSON.parse(output) as PackOutput[] | Record<string, PackOutput>;
  const [packed] = Array.isArray(parsed) ? parsed : Object.values(parsed);
  if (!packed) throw new Error(`npm pack said nothing:\n${lines.join('\n')}`);
  return { tarball: join(dir, packed.filename), files: packed.files.map(({ path }) => path) };
}

interface PackOutput {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

export const APPS = {
  'Nest 11, CommonJS, plain Jest': { source: 'cjs-jest', nest: '^11.0.0' },
  'Nest 11, ESM': { source: 'esm-app', nest: '^11.0.0' },
  'Nest 12, ESM': { source: 'esm-app', nest: '^12.0.0' },
} as const;

export const IOREDIS = { none: undefined, 'ioredis 5': '^5.4.0', 'ioredis 6': '^6.0.0' } as const;

export type AppName = keyof typeof APPS;
export type IoredisName = keyof typeof IOREDIS;

/** A project of its own outside the repository, with the packed library and what a user would install beside it. */
export async function install(app: AppName, ioredis: IoredisName, tarball: string): Promise<string> {
  const { source, nest } = APPS[app];
  const dir = await temporaryDir('fixture');
  await mkdir(dir, { recursive: true });
  await cp(join(fixtures, source), dir, { recursive: true });
  const version = IOREDIS[ioredis];
  const jest = source === 'cjs-jest';
  const manifest = {
    name: 'fixture',
    version: '1.0.0',
    private: true,
    type: jest ? 'commonjs' : 'module',
    dependencies: {
      '@nestjs/common': nest,
      '@nestjs/core': nest,
      'nestjs-cardinal': `file:${tarball}`,
      'reflect-metadata': '^0.2.2',
      rxjs: '^7.8.2',
      ...(version === undefined ? {} : { ioredis: version }),
    },
    devDependencies: {
      '@types/node': '^20.0.0',
      typescript: '~6.0.3',
      ...(jest
        ? {
            '@nestjs/testing': nest,
            '@swc/core': '1.16.18',
            '@swc/jest': '0.2.39',
            '@types/jest': '^30.0.0',
            jest: '30.5.2',
            'ts-jest': '^29.4.0',
          }
        : {}),
    },
    overrides: { 'unrs-resolver': '1.12.2' },
  };
  await writeFile(join(dir, 'package.json'), JSON.stringify(manifest, null, 2));
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...flags, '--loglevel', 'error'], { cwd: dir });
  return dir;
}

/** Runs `tasks` no more than `most` at a time; each result is a promise of its own. */
export function pool(most: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

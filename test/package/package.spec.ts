import { beforeAll, describe, expect, it } from '@jest/globals';
import { startRedis } from '../support/redis.js';
import { APPS, install, IOREDIS, pack, pool, run, type AppName, type IoredisName, type Packed } from './fixture.js';

const apps = Object.keys(APPS) as AppName[];
const clients = Object.keys(IOREDIS) as IoredisName[];
const twoAtATime = pool(2);

let packed: Packed;
const results = new Map<string, Promise<readonly string[]>>();
const keyOf = (app: AppName, client: IoredisName): string => `${app} / ${client}`;

/** Installs one combination, checks the types that a user sees, and runs the app; gives its output. */
async function tryOut(app: AppName, client: IoredisName, redisUrl: string): Promise<readonly string[]> {
  const dir = await install(app, client, packed.tarball);
  const env = {
    FIXTURE_REDIS_URL: redisUrl,
    FIXTURE_PREFIX: `fixture-${String(results.size)}-${String(process.hrtime.bigint())}:`,
    FIXTURE_IOREDIS: client,
  };
  // The library's own declarations must hold without skipLibCheck; those of other packages are not our concern.
  const strict = await run('npx', ['--no', '--', 'tsc', '--noEmit', '--skipLibCheck', 'false'], {
    cwd: dir,
    mayFail: true,
  });
  const ours = strict.filter((line) =>
    /^(node_modules\/nestjs-cardinal|src|app\.spec)[^ ]*\(\d+,\d+\): error/.test(line),
  );
  if (ours.length > 0) throw new Error(`type errors for a user of ${keyOf(app, client)}:\n${ours.join('\n')}`);
  if (APPS[app].source === 'cjs-jest') {
    const jest = ['--no', '--', 'jest', '--forceExit', '--verbose'];
    const withTsJest = await run('npx', jest, { cwd: dir, env });
    const withSwc = await run('npx', jest, { cwd: dir, env: { ...env, FIXTURE_TRANSFORM: 'swc' } });
    return [...withTsJest, ...withSwc];
  }
  await run('npx', ['--no', '--', 'tsc'], { cwd: dir });
  return run(process.execPath, ['dist/main.js'], { cwd: dir, env, timeout: 60_000 });
}

beforeAll(async () => {
  const redis = await startRedis();
  packed = await pack();
  for (const app of apps) {
    for (const client of clients) {
      const result = twoAtATime(() => tryOut(app, client, redis.url));
      result.catch(() => undefined); // its own test reports it
      results.set(keyOf(app, client), result);
    }
  }
}, 120_000);

describe('the tarball', () => {
  it('holds both builds with their types, the licence, and nothing else', () => {
    expect(packed.files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'package.json',
        'dist/esm/index.js',
        'dist/esm/index.d.ts',
        'dist/esm/testing/index.js',
        'dist/cjs/index.js',
        'dist/cjs/index.d.ts',
        'dist/cjs/package.json',
        'dist/cjs/testing/index.d.ts',
      ]),
    );
    const stray = packed.files.filter(
      (file) => !/^(dist\/(esm|cjs)\/|LICENSE$|README\.md$|CHANGELOG\.md$|package\.json$)/.test(file),
    );
    expect(stray).toEqual([]);
    expect(packed.files.filter((file) => /\.spec\.|\.lua$/.test(file))).toEqual([]);
  });
});

describe.each(apps)('%s', (app) => {
  it.each(clients)('with %s: memory and redis', async (client) => {
    const output = await (results.get(keyOf(app, client)) ?? Promise.reject(new Error('not started')));
    if (APPS[app].source === 'cjs-jest') {
      expect(output.filter((line) => /^Tests: +3 passed, 3 total/.test(line))).toHaveLength(2);
      return;
    }
    const said = Object.fromEntries(
      output.flatMap((line) => {
        const [, what, value] = /^fixture (\S+) (.*)$/.exec(line) ?? [];
        return what === undefined || value === undefined ? [] : [[what, JSON.parse(value) as unknown]];
      }),
    );
    expect(said).toMatchObject({ memory: ['a'], testing: true, end: true });
    if (client === 'none') {
      const { message, code } = said['redis-error'] as { message: string; code: string };
      expect(message).toMatch(/ioredis/);
      expect(code).not.toMatch(/MODULE_NOT_FOUND/);
    } else {
      expect(said).toMatchObject({ redis: { id: 'b' } });
    }
  });
});

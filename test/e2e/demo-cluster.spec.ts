import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onCleanup } from '../support/cleanup.js';
import { startChild } from '../support/child.js';
import type { GuardedProcess } from '../support/guarded.js';
import { startRedis } from '../support/redis.js';
import { within } from '../support/wait.js';

const CLUSTER = 'apps/demo/dist/cluster.js';
const MAIN = 'apps/demo/dist/main.js';
const TIMEOUT = 180_000;
const CARDS_IN_ORDER =
  /^ok +cards: 9,025 of 9,025 events, 619 of 619 files equal a plain loop, 0 out of order, 0 counts below zero/m;

describe('demo:cluster', () => {
  let demo: GuardedProcess | undefined;

  afterEach(async () => {
    // It ends its own processes and its server when it is asked to.
    if (demo?.kill('SIGTERM')) await within('the demo to end', demo.exited, 20_000);
  });

  const run = async (...args: string[]): Promise<{ code: number; output: string }> => {
    demo = await startChild(CLUSTER, { args });
    const { code } = await demo.exited;
    return { code, output: demo.lines.join('\n') };
  };

  it(
    'hands every event to each process, and to each group once',
    async () => {
      const { code, output } = await run();
      expect(output).toMatch(/^ok +group audit: 9,025 of 9,025 events, 0 missing, 0 repeats$/m);
      expect(output).toMatch(/^ok +group leaderboard: 9,025 of 9,025 events, 0 missing, 0 repeats$/m);
      expect(output).toMatch(CARDS_IN_ORDER);
      expect(output).toMatch(/ 0 counts below zero, 0 repeats, 0 of stale owners$/m);
      for (const name of ['demo-1', 'demo-2', 'demo-3']) {
        expect(output).toContain(`ok  process ${name}: 9,025 events: 0 missing, 0 repeats`);
        expect(output).toContain(`ok  process ${name}: lines of 619 of 619 files equal a plain loop`);
        // A group shares its events: each process has some of them.
        const [, , leaderboard, audit, cards] = row(output, name);
        expect(audit).toBeGreaterThan(0);
        expect(cards).toBeGreaterThan(0);
        expect(leaderboard).toBeGreaterThan(0);
      }
      expect(row(output, 'together').slice(1)).toEqual([27_075, 9025, 9025, 9025]);
      expect(demo?.lines.at(-1)).toBe('OK');
      expect(code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    'loses no event of a group when a process is killed',
    async () => {
      const { code, output } = await run('--kill');
      expect(output).toMatch(/^ok +group audit: 9,025 of 9,025 events, 0 missing, [\d,]+ repeats$/m);
      expect(output).toMatch(/^ok +group leaderboard: 9,025 of 9,025 events, 0 missing, [\d,]+ repeats$/m);
      expect(output).toMatch(CARDS_IN_ORDER);
      expect(output).toMatch(/^ok +process demo-4: [\d,]+ events, all since number 6,769: 0 missing, 0 repeats$/m);
      expect(output).toMatch(/^demo-2 \(killed\)/m);
      expect(demo?.lines.at(-1)).toBe('OK');
      expect(code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    'says what to do where there is no redis-server',
    async () => {
      demo = await startChild(CLUSTER, { env: { PATH: await onlyShell() } });
      expect(await demo.exited).toMatchObject({ code: 1 });
      expect(demo.lines.join('\n')).toContain('apt-get install redis-server');
    },
    TIMEOUT,
  );
});

describe('demo on redis', () => {
  it(
    'plays alone when it is told to',
    async () => {
      const redis = await startRedis();
      const env = {
        EVENT_DEFAULT_BACKEND: 'redis',
        EVENT_DEFAULT_URL: redis.url,
        EVENT_DEFAULT_KEY_PREFIX: `demo-${randomUUID()}:`,
      };
      const idle = await startChild(MAIN, { args: ['--once'], env });
      expect(await idle.exited).toMatchObject({ code: 0 });
      expect(idle.lines.join('\n')).not.toContain('published');

      const player = await startChild(MAIN, { args: ['--once', '--play'], env });
      const { code } = await player.exited;
      const output = player.lines.join('\n');
      expect(output).toMatch(/^line-totals +process +9,025 +of 9,025 +0 repeats +OK$/m);
      expect(output).toMatch(/^audit +group +[\d,]+ +shared with other processes +0 repeats +OK$/m);
      expect(player.lines).toContain('self-check: OK');
      expect(code).toBe(0);
    },
    TIMEOUT,
  );
});

/** A PATH with a shell, which starts the demo, and nothing else. */
async function onlyShell(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'cardinal-path-'));
  onCleanup(() => rm(dir, { recursive: true, force: true }));
  await symlink('/bin/sh', join(dir, 'sh'));
  return dir;
}

/** A line of the table: name, then numbers. */
function row(output: string, name: string): number[] {
  const cells =
    output
      .split('\n')
      .find((line) => line.startsWith(`${name}  `))
      ?.split(/ {2,}/) ?? [];
  return cells.map((cell) => Number(cell.replaceAll(',', '')));
}

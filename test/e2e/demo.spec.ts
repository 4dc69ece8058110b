import { afterEach, describe, expect, it } from '@jest/globals';
import { pathToFileURL } from 'node:url';
import { startChild } from '../support/child.js';
import type { GuardedProcess } from '../support/guarded.js';
import { freePort } from '../support/ports.js';
import { waitUntil } from '../support/wait.js';

const MAIN = 'apps/demo/dist/main.js';
const CHANGES = 9025;
const FILES = 619;
const TIMEOUT = 60_000;
// A bus that the environment of the tests may speak of is not meant.
const MEMORY = {
  EVENT_DEFAULT_BACKEND: 'memory',
  EVENT_DEFAULT_URL: undefined,
  EVENT_BACKEND: undefined,
  EVENT_URL: undefined,
};

describe('demo, once', () => {
  it(
    'plays the history in memory, checks itself and ends',
    async () => {
      const demo = await startChild(MAIN, { args: ['--once'], env: MEMORY });
      const { code } = await demo.exited;
      const output = demo.lines.join('\n');
      expect(output).toMatch(/^line-totals +process +9,025 +of 9,025 +0 repeats +OK$/m);
      expect(output).toMatch(/^leaderboard +group +9,025 +of 9,025 +0 repeats +OK$/m);
      expect(output).toMatch(/^audit +group +9,025 +of 9,025 +0 repeats +OK$/m);
      expect(output).toMatch(/^file-cards +cards +9,025 +of 9,025 +0 repeats +OK$/m);
      expect(output).toMatch(/619 of 619 files equal +OK$/m);
      expect(output).toMatch(/^cards, one a file: 619 of 619 running counts equal, 0 out of order, 0 below zero +OK$/m);
      expect(demo.lines.at(-1)).toBe('self-check: OK');
      expect(code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    'ends with code 1 when an event was published twice',
    async () => {
      const demo = await startChild(MAIN, { args: ['--once'], env: MEMORY, nodeArgs: ['--import', playFirstTwice()] });
      const { code } = await demo.exited;
      const output = demo.lines.join('\n');
      expect(output).toMatch(/^line-totals +process +9,026 +of 9,025 +0 repeats +MISMATCH$/m);
      expect(output).toMatch(/618 of 619 files equal +MISMATCH$/m);
      expect(output).toMatch(/^ {2}\.gitignore: \d+ lines, by the plain loop \d+$/m);
      expect(demo.lines.at(-1)).toBe('self-check: MISMATCH');
      expect(code).toBe(1);
    },
    TIMEOUT,
  );

  it(
    'without playing, starts and ends',
    async () => {
      const demo = await startChild(MAIN, { args: ['--once', '--no-play'], env: MEMORY });
      expect(await demo.exited).toMatchObject({ code: 0 });
      expect(demo.lines).toHaveLength(1);
    },
    TIMEOUT,
  );

  it(
    'names an option that it does not know',
    async () => {
      const demo = await startChild(MAIN, { args: ['--onze'], env: MEMORY });
      expect(await demo.exited).toMatchObject({ code: 1 });
      expect(demo.lines.join('\n')).toContain("Unknown option '--onze'");
    },
    TIMEOUT,
  );
});

describe('demo, served', () => {
  let demo: GuardedProcess | undefined;
  let url = '';

  afterEach(async () => {
    await demo?.destroy();
  });

  const start = async (args: string[], ready: RegExp | string): Promise<void> => {
    const port = await freePort();
    url = `http://127.0.0.1:${String(port)}`;
    demo = await startChild(MAIN, { args, env: { ...MEMORY, PORT: String(port) }, ready, readyTimeout: TIMEOUT });
  };
  const get = async (path: string, accept = '*/*') => fetch(url + path, { headers: { accept } });
  const json = async (path: string): Promise<unknown> => (await get(path)).json();
  const post = async (body: unknown) =>
    fetch(`${url}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it(
    'shows what it has handled, and stays until it is told to end',
    async () => {
      await start([], 'self-check: OK');

      expect(await json('/')).toMatchObject({
        backend: 'memory',
        published: CHANGES,
        changes: CHANGES,
        files: FILES,
        check: 'OK',
      });
      const page = await get('/', 'text/html,application/xhtml+xml');
      expect(page.headers.get('content-type')).toContain('text/html');
      expect(await page.text()).toContain('package.json');

      expect(await json('/check')).toMatchObject({
        verdict: 'OK',
        files: { expected: FILES, equal: FILES, different: [] },
      });
      expect(await json('/leaderboard?limit=2')).toMatchObject({
        events: CHANGES,
        top: [{ file: 'package.json', changes: 723 }, { file: expect.any(String) }],
      });
      expect((await get('/leaderboard?limit=many')).status).toBe(400);

      const { subscribers } = (await json('/handled')) as { subscribers: { name: string; seqs: number[] }[] };
      expect(subscribers.map(({ name }) => name)).toEqual(['line-totals', 'leaderboard', 'audit', 'file-cards']);
      const all = Array.from({ length: CHANGES }, (_, at) => at + 1);
      for (const { seqs } of subscribers) expect(seqs).toEqual(all);

      demo!.kill('SIGTERM');
      expect(await demo!.exited).toMatchObject({ signal: 15 });
    },
    TIMEOUT,
  );

  it(
    'takes events by hand, and the check goes on comparing the history',
    async () => {
      await start([], 'self-check: OK');
      const path = '/files/docs/Guides/Ecosystem.md';
      const before = (await json(path)) as { lines: number; changes: number };

      const posted = await post({
        type: 'file.modified',
        payload: { file: 'docs/Guides/Ecosystem.md', plus: 5, minus: 2 },
      });
      expect(posted.status).toBe(201);
      expect(await posted.json()).toMatchObject({ type: 'file.modified', id: expect.any(String) });
      expect(await json(path)).toMatchObject({ lines: before.lines + 3, byHand: 3, changes: before.changes + 1 });
      // The groups have it too, in their own time.
      await waitUntil('the leaderboard to have it', async () => {
        const { events } = (await json('/leaderboard')) as { events: number };
        return events === CHANGES + 1;
      });
      expect(await json('/check')).toMatchObject({ verdict: 'OK' });
    },
    TIMEOUT,
  );

  it(
    'says what is wrong with a request',
    async () => {
      await start(['--no-play'], 'http://127.0.0.1');
      expect((await get('/files/no/such/file')).status).toBe(404);
      expect((await post({ payload: 1 })).status).toBe(400);
      expect((await post({ type: 'file.added', payload: { file: 'x' } })).status).toBe(400);
      const badType = await post({ type: 'not a type' });
      expect(badType.status).toBe(400);
      expect(await badType.json()).toMatchObject({ code: 'INVALID_EVENT_TYPE' });
      expect((await post({ type: 'anything.else', payload: { at: 'all' } })).status).toBe(201);
      expect(await json('/')).toMatchObject({ published: 0, check: 'INCOMPLETE' });
    },
    TIMEOUT,
  );
});

/** A module that makes the demo publish its first change once more than it should. */
function playFirstTwice(): string {
  const player = pathToFileURL('apps/demo/dist/history/player.js').href;
  const source = `
    import { Player } from '${player}';
    const { play } = Player.prototype;
    Player.prototype.play = async function (options) {
      await play.call(this, { from: 0, to: 1 });
      await play.call(this, options);
    };`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { startChild } from '../support/child.js';
import type { GuardedProcess } from '../support/guarded.js';
import { freePort } from '../support/ports.js';
import { startRedis } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';

const MAIN = 'apps/demo/dist/main.js';
const TIMEOUT = 120_000;
const CHANGES = 9025;
/** The changes that the first rules have forgotten: .yaml files. */
const FORGOTTEN = { 'file.added': 2, 'file.modified': 1 };
const MEMORY = {
  EVENT_DEFAULT_BACKEND: 'memory',
  EVENT_DEFAULT_URL: undefined,
  EVENT_BACKEND: undefined,
  EVENT_URL: undefined,
};

interface Letters {
  readonly total: number;
  readonly items: readonly { id: string; type: string; attempts: number; error: string; replay?: string }[];
}

const demos: Demo[] = [];

afterEach(async () => {
  await Promise.all(demos.splice(0).map((demo) => demo.process.destroy()));
});

describe('dead letters of the demo', () => {
  it(
    'the README: listed, mended, replayed',
    async () => {
      const demo = await start(MEMORY);
      const commands = readmeCommands();
      expect(commands.length).toBeGreaterThanOrEqual(5);
      for (const { path, body, said } of commands) {
        if (body !== undefined) {
          expect(shapeOf(await (await demo.post(path, body)).json())).toEqual(said);
          continue;
        }
        // A change is a dead letter, and a replayed one handled, in its own time.
        await waitUntil('the answer of the README', async () => {
          expect(shapeOf(await demo.get(path))).toEqual(said);
          return true;
        });
      }
      expect(await demo.get('/check')).toMatchObject({ verdict: 'OK' });
    },
    TIMEOUT,
  );

  it(
    'a replay before the mending fails again, and says so; one letter can be dropped',
    async () => {
      const demo = await start(MEMORY);
      const first = await demo.letters(3);
      const dry = await (await demo.post('/dead-letters/replay', { group: 'review', dryRun: true })).json();
      expect(dry).toMatchObject({ replayed: 0, ids: first.map(({ id }) => id).reverse() });
      expect(await demo.letters(3)).toEqual(first);

      const again = await demo.post('/dead-letters/replay', { group: 'review', maxFailures: 1 });
      const { operation, ...counts } = (await again.json()) as Record<string, unknown>;
      expect(counts).toMatchObject({ replayed: 3, failed: 3 });
      const second = await demo.letters(3);
      for (const letter of second) expect(letter).toMatchObject({ attempts: 2, replay: operation });

      const { id } = second[0]!;
      expect(await demo.get(`/dead-letters/${id}`)).toMatchObject({
        id,
        handler: 'review',
        stack: expect.stringContaining('onChange'),
        event: { payload: { file: expect.stringMatching(/\.yaml$/), seq: expect.any(Number) } },
      });
      expect(await demo.status(`/dead-letters/${id}`, { method: 'DELETE' })).toBe(204);
      expect(await demo.status(`/dead-letters/${id}`, { method: 'DELETE' })).toBe(404);
      expect(await demo.status(`/dead-letters/${id}`)).toBe(404);

      const { id: one } = second[1]!;
      expect(await (await demo.post('/dead-letters/replay', { id })).json()).toMatchObject({ replayed: 0 });
      await demo.post('/review/rules', { '.yaml': 'tools' });
      expect(await (await demo.post('/dead-letters/replay', { id: one })).json()).toMatchObject({ ids: [one] });
      expect(await demo.letters(1)).toEqual([second[2]]);
      await waitUntil('the change to be assigned', async () => total(await demo.assigned()) === CHANGES - 2);
      expect(await demo.get('/check')).toMatchObject({ verdict: 'OK' });
    },
    TIMEOUT,
  );

  it(
    'a request that is not understood replays nothing',
    async () => {
      const demo = await start(MEMORY);
      await demo.letters(3);
      const bad = [
        [],
        {},
        { dryRun: false },
        { grup: 'review' },
        { group: 1 },
        { id: 'a@1', group: 'review' },
        { id: 1 },
      ];
      const badOptions = [{ dryRun: 'true' }, { limit: '1' }, { limit: 0 }, { maxFailures: 0 }].map((each) => ({
        ...each,
        group: 'review',
      }));
      for (const body of [undefined, ...bad, { type: 'a..b' }, ...badOptions]) {
        expect({ body, status: (await demo.post('/dead-letters/replay', body)).status }).toEqual({ body, status: 400 });
      }
      for (const query of ['page=0', 'pageSize=many', 'grup=review', 'group=a&group=b', 'type=a..b']) {
        expect({ query, status: await demo.status(`/dead-letters?${query}`) }).toEqual({ query, status: 400 });
      }
      for (const rules of [undefined, [], {}, { '.yaml': 1 }]) {
        expect((await demo.post('/review/rules', rules)).status).toBe(400);
      }
      const all = await demo.post('/dead-letters/replay', { type: '#', dryRun: true });
      expect(((await all.json()) as { ids: string[] }).ids).toHaveLength(3);
      await demo.letters(3);
      expect(((await demo.get('/dead-letters?group=audit')) as Letters).total).toBe(0);
      expect(((await demo.get('/dead-letters?pageSize=2&page=2')) as Letters).items).toHaveLength(1);
      expect(await demo.get('/review/rules')).toMatchObject({ '.yml': 'tools' });
    },
    TIMEOUT,
  );

  it(
    'without --review there are none',
    async () => {
      const demo = await start(MEMORY, []);
      expect(((await demo.get('/dead-letters')) as Letters).total).toBe(0);
      expect(await demo.status('/review')).toBe(404);
    },
    TIMEOUT,
  );

  it(
    'on Redis they outlive the process, and any process mends and replays',
    async () => {
      const redis = await startRedis();
      const env = {
        EVENT_DEFAULT_BACKEND: 'redis',
        EVENT_DEFAULT_URL: redis.url,
        EVENT_DEFAULT_KEY_PREFIX: `demo-${randomUUID()}:`,
      };
      const player = await start(env, ['--review', '--play']);
      const letters = await player.letters(3);
      await waitUntil('groups and cards to have handled the rest', async () => {
        const shared = (await player.handled()).slice(1);
        return shared.every((events) => events === CHANGES) && total(await player.assigned()) === CHANGES - 3;
      });
      await player.end();

      const [one, other] = [await start(env, ['--review'], 'http:'), await start(env, ['--review'], 'http:')];
      expect(await one.letters(3)).toEqual(letters);
      // One process is told, and every process knows.
      expect((await one.post('/review/rules', { '.yaml': 'tools' })).status).toBe(201);
      await waitUntil(
        'the other to know the rule',
        async () => '.yaml' in ((await other.get('/review/rules')) as object),
      );
      const replay = () => other.post('/dead-letters/replay', { group: 'review' });
      // Two operators at once: each letter is replayed by one of them.
      const results = await Promise.all([replay(), replay()].map(async (each) => (await each).json()));
      const ids = (results as { ids: string[] }[]).flatMap((result) => result.ids);
      expect(ids.sort()).toEqual(letters.map(({ id }) => id).sort());
      const both = async () => total(await one.assigned()) + total(await other.assigned());
      await waitUntil('the three to be assigned', async () => (await both()) === 3);
      await one.letters(0);
      // Nobody else got them again.
      for (const demo of [one, other]) expect(await demo.handled()).toEqual([0, 0, 0, 0]);
    },
    TIMEOUT,
  );
});

/** A running demo. */
class Demo {
  constructor(
    readonly process: GuardedProcess,
    private readonly url: string,
  ) {}

  async get(path: string): Promise<unknown> {
    return (await fetch(this.url + path)).json();
  }

  async status(path: string, init: RequestInit = {}): Promise<number> {
    return (await fetch(this.url + path, init)).status;
  }

  post(path: string, body: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    const text = body === undefined ? '' : JSON.stringify(body);
    return fetch(this.url + path, { method: 'POST', headers, body: text });
  }

  /** The dead letters of the group, when there are so many. */
  async letters(count: number): Promise<Letters['items']> {
    const { items } = await waitUntil(`${String(count)} dead letters`, async () => {
      const letters = (await this.get('/dead-letters?group=review')) as Letters;
      return letters.total === count && letters;
    });
    const types = Object.entries(FORGOTTEN).flatMap(([type, times]) => Array.from({ length: times }, () => type));
    if (count === types.length) expect(items.map(({ type }) => type).sort()).toEqual(types);
    for (const { attempts, error } of items) {
      expect(attempts).toBe(2);
      expect(error).toContain('no rule for .yaml');
    }
    return items;
  }

  /** Changes by team. */
  async assigned(): Promise<Record<string, number>> {
    return (await this.get('/review')) as Record<string, number>;
  }

  /** Events that line-totals, leaderboard, audit and file-cards have handled here. */
  async handled(): Promise<number[]> {
    const { subscribers } = (await this.get('/handled')) as { subscribers: { events: number }[] };
    return subscribers.map(({ events }) => events);
  }

  async end(): Promise<void> {
    this.process.kill('SIGTERM');
    await within('the demo to end', this.process.exited, 20_000);
  }
}

async function start(
  bus: Record<string, string | undefined>,
  args = ['--review'],
  ready = 'self-check: OK',
): Promise<Demo> {
  const port = String(await freePort());
  const process = await startChild(MAIN, { args, env: { ...bus, PORT: port }, ready, readyTimeout: 60_000 });
  const demo = new Demo(process, `http://127.0.0.1:${port}`);
  demos.push(demo);
  return demo;
}

function total(assigned: Record<string, number>): number {
  return Object.values(assigned).reduce((sum, each) => sum + each, 0);
}

/** The commands of the README's section, and what they say. */
function readmeCommands(): { path: string; body: unknown; said: unknown }[] {
  const text = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8');
  const [, block = ''] = /^### A dead letter, mended and replayed$[^]*?^```console\n([^]*?)^```$/m.exec(text) ?? [];
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((each) => {
      const [, path = '', body, said = ''] =
        /^curl -s '?localhost:3000([^' \n]*)[^\n]*?(?: -d '(.*)')?\n(.*)\n$/.exec(each) ?? [];
      return {
        path,
        body: body === undefined ? undefined : (JSON.parse(body) as unknown),
        said: shapeOf(JSON.parse(said)),
      };
    });
}

/** An answer without what is different each time: ids, times, and the order of ids. */
function shapeOf(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer), (key, value: unknown) => {
    if (key === 'ids') return (value as string[]).sort();
    if (key === 'time' || key === 'operation') return `<${key}>`;
    return typeof value === 'string' ? value.replace(/@\d+$/, '@<n>') : value;
  });
}

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import sqlite from 'node-sqlite3-wasm';
import { createEventBus, type EventBus } from 'nestjs-cardinal';
import { EventsRecorder, waitFor } from 'nestjs-cardinal/testing';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onCleanup } from '../support/cleanup.js';
import { startGuarded } from '../support/guarded.js';
import { startRedis, type RedisHandle } from '../support/redis.js';
import { python, withPython } from './python/interpreter.js';

const text = readFileSync(resolve(import.meta.dirname, '../../docs/ordering.md'), 'utf8');
const itWithPython = python === undefined ? it.skip : it;
const logger = { log: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

/** The block of docs/ordering.md under this comment. */
function block(note: string): string {
  const found = new RegExp(`<!-- ${note} -->\\n\\n\`\`\`\\w+\\n([^]*?)\`\`\``).exec(text)?.[1];
  if (found === undefined) throw new Error(`docs/ordering.md has no block '${note}'`);
  return found;
}

/** Token, ms, number; and whether the sink takes it after those before. */
const WRITES: readonly (readonly [string, string, string, boolean])[] = [
  ['9', '5', '0', true],
  ['9', '5', '1', true],
  ['9', '5', '1', false], // again
  ['9', '5', '0', false], // behind
  ['10', '5', '1', false], // again, by the next owner
  ['10', '5', '2', true],
  ['10', '5', '10', true],
  ['9', '6', '0', false], // an owner of before
  ['1700000000000001', '6', '0', true],
  ['1700000000000002', '10', '0', true],
];

describe('docs/ordering.md: a fenced sink', () => {
  it('in SQL', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cardinal-sink-'));
    const database = new sqlite.Database(join(folder, 'sink.db'));
    onCleanup(() => {
      database.close();
      rmSync(folder, { recursive: true, force: true });
    });
    database.exec('create table card_position (card text primary key, token integer, ms integer, number integer)');
    const taken = WRITES.map(([token, ms, number]) => {
      const values = { ':card': 'a', ':token': BigInt(token), ':ms': Number(ms), ':number': Number(number) };
      return database.run(block('sink: sql'), values).changes === 1;
    });
    expect(taken).toEqual(WRITES.map((write) => write[3]));
  });

  it('in Redis', async () => {
    const server = await startRedis({ private: true });
    const redis = new Redis(server.url);
    onCleanup(async () => {
      redis.disconnect();
      await server.stop();
    });
    const taken: boolean[] = [];
    for (const [token, ms, number] of WRITES)
      taken.push((await redis.eval(block('sink: lua'), 1, 'card', token, ms, number, '7')) === 1);
    expect(taken).toEqual(WRITES.map((write) => write[3]));
    expect(await redis.hget('card', 'sum')).toBe(String(7 * taken.filter(Boolean).length));
  });
});

describe('docs/ordering.md: programs in other languages', () => {
  let server: RedisHandle;
  let bus: EventBus;
  let recorder: EventsRecorder;

  beforeAll(async () => {
    server = await startRedis({ private: true });
  });
  afterAll(async () => {
    await server.stop();
  });
  beforeEach(async () => {
    bus = await createEventBus({ env: false, service: 'shop', url: server.url, logger });
    recorder = new EventsRecorder();
  });
  afterEach(async () => {
    await bus.close();
  });

  it('the commands', async () => {
    await bus.cards.subscribe('comment', recorder.handler, { name: 'comments' });
    const redis = new Redis(server.url);
    onCleanup(() => {
      redis.disconnect();
    });
    const commands = block('redis-cli').trimEnd().split('\n');
    for (const line of commands) {
      const [, command = '', ...args] = line.split(' ').map((word) => word.replaceAll("'", ''));
      await redis.call(command, ...args);
    }
    await waitFor(() => recorder.events.length === 1);
    expect(recorder.events[0]?.payload).toEqual({ text: 'hello', author: 'ann' });
    await waitFor(async () => (await redis.exists('event_stream:comment:42')) === 0);
  });

  itWithPython(
    `the producer in Python${withPython}`,
    async () => {
      await bus.cards.subscribe('comment', recorder.handler, { name: 'comments' });
      const program = await runPython('producer', server.url);
      expect(await program.exited).toMatchObject({ code: 0 });
      await waitFor(() => recorder.events.length === 100, { timeout: '20s' });
    },
    40_000,
  );

  itWithPython(
    `the consumer in Python${withPython}`,
    async () => {
      const fields = await createEventBus({
        ...{ env: false, service: 'shop', url: server.url, logger, keyPrefix: 'fields:' },
        cards: { encoding: 'fields' },
      });
      onCleanup(() => fields.close());
      const program = await runPython('consumer', server.url);
      await program.line('ready');
      for (const number of [1, 2, 3]) await fields.cards.publish('plain', 'a', { number });
      await program.line('a 3');
      expect(program.lines.filter((line) => line.startsWith('a '))).toEqual(['a 1', 'a 2', 'a 3']);
      await program.destroy();
    },
    40_000,
  );
});

async function runPython(name: string, url: string) {
  const program = block(`python: ${name}`);
  return startGuarded(python ?? '', ['-c', program], {
    env: { ...process.env, REDIS_URL: url },
    name: `python ${name}`,
  });
}

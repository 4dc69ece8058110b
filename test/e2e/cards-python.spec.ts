import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createEventBus, type CardContext, type EventBus } from 'nestjs-cardinal';
import { waitFor } from 'nestjs-cardinal/testing';
import { startGuarded, type GuardedProcess } from '../support/guarded.js';
import { startRedis, type RedisHandle } from '../support/redis.js';
import { python, withPython } from './python/interpreter.js';

const PROGRAM = new URL('python/cards.py', import.meta.url).pathname;
const CARDS = 7;
const EVENTS = 30;

/** What Python writes and reads: the foreign contract of cards, by programs that know nothing of this library. */
const describeWithPython = python === undefined ? describe.skip : describe;

describeWithPython(`cards and a Python program${withPython}`, () => {
  let server: RedisHandle;
  let redis: Redis;
  const buses: EventBus[] = [];
  const programs: GuardedProcess[] = [];

  beforeAll(async () => {
    server = await startRedis({ private: true });
    redis = new Redis(server.url);
  });
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
    await Promise.all(programs.splice(0).map((program) => program.destroy()));
  });
  afterAll(async () => {
    await redis.quit();
    await server.stop();
  });

  async function open(options: { encoding?: 'fields' } = {}): Promise<EventBus> {
    const logger = { log: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
    const bus = await createEventBus({ env: false, service: 'shop', url: server.url, cards: options, logger });
    buses.push(bus);
    return bus;
  }

  async function run(...args: string[]): Promise<GuardedProcess> {
    const env = { ...process.env, REDIS_URL: server.url };
    const program = await startGuarded(python ?? '', [PROGRAM, ...args], { env, name: 'python' });
    programs.push(program);
    return program;
  }

  it('its producer feeds our consumers, every card in order', async () => {
    const [one, two] = [await open(), await open()];
    const seen = new Map<string, number[]>();
    const handler = (payload: { number: string }, { cardId }: CardContext): void => {
      seen.set(cardId, [...(seen.get(cardId) ?? []), Number(payload.number)]);
    };
    for (const bus of [one, two]) await bus.cards.subscribe('comment', handler, { name: 'comments' });

    const { code } = await (await run('produce', 'comment', String(CARDS), String(EVENTS))).exited;

    expect(code).toBe(0);
    await waitFor(() => [...seen.values()].flat().length === CARDS * EVENTS, { timeout: '20s' });
    // A card id may contain a colon.
    expect([...seen.keys()].sort()).toEqual(Array.from({ length: CARDS }, (_, card) => `card:${String(card)}`));
    for (const numbers of seen.values()) expect(numbers).toEqual(Array.from({ length: EVENTS }, (_, at) => at));
  }, 40_000);

  it('its consumer handles what we publish as fields, and ends when we unregister the card', async () => {
    const bus = await open({ encoding: 'fields' });
    const consumer = await run('consume', 'plain');
    await consumer.line('ready');

    for (let number = 0; number < EVENTS; number++) await bus.cards.publish('plain', 'a:b', { number, text: 'ä "x"' });

    await waitFor(() => consumer.lines.filter((line) => line.startsWith('{')).length === EVENTS, { timeout: '20s' });
    const rows = consumer.lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { number: string; text: string });
    expect(rows).toEqual(Array.from({ length: EVENTS }, (_, at) => ({ number: String(at), text: 'ä "x"' })));
    await bus.cards.unregister('plain', 'a:b', { pending: 'drop' });
    await consumer.line('unregistered a:b');
  }, 40_000);

  it('its unregistration ends a card when what waits has been handled', async () => {
    const bus = await open();
    let free: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      free = resolve;
    });
    const handled: number[] = [];
    const handler = async ({ number }: { number: number }): Promise<void> => {
      await held;
      handled.push(number);
    };
    await bus.cards.subscribe('short', handler, { name: 'short' });
    for (const number of [1, 2, 3]) await bus.cards.publish('short', 'one', { number });

    await (
      await run('unregister', 'short', 'one')
    ).exited;
    free();

    await waitFor(async () => (await redis.exists('event_stream:short:one')) === 0, { timeout: '20s' });
    expect(handled).toEqual([1, 2, 3]);
    expect(await bus.cards.inspect('short', 'one')).toBeUndefined();
  }, 40_000);
});

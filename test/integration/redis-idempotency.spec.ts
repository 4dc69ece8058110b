import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { EventDriver, ResolvedBusOptions } from 'nestjs-cardinal';
import { openTestBus, waitFor } from 'nestjs-cardinal/testing';
import { script } from '../faults/kit.js';
import { onCleanup } from '../support/cleanup.js';
import { scripts, type Script } from '../support/internals.js';
import { RedisProxy } from '../support/proxy.js';
import { startRedis, type RedisHandle } from '../support/redis.js';

/** What the scripts of idempotent handlers answer, and how the store uses them. */

type AnyStore = EventDriver['idempotency'];
/** On Redis everything takes its time. */
type Store = {
  readonly [Name in keyof AnyStore]: (
    ...args: Parameters<AnyStore[Name]>
  ) => Promise<Awaited<ReturnType<AnyStore[Name]>>>;
};

let server: RedisHandle;
let raw: Redis;
let all: Readonly<Record<string, Script>>;
const closers: (() => Promise<void>)[] = [];

const LEASE = 60_000;
const HOUR = 3_600_000;
const KEY = '{d:k}';

beforeAll(async () => {
  server = await startRedis({ private: true });
  raw = new Redis(server.url);
  all = await scripts();
  onCleanup(async () => {
    await raw.quit();
  });
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await raw.flushall();
});

async function run(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
  const script = all[name];
  if (script === undefined) throw new Error(`there is no script ${name}`);
  expect(script.keys).toBe(1);
  return raw.eval(script.lua, 1, KEY, ...args);
}

/** The expiry was set to `ms` a moment ago. */
async function expires(ms: number, key: string = KEY): Promise<void> {
  const left = await raw.pttl(key);
  expect(left).toBeLessThanOrEqual(ms);
  expect(left).toBeGreaterThan(ms - 5_000);
}

describe('idemClaim', () => {
  it('c: nobody has it, with an expiry', async () => {
    expect(await run('idemClaim', 'me', LEASE)).toBe('c');
    expect(await raw.get(KEY)).toBe('c:me');
    await expires(LEASE);
  });

  it('c: an own claim, for the whole time again', async () => {
    await raw.set(KEY, 'c:me', 'PX', 10_000);
    expect(await run('idemClaim', 'me', LEASE)).toBe('c');
    await expires(LEASE);
  });

  it("b: somebody else's claim, which stays as it is", async () => {
    await raw.set(KEY, 'c:her', 'PX', 10_000);
    expect(await run('idemClaim', 'he', LEASE)).toBe('b');
    expect(await raw.get(KEY)).toBe('c:her');
    await expires(10_000);
  });

  it.each(['d', 'd:', 'd:{"a":"ä:\\u0000"}', 'd:c:me'])('what is done, as it was kept: %s', async (done) => {
    await raw.set(KEY, done, 'PX', 10_000);
    expect(await run('idemClaim', 'me', LEASE)).toBe(done);
    await expires(10_000);
  });
});

describe('idemCommit', () => {
  it.each(['c:me', undefined])('1: where the value is %s', async (held) => {
    if (held !== undefined) await raw.set(KEY, held, 'PX', 10_000);
    expect(await run('idemCommit', 'me', 'd:1', HOUR)).toBe(1);
    expect(await raw.get(KEY)).toBe('d:1');
    await expires(HOUR);
  });

  it.each(['c:her', 'd', 'd:2'])('0: where the value is %s, which stays', async (held) => {
    await raw.set(KEY, held, 'PX', 10_000);
    expect(await run('idemCommit', 'me', 'd:1', HOUR)).toBe(0);
    expect(await raw.get(KEY)).toBe(held);
    await expires(10_000);
  });
});

describe('idemAbort', () => {
  it('1: an own claim is gone', async () => {
    await raw.set(KEY, 'c:me');
    expect(await run('idemAbort', 'me')).toBe(1);
    expect(await raw.exists(KEY)).toBe(0);
  });

  it.each(['c:her', 'd', 'd:c:me', undefined])('0: where the value is %s, which stays', async (held) => {
    if (held !== undefined) await raw.set(KEY, held);
    expect(await run('idemAbort', 'me')).toBe(0);
    expect(await raw.get(KEY)).toBe(held ?? null);
  });
});

describe('idemRenew', () => {
  it('1: an own claim lasts from now', async () => {
    await raw.set(KEY, 'c:me', 'PX', 10_000);
    expect(await run('idemRenew', 'me', LEASE)).toBe(1);
    await expires(LEASE);
  });

  it.each(['c:her', 'd', undefined])('0: where the value is %s, which stays', async (held) => {
    if (held !== undefined) await raw.set(KEY, held, 'PX', 10_000);
    expect(await run('idemRenew', 'me', LEASE)).toBe(0);
    expect(await raw.get(KEY)).toBe(held ?? null);
    if (held !== undefined) await expires(10_000);
  });
});

/** The store of a process of its own. */
async function store(url = server.url): Promise<Store> {
  let driver: EventDriver | undefined;
  const path = '../../libs/events/src/drivers/redis/create-redis-driver.js';
  const { createRedisDriver } = (await import(path)) as {
    createRedisDriver(options: ResolvedBusOptions): Promise<EventDriver>;
  };
  const bus = await openTestBus({
    backend: async (options) => (driver = await createRedisDriver({ ...options, backend: 'redis', url })),
  });
  closers.push(() => bus.close());
  if (driver === undefined) throw new Error('there is no driver');
  return driver.idempotency as Store;
}

async function claims(): Promise<string[]> {
  return raw.keys('events:{d:*');
}

describe('the store', () => {
  it('claims, renews, commits with and without an outcome, aborts', async () => {
    const [a, b] = [await store(), await store()];
    expect(await a.claim('k', 'a', LEASE)).toEqual({ state: 'claimed' });
    expect(await b.claim('k', 'b', LEASE)).toEqual({ state: 'busy' });
    const [key = ''] = await claims();
    await a.renew(['k', 'unknown'], 'a', HOUR);
    await b.renew(['k'], 'b', 2 * HOUR);
    await expires(HOUR, key);
    await b.abort('k', 'b');
    expect(await b.claim('k', 'b', LEASE)).toEqual({ state: 'busy' });
    await a.abort('k', 'a');
    expect(await b.claim('k', 'b', LEASE)).toEqual({ state: 'claimed' });
    await b.commit('k', 'b', undefined, HOUR);
    expect(await a.claim('k', 'a', LEASE)).toEqual({ state: 'done', outcome: undefined });
    for (const outcome of ['', '""', '{"a":"ä\\n:"}']) {
      await a.commit(`with ${outcome}`, 'a', outcome, HOUR);
      expect(await b.claim(`with ${outcome}`, 'b', LEASE)).toEqual({ state: 'done', outcome });
    }
    expect(await claims()).toHaveLength(4);
  });

  it('a claim that nobody renews runs out', async () => {
    const [a, b] = [await store(), await store()];
    await a.claim('k', 'a', 200);
    expect(await b.claim('k', 'b', LEASE)).toEqual({ state: 'busy' });
    await waitFor(async () => (await b.claim('k', 'b', LEASE)).state === 'claimed');
    await a.commit('k', 'a', 'late', HOUR);
    expect(await a.claim('k', 'a', LEASE)).toEqual({ state: 'busy' });
  });

  it('of all who claim at once one has it', async () => {
    const stores = await Promise.all([store(), store(), store()]);
    const answers = await Promise.all(
      stores.flatMap((each, at) =>
        Array.from({ length: 10 }, (_, i) => each.claim('k', `${String(at)} ${String(i)}`, LEASE)),
      ),
    );
    expect(answers.filter(({ state }) => state === 'claimed')).toHaveLength(1);
  });

  it('keys of any characters are keys of their own, of one length and with one slot each', async () => {
    const one = await store();
    const keys = ['a', 'A', '', '\0', '}', '{a}', 'ä', '\ud800', '\ud801', '\ufffd', 'x'.repeat(511), 'x'.repeat(512)];
    for (const key of keys) expect(await one.claim(key, 'a', LEASE)).toEqual({ state: 'claimed' });
    for (const key of keys) await one.commit(key, 'a', JSON.stringify(key), HOUR);
    for (const key of keys)
      expect(await one.claim(key, 'b', LEASE)).toEqual({ state: 'done', outcome: JSON.stringify(key) });
    const stored = await claims();
    expect(stored).toHaveLength(keys.length);
    for (const key of stored) expect(key).toMatch(/^events:\{d:[A-Za-z0-9_-]{43}\}$/);
  });

  it.each(['reply', 'command'] as const)(
    '%s lost on the way: claim and commit are as if it had not been',
    async (lose) => {
      const proxy = await RedisProxy.start(server);
      const one = await store(proxy.url);
      for (const [name, step] of [
        ['idemClaim', () => one.claim('k', 'a', LEASE)],
        ['idemCommit', () => one.commit('k', 'a', '1', HOUR)],
      ] as const) {
        const lost = proxy.loseNext(await script(name), lose);
        expect(await step()).toEqual(name === 'idemClaim' ? { state: 'claimed' } : undefined);
        await lost.done;
      }
      expect(await one.claim('k', 'b', LEASE)).toEqual({ state: 'done', outcome: '1' });
    },
  );

  it('in an outage claim and commit wait, abort tries for a moment, and a renewal is for the next beat', async () => {
    const proxy = await RedisProxy.start(server);
    const one = await store(proxy.url);
    for (const key of ['commit', 'abort', 'renew']) await one.claim(key, 'a', LEASE);
    proxy.refuse(() => true);
    proxy.cutAll();
    const ended: string[] = [];
    const waiting = [one.claim('claim', 'a', LEASE), one.commit('commit', 'a', '1', HOUR)];
    for (const each of waiting) void each.finally(() => ended.push('waiting'));
    const code = 'BACKEND_UNAVAILABLE';
    await expect(one.renew(['renew'], 'a', LEASE)).rejects.toMatchObject({ code });
    await expect(one.abort('abort', 'a')).rejects.toMatchObject({ code });
    expect(ended).toEqual([]);
    proxy.refuse(undefined);
    expect(await Promise.all(waiting)).toEqual([{ state: 'claimed' }, undefined]);
    expect(await one.claim('commit', 'b', LEASE)).toEqual({ state: 'done', outcome: '1' });
    await one.renew(['renew'], 'a', LEASE);
  });

  it('is closed with its bus', async () => {
    const one = await store();
    for (const close of closers.splice(0)) await close();
    const code = 'BUS_CLOSED';
    await expect(one.claim('k', 'a', LEASE)).rejects.toMatchObject({ code });
    await expect(one.renew(['k'], 'a', LEASE)).rejects.toMatchObject({ code });
    await expect(one.commit('k', 'a', undefined, HOUR)).rejects.toMatchObject({ code });
    await expect(one.abort('k', 'a')).rejects.toMatchObject({ code });
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { isEventsError, type BackendUnavailableError, type EventBus } from 'nestjs-cardinal';
import { freePort } from '../support/ports.js';
import { RedisProxy } from '../support/proxy.js';
import { startRedis, type RedisHandle } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';
import { Buses, held, Lines, numbers, payloads, random, reaches, refusal, sorted } from './kit.js';
import { settled } from './one-redis.js';

const buses = new Buses();
let server: RedisHandle | undefined;
let raw: Redis | undefined;

afterEach(async () => {
  await buses.close();
  if (raw?.status === 'ready') await raw.quit();
  else raw?.disconnect();
  raw = undefined;
  await server?.stop('SIGKILL');
});

interface Started {
  readonly server: RedisHandle;
  readonly raw: Redis;
}

async function start(...args: string[]): Promise<Started> {
  server = await startRedis({ private: true, ...(args.length > 0 ? { args } : {}) });
  raw = new Redis(server.url, { retryStrategy: () => 50 });
  raw.on('error', () => {});
  return { server, raw };
}

interface Fates {
  readonly stored: number[];
  readonly notStored: number[];
  readonly unknown: number[];
  readonly others: unknown[];
}

/** Publishes numbers without pause, until told to stop, and keeps what became of each. */
function publishing(bus: EventBus, type: string): { readonly fates: Fates; stop(): Promise<void> } {
  const fates: Fates = { stored: [], notStored: [], unknown: [], others: [] };
  let stopped = false;
  let number = 0;
  const one = async (): Promise<void> => {
    while (!stopped) {
      const mine = number++;
      try {
        await bus.publish(type, mine);
        fates.stored.push(mine);
      } catch (error) {
        if (!isEventsError(error, 'BACKEND_UNAVAILABLE')) fates.others.push(error);
        else fates[(error as BackendUnavailableError).outcome === 'unknown' ? 'unknown' : 'notStored'].push(mine);
      }
    }
  };
  const running = Promise.all(numbers(20).map(one));
  return {
    fates,
    async stop() {
      stopped = true;
      await within('the last publishes', running, 30_000);
    },
  };
}

const stored = async (redis: Redis, type: string): Promise<number[]> =>
  (await redis.xrange(`events:{t:${type}}:log`, '-', '+')).map(([, fields]) =>
    Number(fields[fields.indexOf('data') + 1]),
  );

/** Every path works: process, group, wildcards of both, a request, a unicast event; on types old and new. */
async function everythingWorks(one: EventBus, two: EventBus, heard: Heard, tag: string): Promise<void> {
  await waitUntil(
    'requests to work',
    async () => (await one.publishAndWait('ask.it', tag, { timeout: 1_000 })) === `re ${tag}`,
  );
  await one.publish('a.old', tag);
  await one.publish(`a.${tag}`, tag);
  await one.publish('direct', tag, { target: two.instanceId });
  await one.publish('any.old', tag, { mode: 'anycast' });
  const wanted = [
    `process a.old ${tag}`,
    `process a.${tag} ${tag}`,
    `group a.old ${tag}`,
    `group a.${tag} ${tag}`,
    `exact a.old ${tag}`,
    `direct direct ${tag}`,
    `any any.old ${tag}`,
  ];
  await waitUntil(
    `everything with ${tag} to arrive`,
    () => {
      const missing = wanted.filter((line) => !heard.lines.includes(line));
      if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`);
      return true;
    },
    { timeout: 20_000 },
  );
}

class Heard {
  readonly lines: string[] = [];
  readonly note =
    (label: string) =>
    (payload: unknown, { type }: { type: string }): void => {
      this.lines.push(`${label} ${type} ${String(payload)}`);
    };
}

async function listen(bus: EventBus): Promise<Heard> {
  const heard = new Heard();
  await bus.subscribe('a.#', heard.note('process'));
  await bus.subscribe('a.*', heard.note('group'), { group: 'g', name: 'h' });
  await bus.subscribe('a.old', heard.note('exact'), { group: 'exact', name: 'h' });
  await bus.subscribe('direct', heard.note('direct'));
  await bus.subscribe('any.old', heard.note('any'), { group: 'any', name: 'h' });
  await bus.subscribe('ask.it', (payload: string) => `re ${payload}`);
  return heard;
}

interface Pair extends Started {
  readonly lines: Lines;
  readonly one: EventBus;
  readonly two: EventBus;
  readonly heard: Heard;
}

/** Two buses on a server of their own, and what the second hears. */
async function startPair(...args: string[]): Promise<Pair> {
  const started = await start(...args);
  const lines = new Lines();
  const [one, two] = await buses.pair(started.server.url, {}, lines);
  return { ...started, lines, one, two, heard: await listen(two) };
}

/** A group handler and a process handler of `pattern`, and the numbers that they get. */
async function listenTwice(bus: EventBus, pattern: string): Promise<{ group: Set<number>; process: number[] }> {
  const group = new Set<number>();
  await bus.subscribe(pattern, (payload: number) => void group.add(payload), { group: 'g', name: 'numbers' });
  return { group, process: await payloads(bus, pattern, { concurrency: 1 }) };
}

interface Slow {
  /** Payloads whose handlers have begun. */
  readonly seen: readonly number[];
  /** Lets them end; all are acknowledged then, and nobody was taken for dead. */
  end(raw: Redis, lines: Lines): Promise<void>;
}

/** `two` handles a unicast event that does not end by itself. */
async function startSlow(one: EventBus, two: EventBus): Promise<Slow> {
  const { seen, open } = await held(two, 'slow');
  await one.publish('slow', 1, { target: two.instanceId });
  await reaches('handlers', 1, () => seen.length);
  return {
    seen,
    async end(raw, lines) {
      open();
      await settled(raw, `events:{i:${two.instanceId}}:inbox`, 'inbox');
      expect(await raw.exists('events:{t:slow}:dead')).toBe(0);
      expect(lines.count('target-died')).toBe(0);
    },
  };
}

describe('row 14: Redis goes and comes back', () => {
  it('restarted with its append-only file: what resolved is there, what was "not-stored" is not, consumers resume', async () => {
    const { server, raw, one, two, heard } = await startPair('--appendonly', 'yes', '--appendfsync', 'always');
    const { group, process } = await listenTwice(two, 'load');
    await everythingWorks(one, two, heard, 'before');

    const load = publishing(one, 'load');
    await reaches('publishes', 500, () => load.fates.stored.length);
    await server.stop('SIGKILL');
    // Longer than a publish waits for a lost connection.
    await reaches('rejections', 20, () => load.fates.notStored.length);
    const before = load.fates.stored.length;
    await server.restart();
    await reaches('publishes after the restart', before + 500, () => load.fates.stored.length);
    await load.stop();

    const there = await stored(raw, 'load');
    const once = new Set(there);
    expect(load.fates.others).toEqual([]);
    expect(once.size).toBe(there.length);
    expect(load.fates.stored.filter((number) => !once.has(number))).toEqual([]);
    expect(load.fates.notStored.filter((number) => once.has(number))).toEqual([]);
    await reaches('events of the group', once.size, () => group.size);
    await reaches('events of the process', once.size, () => process.length);
    expect(sorted(group)).toEqual(sorted(once));
    expect(process).toEqual(there);
    await everythingWorks(one, two, heard, 'after');
  });

  it('restarted empty: groups and patterns are there again, new events flow everywhere', async () => {
    const { server, raw, one, two, heard } = await startPair();
    await everythingWorks(one, two, heard, 'before');
    await server.restart({ empty: true });
    await everythingWorks(one, two, heard, 'after');
    const groups = (await raw.xinfo('GROUPS', 'events:{t:a.old}:log')) as string[][];
    expect(groups.map((row) => row[1]).sort()).toEqual(['exact', 'g']);
    // Who comes now finds the declarations as the others left them.
    const three = await buses.open(server.url);
    await everythingWorks(three, two, heard, 'later');
  });

  it('a group that is declared on a type which nobody published since the empty restart gets its first event, though its only member leaves before', async () => {
    const { server } = await start();
    const [one, two] = await buses.pair(server.url);
    const subscription = await two.subscribe('x.*', () => {}, { group: 'g', name: 'h' });
    await one.publish('x.old', 0);
    await server.restart({ empty: true });
    await waitUntil('a publish', () => one.publish('other', 1));
    await waitUntil('the second process', () => two.publish('other', 1));
    await waitUntil('the group to be declared again', async () => (await raw!.hlen('events:{meta}:groups')) > 0);
    await subscription.close();
    await one.publish('x.new', 1);
    const handled = await payloads(two, 'x.*', { group: 'g', name: 'h' });
    await reaches('events', 1, () => handled.length);
    expect(handled).toEqual([1]);
  });

  it('FLUSHALL under running processes: the connection stays, and everything works again', async () => {
    const { raw, one, two, heard } = await startPair();
    await everythingWorks(one, two, heard, 'before');
    await raw.flushall();
    // A dead process's inbox and membership come back with the next beat.
    await waitUntil('the heartbeats', async () => (await raw.exists(`events:{i:${two.instanceId}}:alive`)) === 1);
    await everythingWorks(one, two, heard, 'after');
  });

  it('away for longer than a publish waits: publishes and requests reject clearly, unicast as well; all work afterwards', async () => {
    const { server, one, two, heard } = await startPair('--appendonly', 'yes', '--appendfsync', 'always');
    await everythingWorks(one, two, heard, 'before');
    await server.stop('SIGKILL');
    const outcomes = await Promise.allSettled([
      one.publish('a.old', 'x'),
      one.publish('a.old', 'x', { target: two.instanceId }),
      one.publish('any.old', 'x', { mode: 'anycast' }),
      one.publishAndWait('ask.it', 'x', { timeout: 5_000 }),
    ]);
    for (const outcome of outcomes) {
      expect(outcome.status).toBe('rejected');
      expect(isEventsError((outcome as PromiseRejectedResult).reason, 'BACKEND_UNAVAILABLE')).toBe(true);
    }
    await server.restart();
    await everythingWorks(one, two, heard, 'after');
    expect(heard.lines.filter((line) => line.endsWith(' x'))).toEqual([]);
  });

  it('frozen (SIGSTOP) for longer than the watchdog and the membership wait: nobody is taken for dead, nothing is lost', async () => {
    const { server, raw, lines, one, two, heard } = await startPair();
    await everythingWorks(one, two, heard, 'before');
    const slow = await startSlow(one, two);
    try {
      server.pause();
      // What the library itself notices: its watchdog gives the connection up.
      await waitUntil('the watchdog', () => lines.count('did not answer a PING') > 0, { timeout: 30_000 });
    } finally {
      server.resume();
    }
    await everythingWorks(one, two, heard, 'after');
    await slow.end(raw, lines);
  });

  it('away for longer than the membership waits, and one process comes back later than another: its unicast events are not taken for those of a dead one', async () => {
    const { server, raw } = await start('--appendonly', 'yes', '--appendfsync', 'always');
    const proxy = await RedisProxy.start(server);
    const lines = new Lines();
    const [one, two] = [await buses.open(server.url, {}, lines), await buses.open(proxy.url, {}, lines)];
    const slow = await startSlow(one, two);

    proxy.refuse(() => true);
    await server.stop('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 11_000)); // the fault itself: nobody could say that he lives
    await server.restart();
    // The first process is back, and has looked who else is.
    const beat = async (): Promise<number> => Number(await raw.zscore('events:{meta}:instances:beats', one.instanceId));
    const last = await waitUntil('the old beat', beat);
    await waitUntil('a beat and two more', async () => (await beat()) > last + 4_000);
    proxy.refuse(undefined);
    await waitUntil('unicast to work', () => one.publish('slow', 2, { target: two.instanceId }));
    await reaches('handlers', 2, () => slow.seen.length);
    await slow.end(raw, lines);
  });

  it('not there at the start: a clear error, in bounded time', async () => {
    const url = `redis://127.0.0.1:${String(await freePort())}`;
    const error = await within('the refusal', refusal(buses.open(url)), 20_000);
    expect(isEventsError(error, 'BACKEND_UNAVAILABLE')).toBe(true);
    expect((error as Error).message).toMatch(/did not answer within \d+ ms: .*ECONNREFUSED/);
  });

  it('silent at the start (connects, never answers): a clear error, in bounded time', async () => {
    const { server } = await start();
    const proxy = await RedisProxy.start(server);
    proxy.hold(true);
    const error = await within('the refusal', refusal(buses.open(proxy.url)), 25_000);
    expect(isEventsError(error, 'BACKEND_UNAVAILABLE')).toBe(true);
  });
});

describe('row 6: notifications get lost', () => {
  it.each([30, 100])('%s %% of them: all is handled, by the poll', async (percent) => {
    const { server } = await start();
    const { seed, next } = random();
    const proxy = await RedisProxy.start(server);
    const publisher = await buses.open(server.url);
    const bus = await buses.open(proxy.url);
    const before = proxy.messages.passed;
    proxy.dropMessages(() => next() * 100 < percent);
    const { group, process } = await listenTwice(bus, 'a.*');
    const inbox = new Set<number>();
    await bus.subscribe('direct', (payload: number) => void inbox.add(payload));
    // Types that are born after the subscription are found without the news, too.
    for (const number of numbers(200)) {
      await publisher.publish(number < 100 ? 'a.b' : 'a.c', number);
      await publisher.publish('direct', number, { target: bus.instanceId });
    }
    await reaches(`events of the group (seed ${String(seed)})`, 200, () => group.size);
    await reaches(`events of the process (seed ${String(seed)})`, 200, () => process.length);
    await reaches(`events of the inbox (seed ${String(seed)})`, 200, () => inbox.size);
    expect(proxy.messages.dropped).toBeGreaterThan(0);
    if (percent === 100) expect(proxy.messages.passed).toBe(before);
    expect(process).toHaveLength(200);
  });

  it('the subscriber connection down for 10 s while others publish: all is handled when it is back', async () => {
    const { server } = await start();
    const proxy = await RedisProxy.start(server);
    const publisher = await buses.open(server.url);
    const lines = new Lines();
    const bus = await buses.open(proxy.url, {}, lines);
    const { group, process } = await listenTwice(bus, 'a.*');
    await publisher.publish('a.b', 0);
    await reaches('events', 1, () => process.length);

    const links = proxy.cutSubscribers();
    expect(links).toBe(1);
    proxy.refuse(() => true);
    for (const number of numbers(99, 1)) await publisher.publish(number < 50 ? 'a.b' : 'a.c', number);
    await new Promise((resolve) => setTimeout(resolve, 10_000)); // the fault itself, not a synchronisation
    proxy.refuse(undefined);
    await reaches('events of the group', 100, () => group.size);
    await reaches('events of the process', 100, () => process.length);
    expect(process).toEqual(numbers(100));
  });
});

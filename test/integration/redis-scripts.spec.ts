import { beforeEach, describe, expect, it } from '@jest/globals';
import { bareScripts } from './bare-scripts.js';

/** What the scripts answer, called by themselves; what they say of publishing is tested where events are published. */

const redis = bareScripts();
const { run, heard } = redis;

/** Longer than any test takes, ms. */
const HOUR = 3_600_000;
const STREAM = '{s}:log';
const OTHER = '{s}:any';
const DEAD = '{s}:dead';

type Pending = [id: string, consumer: string, idle: number, deliveries: number];

async function pending(key = STREAM): Promise<Pending[]> {
  return (await redis.raw.xpending(key, 'g', '-', '+', 100)) as Pending[];
}

async function add(id = '*', key = STREAM): Promise<string> {
  return (await redis.raw.xadd(key, id, 'ce', 'x')) ?? '';
}

async function read(consumer: string, count = 100, key = STREAM): Promise<void> {
  await redis.raw.xreadgroup('GROUP', 'g', consumer, 'COUNT', count, 'STREAMS', key, '>');
}

/** Entries of the stream that are pending for c1, taken once. */
async function taken(count: number, key = STREAM): Promise<string[]> {
  await redis.raw.xgroup('CREATE', key, 'g', '0', 'MKSTREAM');
  const ids: string[] = [];
  while (ids.length < count) ids.push(await add('*', key));
  await read('c1', count, key);
  return ids;
}

/** Makes entries look as if c1 had been silent about them for long. */
async function silence(...ids: string[]): Promise<void> {
  await redis.raw.xclaim(STREAM, 'g', 'c1', 0, ...ids, 'IDLE', 2 * HOUR, 'JUSTID');
}

async function ids(key: string): Promise<string[]> {
  return (await redis.raw.xrange(key, '-', '+')).map(([id]) => id);
}

async function age(key: string, member: string): Promise<void> {
  await redis.raw.zadd(key, String(Date.now() - 2 * HOUR), member);
}

describe('release', () => {
  const release = (consumer: string, ...which: string[]): Promise<unknown> =>
    run('release', [STREAM], ['g', consumer, HOUR, 'news', 'rb g', ...which]);

  it('gives back uncounted, as long silent, and wakes the others once', async () => {
    const [one, two, three] = (await taken(3)) as [string, string, string];
    expect(await release('c1', one, two)).toBe(2);
    const rows = await pending();
    expect(rows.map(([id, consumer, , deliveries]) => [id, consumer, deliveries])).toEqual([
      [one, 'c1', 0],
      [two, 'c1', 0],
      [three, 'c1', 1],
    ]);
    expect(rows.map(([, , idle]) => idle >= HOUR)).toEqual([true, true, false]);
    expect(await heard()).toEqual(['rb g']);
  });

  it('twice is not below zero', async () => {
    const [one] = (await taken(1)) as [string];
    await release('c1', one);
    expect(await release('c1', one)).toBe(1);
    expect((await pending())[0]?.[3]).toBe(0);
  });

  it('0 without the group or the stream', async () => {
    expect(await release('c1', '1-1')).toBe(0);
    await add();
    expect(await release('c1', '1-1')).toBe(0);
  });

  it("ignores what is another's, settled or unknown, and wakes nobody for it", async () => {
    const [one, two] = (await taken(2)) as [string, string];
    await redis.raw.xack(STREAM, 'g', two);
    expect(await release('c2', one)).toBe(0);
    expect(await release('c1', two, '1-1')).toBe(0);
    expect((await pending()).map(([id, consumer, , count]) => [id, consumer, count])).toEqual([[one, 'c1', 1]]);
    expect(await heard()).toEqual([]);
  });
});

describe('extend', () => {
  it('renews what is its own, uncounted, and answers the ids that are lost', async () => {
    const [one, two, three] = (await taken(3)) as [string, string, string];
    await silence(one, two);
    await redis.raw.xclaim(STREAM, 'g', 'c2', 0, two, 'IDLE', 2 * HOUR, 'JUSTID');
    await redis.raw.xack(STREAM, 'g', three);
    expect(await run('extend', [STREAM], ['g', 'c1', one, two, three, '1-1'])).toEqual([two, three, '1-1']);
    const rows = await pending();
    expect(rows.map(([id, consumer, idle, count]) => [id, consumer, idle < HOUR, count])).toEqual([
      [one, 'c1', true, 1],
      [two, 'c2', false, 1],
    ]);
  });

  it('without the group everything is lost', async () => {
    await add();
    expect(await run('extend', [STREAM], ['g', 'c1', '1-1'])).toEqual(['1-1']);
  });

  it('nothing lost: an empty list', async () => {
    expect(await run('extend', [STREAM], ['g', 'c1', ...(await taken(2))])).toEqual([]);
  });
});

describe('reclaim', () => {
  const reclaim = (count = 100, cursor = '0-0'): Promise<unknown> =>
    run('reclaim', [STREAM], ['g', 'c2', HOUR, count, cursor]);

  it('leaves what is not silent', async () => {
    await taken(2);
    expect(await reclaim()).toEqual(['0-0', [], []]);
    expect((await pending()).map(([, consumer]) => consumer)).toEqual(['c1', 'c1']);
  });

  it('claims what is silent, and counts the delivery', async () => {
    const [one, two] = (await taken(2)) as [string, string];
    await silence(one);
    expect(await reclaim()).toEqual(['0-0', [[one, ['ce', 'x'], 2]], []]);
    expect((await pending()).map(([id, consumer, , count]) => [id, consumer, count])).toEqual([
      [one, 'c2', 2],
      [two, 'c1', 1],
    ]);
  });

  it('what was released comes as the first delivery', async () => {
    const [one] = (await taken(1)) as [string];
    await run('release', [STREAM], ['g', 'c1', 2 * HOUR, 'news', 'rb g', one]);
    expect(await reclaim()).toEqual(['0-0', [[one, ['ce', 'x'], 1]], []]);
  });

  it('names the ids whose body is gone, and drops them', async () => {
    const [one, two] = (await taken(2)) as [string, string];
    await silence(one, two);
    await redis.raw.xdel(STREAM, one);
    expect(await reclaim()).toEqual(['0-0', [[two, ['ce', 'x'], 2]], [one]]);
    expect((await pending()).map(([id]) => id)).toEqual([two]);
  });

  it('goes on from its cursor', async () => {
    const [one, two] = (await taken(2)) as [string, string];
    await silence(one, two);
    const [cursor, rows] = (await reclaim(1)) as [string, [string][]];
    expect(rows.map(([id]) => id)).toEqual([one]);
    expect(cursor).toBe(two);
    expect(await reclaim(1, cursor)).toEqual(['0-0', [[two, ['ce', 'x'], 2]], []]);
  });
});

describe('reap', () => {
  const reap = (): Promise<unknown> => run('reap', [STREAM, OTHER, DEAD], [HOUR]);
  const exist = (): Promise<number> => redis.raw.exists(STREAM, OTHER);

  it('1 where there is nothing', async () => {
    expect(await reap()).toBe(1);
  });

  it('0 while one of the two is recent', async () => {
    await add('1-0');
    await redis.raw.xgroup('CREATE', OTHER, 'g', '0', 'MKSTREAM');
    await add('*', OTHER);
    await read('c1', 1, OTHER);
    await redis.raw.xack(OTHER, 'g', (await ids(OTHER))[0] ?? '');
    expect(await reap()).toBe(0);
    expect(await exist()).toBe(2);
  });

  it.each([STREAM, OTHER])('%s: 0 while unread or pending, 1 when read and settled', async (key) => {
    await redis.raw.xgroup('CREATE', key, 'g', '0', 'MKSTREAM');
    await add('1-0', key);
    expect(await reap()).toBe(0);
    await read('c1', 1, key);
    expect(await reap()).toBe(0);
    await redis.raw.xack(key, 'g', '1-0');
    expect(await reap()).toBe(1);
    expect(await exist()).toBe(0);
  });

  it('0 while there is a dead letter; without any, what is left of its stream goes too', async () => {
    await add('1-0');
    const letter = await add('*', DEAD);
    expect(await reap()).toBe(0);
    await redis.raw.xdel(DEAD, letter);
    expect(await reap()).toBe(1);
    expect(await redis.raw.exists(STREAM, DEAD)).toBe(0);
  });

  it('a log without groups goes, an anycast stream without groups is still owed', async () => {
    await add('1-0');
    expect(await reap()).toBe(1);
    await add('1-0', OTHER);
    expect(await reap()).toBe(0);
    expect(await exist()).toBe(1);
  });
});

describe('trim', () => {
  const trim = (...ignored: string[]): Promise<unknown> => run('trim', [STREAM], [HOUR, ...ignored]);
  const old = ['1-0', '2-0', '3-0'];
  let recent: string;

  beforeEach(async () => {
    await redis.raw.xgroup('CREATE', STREAM, 'g', '0', 'MKSTREAM');
    for (const id of old) await add(id);
    recent = await add();
  });

  it('0 where there is no stream', async () => {
    await redis.raw.del(STREAM);
    expect(await trim()).toBe(0);
    expect(await redis.raw.exists(STREAM)).toBe(0);
  });

  it('keeps what is unread or pending, however old', async () => {
    expect(await trim()).toBe(0);
    await read('c1');
    expect(await trim()).toBe(0);
    await redis.raw.xack(STREAM, 'g', '1-0', '3-0');
    expect(await trim()).toBe(1);
    expect(await ids(STREAM)).toEqual(['2-0', '3-0', recent]);
  });

  it('drops what is settled and past the retention, nothing else', async () => {
    await read('c1');
    await redis.raw.xack(STREAM, 'g', ...old, recent);
    expect(await trim()).toBe(3);
    expect(await ids(STREAM)).toEqual([recent]);
    expect(await trim()).toBe(0);
  });

  it('a group that nobody declares any more does not hold it', async () => {
    await redis.raw.xgroup('CREATE', STREAM, 'away', '0');
    await read('c1');
    await redis.raw.xack(STREAM, 'g', ...old, recent);
    expect(await trim()).toBe(0);
    expect(await trim('away')).toBe(3);
  });
});

describe('leaveGroup', () => {
  const leave = (): Promise<unknown> => run('leaveGroup', [STREAM], ['g', 'c1']);
  const consumers = async (): Promise<number> =>
    ((await redis.raw.xinfo('CONSUMERS', STREAM, 'g')) as unknown[]).length;

  it('0 while something is pending, 1 when nothing is', async () => {
    const [one] = (await taken(1)) as [string];
    expect(await leave()).toBe(0);
    expect(await consumers()).toBe(1);
    expect((await pending()).map(([id]) => id)).toEqual([one]);
    await redis.raw.xack(STREAM, 'g', one);
    expect(await leave()).toBe(1);
    expect(await consumers()).toBe(0);
  });

  it('0 where there is no stream or no group', async () => {
    expect(await leave()).toBe(0);
    await add();
    expect(await leave()).toBe(0);
  });
});

describe('types and declarations', () => {
  const KEYS = ['{m}:types', '{m}:last', '{m}:groups'];
  const register = (type: string): Promise<unknown> => run('registerType', KEYS, [type, 'news']);
  const declare = (what: string, start = 'new'): Promise<unknown> => run('declareGroup', KEYS, [what, start, 'news']);

  it('registerType: a growing number, new once', async () => {
    expect(await register('a')).toEqual([1, 1, []]);
    expect(await register('b')).toEqual([2, 1, []]);
    expect(await register('a')).toEqual([1, 0, []]);
    expect(await redis.raw.hgetall('{m}:types')).toEqual({ a: '1', b: '2' });
    expect(await redis.raw.get('{m}:last')).toBe('2');
    expect(await heard()).toEqual(['type a', 'type b']);
  });

  it('declareGroup: notes the last number and the start, fresh once', async () => {
    const first = (await declare('g a.*')) as [string, number, string[]];
    expect(first).toEqual([expect.stringMatching(/^0 \d{13} new$/), 1, []]);
    await register('a.b');
    // The second declaration changes nothing, whatever it asks for.
    expect(await declare('g a.*', 'earliest')).toEqual([first[0], 0, ['a.b', '1']]);
    expect(await declare('g b', 'earliest')).toEqual([expect.stringMatching(/^1 \d{13} earliest$/), 1, ['a.b', '1']]);
    expect(await register('a.c')).toEqual([2, 1, expect.arrayContaining(['g a.*', first[0], 'g b'])]);
    expect(await heard()).toEqual(['group g a.*', 'type a.b', 'group g b', 'type a.c']);
  });
});

describe('who is alive', () => {
  const [INSTANCES, BEATS, GROUPS] = ['{m}:instances', '{m}:beats', '{m}:groups:beats'] as const;
  const ms: unknown = expect.stringMatching(/^\d{13}$/);
  const beat = (instance: string, token: string, json = '{}', ...groups: string[]): Promise<unknown> =>
    run('beat', [INSTANCES, BEATS, GROUPS], [instance, token, `${token} ${json}`, HOUR, 'news', ...groups]);
  const members = (): Promise<unknown> => run('members', [INSTANCES, BEATS], [HOUR]);
  const forget = (instance: string, token: string): Promise<unknown> =>
    run('forget', [INSTANCES, BEATS], [instance, token, HOUR, 'news']);

  it('beat: OK, and whether it had been off the list; news only when the description changes', async () => {
    expect(await beat('i', 't', '{}', 'g', 'h')).toEqual(['OK', ms, 1]);
    expect(await beat('i', 't')).toEqual(['OK', ms, 0]);
    expect(await heard()).toEqual(['member i']);
    expect(await beat('i', 't', '{"a":1}')).toEqual(['OK', ms, 0]);
    expect(await heard()).toEqual(['member i']);
    expect(await redis.raw.hget(INSTANCES, 'i')).toBe('t {"a":1}');
    expect(await redis.raw.zrange(GROUPS, '0', '-1')).toEqual(['g', 'h']);
  });

  it('beat: TAKEN while the holder is alive, also for a token that begins alike; then it is the next one', async () => {
    await beat('i', 'token');
    for (const other of ['t', 'other', 'token2'])
      expect(await beat('i', other)).toEqual(['TAKEN', expect.stringMatching(/^\d+$/)]);
    expect(await redis.raw.hget(INSTANCES, 'i')).toBe('token {}');
    await age(BEATS, 'i');
    expect(await beat('i', 'other')).toEqual(['OK', ms, 1]);
    expect(await beat('i', 'token')).toEqual(['TAKEN', expect.stringMatching(/^\d+$/)]);
  });

  it('members: the living with what they say, the dead by name', async () => {
    expect(await members()).toEqual([ms, [], []]);
    await beat('a', 'ta', '{"n":1}');
    await beat('b', 'tb');
    await beat('c', 'tc');
    await age(BEATS, 'b');
    await redis.raw.hdel(INSTANCES, 'c');
    expect(await members()).toEqual([ms, ['a', 'ta {"n":1}'], ['b']]);
  });

  it('forget: itself by its token, never under that of another', async () => {
    await beat('i', 't');
    await heard();
    expect(await forget('i', 'other')).toBe(0);
    expect(await heard()).toEqual([]);
    expect(await forget('i', 't')).toBe(1);
    expect(await heard()).toEqual(['member i']);
    expect(await redis.raw.exists(INSTANCES, BEATS)).toBe(0);
    expect(await forget('i', 't')).toBe(1);
  });

  it('forget: without a token the dead only', async () => {
    await beat('i', 't');
    expect(await forget('i', '')).toBe(0);
    expect(await redis.raw.hexists(INSTANCES, 'i')).toBe(1);
    await age(BEATS, 'i');
    expect(await forget('i', '')).toBe(1);
    expect(await redis.raw.exists(INSTANCES, BEATS)).toBe(0);
  });
});

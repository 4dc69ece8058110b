import { describe, expect, it } from '@jest/globals';
import { bareScripts } from './bare-scripts.js';

/** What the scripts of retries, replays and dead letters answer, called by themselves. */

const redis = bareScripts();
const { run, heard } = redis;

const [LOG, DEAD, REDO, WAIT, SOLO] = ['{s}:log', '{s}:dead', '{s}:redo', '{s}:wait', '{s}:solo'] as const;
const HOUR = 3_600_000;

type Row = [reason: string, handler: string, attempts: number, error: string, stack: string];
type Retry = [handler: string, delay: number, attempt: number, failures: number, since: number | '', same?: 1];
interface Settling {
  readonly stream?: string;
  readonly consumer?: string;
  readonly origin?: string;
  readonly operation?: string;
  readonly body?: [ce: string, data: string];
  readonly deaths?: number;
  readonly letters?: Row[];
  readonly retries?: Retry[];
}

const FAILED: Row = ['handler-failed', 'h', 3, 'boom', 'at x'];

function settle(id: string, options: Settling = {}): Promise<unknown> {
  const { stream = LOG, consumer = 'c1', origin = id, operation = '', body = ['', ''] } = options;
  const { letters = [], retries = [], deaths = 0 } = options;
  const args = [
    'g',
    consumer,
    id,
    origin,
    'people',
    'broadcast',
    operation,
    'news',
    'rr g 0',
    ...body,
    deaths,
    4,
    letters.length,
  ];
  return run(
    'settle',
    [stream, DEAD, REDO, WAIT, SOLO],
    [
      ...args,
      ...letters.flat(),
      ...retries.flatMap(([handler, delay, attempt, failures, since, same = 0]) => [
        ...[handler, delay, attempt, failures, since, same],
      ]),
    ],
  );
}

const promote = (most = 200): Promise<unknown> => run('promote', [WAIT, REDO], ['g', most, 'news', 'rr g 1']);
const replay = (id: string): Promise<unknown> => run('replay', [DEAD, REDO], [id, 'op-1', 'g', 'news', 'rr g 2']);

/** An entry that is pending for c1. */
async function taken(fields: readonly (string | Buffer)[] = ['ce', 'x'], key: string = LOG): Promise<string> {
  await redis.raw.xgroup('CREATE', key, 'g', '0', 'MKSTREAM').catch(() => undefined);
  const id = (await redis.raw.xadd(key, '*', ...fields)) ?? '';
  await redis.raw.xreadgroup('GROUP', 'g', 'c1', 'COUNT', 1, 'STREAMS', key, '>');
  return id;
}

async function pending(key: string = LOG): Promise<number> {
  return ((await redis.raw.xpending(key, 'g')) as [number])[0];
}

async function entries(key: string): Promise<string[][]> {
  return (await redis.raw.xrange(key, '-', '+')).map(([, fields]) => fields);
}

function record(fields: readonly string[] | undefined): Record<string, string> {
  const rows = (fields ?? []).flatMap((name, at) => (at % 2 === 0 ? [[name, fields?.[at + 1] ?? '']] : []));
  return Object.fromEntries(rows) as Record<string, string>;
}

/** What the redeliveries say of themselves. */
async function marks(): Promise<unknown[]> {
  return (await entries(REDO)).map((fields) => {
    expect(fields[0]).toBe('re');
    return JSON.parse(fields[1] ?? '') as unknown;
  });
}

const MS: unknown = expect.any(Number);
const BYTES = Buffer.from([0, 255, 254, 10, 13, 128]);

describe('settle', () => {
  it('a dead letter: a copy for each row, byte for byte; the entry is settled', async () => {
    const id = await taken(['ce', 'x', 'bin', BYTES]);
    const other: Row = ['rejected', '', 1, 'no', ''];
    expect(await settle(id, { letters: [FAILED, other] })).toEqual(['OK', '']);
    const [one, two] = (await entries(DEAD)).map(record);
    expect(one).toMatchObject({
      entry: id,
      group: 'people',
      mode: 'broadcast',
      reason: 'handler-failed',
      handler: 'h',
    });
    expect(one).toMatchObject({ attempts: '3', error: 'boom', stack: 'at x', operation: '', ce: 'x' });
    expect(one?.['at']).toMatch(/^\d{13}$/);
    expect(two).toMatchObject({ entry: id, reason: 'rejected', handler: '', error: 'no' });
    const [[, fields] = []] = await redis.raw.xrangeBuffer(DEAD, '-', '+');
    expect(fields?.at(-1)).toEqual(BYTES);
    expect(await pending()).toBe(0);
    expect(await redis.raw.xlen(LOG)).toBe(1);
    expect(await heard()).toEqual([]);
  });

  it('a retry at once: in the redelivery stream, with its group, and a wake-up', async () => {
    const id = await taken(['ce', 'x', 'bin', BYTES]);
    expect(await settle(id, { retries: [['h', 0, 2, 1, '']] })).toEqual(['OK', '']);
    expect(await marks()).toEqual([['h', 2, 1, MS, id, '', 'broadcast', 0, 0]]);
    const [[, fields] = []] = await redis.raw.xrangeBuffer(REDO, '-', '+');
    expect(fields?.slice(2)).toEqual([Buffer.from('ce'), Buffer.from('x'), Buffer.from('bin'), BYTES]);
    expect(await redis.raw.xreadgroup('GROUP', 'g', 'c1', 'COUNT', 9, 'STREAMS', REDO, '>')).toHaveLength(1);
    expect(await pending()).toBe(0);
    expect(await heard()).toEqual(['rr g 0']);
  });

  it('retries that wait: by when they are due, each one a row however alike; nobody is woken', async () => {
    const id = await taken(['ce', 'x', 'bin', BYTES]);
    const row: Retry = ['h', HOUR, 2, 1, ''];
    const reply = (await settle(id, { retries: [row, row, ['i', 2 * HOUR, 3, 2, 7]] })) as [string, string];
    expect(reply).toEqual(['OK', String(HOUR)]);
    expect(await redis.raw.zcard(WAIT)).toBe(3);
    expect(await redis.raw.exists(REDO)).toBe(0);
    expect(await pending()).toBe(0);
    expect(await heard()).toEqual([]);
    // Since when it waits for its handler: from when it is due, unless it has been said.
    for (const member of await redis.raw.zrangeBuffer(WAIT, '0', '-1')) await redis.raw.zadd(WAIT, 1, member);
    expect(await promote()).toEqual([3, '', 3]);
    const sinces = ((await marks()) as [string, number, number, number][]).map(([handler, , , since]) => [
      handler,
      since === 7 ? 7 : since > Date.now() + HOUR / 2,
    ]);
    expect(sinces.sort()).toEqual([
      ['h', true],
      ['h', true],
      ['i', 7],
    ]);
  });

  it('a redelivery: its own mark is taken off, the origin and the operation go on; it is deleted', async () => {
    const id = await taken(['re', '["h",2,1,5,"1-1","op","broadcast"]', 'ce', 'x'], REDO);
    const options = { stream: REDO, origin: '1-1', operation: 'op', letters: [FAILED] };
    expect(await settle(id, { ...options, retries: [['h', 0, 3, 2, '']] })).toEqual(['OK', '']);
    const [letter] = (await entries(DEAD)).map(record);
    expect(letter).toMatchObject({ entry: '1-1', operation: 'op', ce: 'x' });
    expect(letter).not.toHaveProperty('re');
    expect(await marks()).toEqual([['h', 3, 2, MS, '1-1', 'op', 'broadcast', 0, 0]]);
    expect((await entries(REDO))[0]?.slice(2)).toEqual(['ce', 'x']);
  });

  it("a foreign entry's own field 're' stays", async () => {
    const id = await taken(['re', 'mine']);
    await settle(id, { retries: [['h', 0, 2, 1, '']] });
    expect((await entries(REDO))[0]?.slice(2)).toEqual(['re', 'mine']);
  });

  it("STALE: another's, settled before, unknown, or without the group; nothing happens", async () => {
    const [one, two] = [await taken(), await taken()];
    await redis.raw.xack(LOG, 'g', two);
    const left: Settling = { letters: [FAILED], retries: [['h', 0, 2, 1, '']] };
    expect(await settle(one, { ...left, consumer: 'c2' })).toEqual(['STALE', '']);
    expect(await settle(two, left)).toEqual(['STALE', '']);
    expect(await settle('1-1', left)).toEqual(['STALE', '']);
    await redis.raw.xgroup('DESTROY', LOG, 'g');
    expect(await settle(one, left)).toEqual(['STALE', '']);
    expect(await redis.raw.exists(DEAD, REDO, WAIT)).toBe(0);
  });

  it('BIG: nothing is done', async () => {
    const id = await taken(Array.from({ length: 7_002 }, (_, at) => String(at)));
    expect(await settle(id, { letters: [FAILED] })).toEqual(['BIG', '']);
    expect(await pending()).toBe(1);
    expect(await redis.raw.exists(DEAD)).toBe(0);
  });

  it('as many fields as it can', async () => {
    const id = await taken(Array.from({ length: 7_000 }, (_, at) => String(at)));
    expect(await settle(id, { letters: [FAILED], retries: [['h', HOUR, 2, 1, '']] })).toEqual([
      'OK',
      expect.any(String),
    ]);
    await redis.raw.zadd(WAIT, 1, (await redis.raw.zrangeBuffer(WAIT, '0', '0'))[0] ?? '');
    expect(await promote()).toEqual([1, '', 1]);
    expect(await replay((await redis.raw.xrange(DEAD, '-', '+'))[0]?.[0] ?? '')).toBe(1);
    expect((await entries(REDO)).map((fields) => fields.length)).toEqual([7_002, 7_002]);
  });

  it('LOST: the body is gone, and nothing is done; with the body given it is as if it were there', async () => {
    const id = await taken();
    await redis.raw.xdel(LOG, id);
    expect(await settle(id, { letters: [FAILED] })).toEqual(['LOST', '']);
    expect(await pending()).toBe(1);
    expect(await settle(id, { letters: [FAILED], body: ['c', 'd'] })).toEqual(['OK', '']);
    expect((await entries(DEAD)).map(record)).toEqual([expect.objectContaining({ entry: id, ce: 'c', data: 'd' })]);
    expect(await pending()).toBe(0);
  });
});

describe('settle and deaths', () => {
  it('the same attempt keeps them, with those while it was alone; a new one has none', async () => {
    const retries: Retry[] = [
      ['same', 0, 2, 1, '', 1],
      ['new', 0, 3, 2, ''],
    ];
    // Not noted here: as many as it came with. Noted: as often as a death followed.
    await settle(await taken(), { deaths: 5, retries });
    for (const note of ['2 5', '2 4']) {
      const id = await taken();
      await redis.raw.hset(SOLO, id, note);
      await settle(id, { deaths: 5, retries });
    }
    const counts = ((await marks()) as unknown[][]).map(([handler, , , , , , , deaths, alone]) => [
      handler,
      deaths,
      alone,
    ]);
    expect(counts).toEqual([4, 1, 2].flatMap((alone) => [['same', 5, alone], ['new', 0, 0]])); // prettier-ignore
    expect(await redis.raw.exists(SOLO)).toBe(0);
  });
});

describe('finish', () => {
  it('redeliveries are acknowledged and deleted, late or not; entries stay; notes go', async () => {
    const [one, two] = [await taken(['re', '[]'], REDO), await taken()];
    await redis.raw.hset(SOLO, `r${one}`, '1 2', two, '1 2', 'other', '1 2');
    await redis.raw.xclaim(REDO, 'g', 'c2', 0, one);
    expect(await run('finish', [REDO, SOLO], ['g', 'r', one, '1-1'])).toBe(1);
    expect(await run('finish', [LOG, SOLO], ['g', '', two])).toBe(1);
    expect([await redis.raw.xlen(REDO), await redis.raw.xlen(LOG)]).toEqual([0, 1]);
    expect(await redis.raw.hkeys(SOLO)).toEqual(['other']);
    expect(await run('finish', ['{s}:none', SOLO], ['g', 'r', '1-1'])).toBe(0);
  });
});

describe('alone', () => {
  const alone = (deaths: number): Promise<unknown> => run('alone', [SOLO], ['1-1', deaths, HOUR, 0]);

  it('counts one for each number of deaths, twice is once, and is kept', async () => {
    expect([await alone(2), await alone(2), await alone(3), await alone(3), await alone(5)]).toEqual([0, 0, 1, 1, 2]);
    expect(await redis.raw.pttl(SOLO)).toBeGreaterThan(HOUR / 2);
  });
});

describe('promote', () => {
  it('nothing there', async () => {
    expect(await promote()).toEqual([0, '', 0]);
    expect(await redis.raw.exists(REDO, WAIT)).toBe(0);
    expect(await heard()).toEqual([]);
  });

  it('moves what is due, the oldest first, as many as asked for; says when the next is', async () => {
    for (const [at, handler] of ['c', 'b', 'a', 'd'].entries()) {
      await settle(await taken(), { retries: [[handler, HOUR, 2, 1, '']] });
      // Each is due before those that were stored before it; the last one stays where it is.
      const newest = (await redis.raw.zrevrangeBuffer(WAIT, 0, 0))[0] ?? '';
      if (handler !== 'd') await redis.raw.zadd(WAIT, 9 - at, newest);
    }
    expect(await promote(2)).toEqual([2, '0', 2]);
    const [moved, wait, length] = (await promote()) as [number, string, number];
    expect([moved, length]).toEqual([1, 3]);
    expect(Number(wait)).toBeGreaterThan(HOUR - 5_000);
    expect(((await marks()) as string[][]).map(([handler]) => handler)).toEqual(['a', 'b', 'c']);
    expect(await heard()).toEqual(['rr g 1', 'rr g 1']);
  });

  it('a row that cannot be read does not keep the others waiting, and is not gone', async () => {
    await redis.raw.zadd(WAIT, 1, 'garbage', 2, BYTES);
    expect(await promote()).toEqual([2, '', 2]);
    expect((await entries(REDO)).map((fields) => fields.slice(0, 3))).toEqual([
      ['re', '[]', 'ce'],
      ['re', '[]', 'ce'],
    ]);
  });
});

describe('replay', () => {
  it('1: from the letter to the redeliveries, with attempts from one; 0 when it is gone', async () => {
    const id = await taken(['ce', 'x', 'at', '1', 'bin', BYTES]);
    await settle(id, { letters: [FAILED] });
    const [[letter] = ['']] = await redis.raw.xrange(DEAD, '-', '+');
    expect(await replay(letter)).toBe(1);
    expect(await marks()).toEqual([['h', 1, 0, MS, id, 'op-1', 'broadcast', 0, 0]]);
    const [[, fields] = []] = await redis.raw.xrangeBuffer(REDO, '-', '+');
    expect(fields?.slice(2).map(String)).toEqual(['ce', 'x', 'at', '1', 'bin', String(BYTES)]);
    expect(fields?.at(-1)).toEqual(BYTES);
    expect(await redis.raw.xlen(DEAD)).toBe(0);
    expect(await replay(letter)).toBe(0);
    expect(await heard()).toEqual(['rr g 2']);
  });

  it('-1: too many fields; the letter stays', async () => {
    const many = Array.from({ length: 7_002 }, (_, at) => String(at));
    const letter = (await redis.raw.xadd(DEAD, '*', 'handler', 'h', 'at', '1', ...many)) ?? '';
    expect(await replay(letter)).toBe(-1);
    expect(await redis.raw.xlen(DEAD)).toBe(1);
  });
});

describe('fileLetters', () => {
  const file = (id: string, ce = '', data = ''): Promise<unknown> =>
    run('fileLetters', [LOG, DEAD], [id, 'broadcast', ce, data, ...FAILED, ...FAILED]);

  it('OK from the log, or from what is given; BIG and LOST do nothing', async () => {
    expect(await file(await taken(['ce', 'log']), 'given')).toBe('OK');
    expect(await file('1-1', 'given', 'd')).toBe('OK');
    expect((await entries(DEAD)).map(record).map(({ ce, data, group }) => [ce, data, group])).toEqual([
      ['log', undefined, ''],
      ['log', undefined, ''],
      ['given', 'd', ''],
      ['given', 'd', ''],
    ]);
    expect(await file('1-1')).toBe('LOST');
    expect(await file(await taken(Array.from({ length: 7_002 }, (_, at) => String(at))))).toBe('BIG');
    expect(await redis.raw.xlen(DEAD)).toBe(4);
  });
});

describe('reapRedo', () => {
  const reap = (): Promise<unknown> => run('reapRedo', [REDO, WAIT, SOLO], []);

  it('0 while something is outstanding; else 1, and nothing is left', async () => {
    await redis.raw.zadd(WAIT, 1, 'x');
    expect(await reap()).toBe(0);
    await promote();
    expect(await reap()).toBe(0);
    await redis.raw.xtrim(REDO, 'MAXLEN', 0);
    await redis.raw.hset(SOLO, 'a', '1 1');
    expect(await reap()).toBe(1);
    expect(await redis.raw.exists(REDO, WAIT, SOLO)).toBe(0);
  });
});

describe('expireUnhandled', () => {
  const expire = (stream: string, kind: string): Promise<unknown> =>
    run('expireUnhandled', [stream, DEAD], ['g', HOUR, 10, HOUR, kind]);

  it('events, read by nobody or by one that is silent; what is recent stays', async () => {
    await redis.raw.xgroup('CREATE', LOG, 'g', '0', 'MKSTREAM');
    await redis.raw.xadd(LOG, '1-0', 're', '["h"]');
    await redis.raw.xreadgroup('GROUP', 'g', 'c1', 'COUNT', 1, 'STREAMS', LOG, '>');
    await redis.raw.xclaim(LOG, 'g', 'c1', 0, '1-0', 'IDLE', 2 * HOUR, 'JUSTID');
    await redis.raw.xadd(LOG, '2-0', 'ce', 'y');
    await redis.raw.xadd(LOG, '*', 'ce', 'z');
    expect(await expire(LOG, '')).toBe(2);
    expect((await entries(DEAD)).map(record)).toEqual([
      expect.objectContaining({
        entry: '1-0',
        reason: 'unhandled',
        handler: '',
        attempts: '0',
        mode: 'anycast',
        re: '["h"]',
      }),
      expect.objectContaining({ entry: '2-0', ce: 'y' }),
    ]);
    expect(await redis.raw.xlen(LOG)).toBe(3);
    expect(await expire(LOG, '')).toBe(0);
  });

  it('redeliveries keep what they say of themselves, and are deleted', async () => {
    await redis.raw.xadd(REDO, '1-0', 're', '["h",3,2,5,"1-9","op","unicast"]', 'ce', 'x');
    await redis.raw.xadd(REDO, '2-0', 'foreign', '[[],[]]');
    expect(await expire(REDO, 'r')).toBe(2);
    expect((await entries(DEAD)).map(record)).toEqual([
      expect.objectContaining({ entry: '1-9', handler: 'h', attempts: '2', operation: 'op', mode: 'unicast', ce: 'x' }),
      expect.objectContaining({ entry: '2-0', foreign: '[[],[]]' }),
    ]);
    expect(await redis.raw.xlen(REDO)).toBe(0);
  });
});

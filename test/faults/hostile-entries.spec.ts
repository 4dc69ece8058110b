import { describe, expect, it } from '@jest/globals';
import { isEventsError, type EventBus, type EventContext } from 'nestjs-cardinal';
import { Lines, numbers, payloads, reaches, refusal, seeded } from './kit.js';
import { oneRedis, settled } from './one-redis.js';

const redis = oneRedis();
const { buses } = redis;
const LOG = 'events:{t:a.b}:log';
const DEAD = 'events:{t:a.b}:dead';

interface Seen {
  readonly payload: unknown;
  readonly context: EventContext;
}

/** A group and a process subscriber of a.b; `good()` publishes an event, and waits until both had it. */
async function listeners(): Promise<{
  bus: EventBus;
  lines: Lines;
  group: Seen[];
  process: Seen[];
  good(tag: string): Promise<void>;
}> {
  const lines = new Lines();
  const bus = await buses.open(redis.url, {}, lines);
  const [group, process]: [Seen[], Seen[]] = [[], []];
  await bus.subscribe('a.b', (payload, context) => void group.push({ payload, context }), { group: 'g', name: 'h' });
  await bus.subscribe('a.b', (payload, context) => void process.push({ payload, context }));
  const good = async (tag: string): Promise<void> => {
    await bus.publish('a.b', { good: tag });
    const has = (seen: Seen[]): number =>
      seen.filter(({ payload }) => (payload as { good?: unknown } | null)?.good === tag).length;
    await reaches(`good event ${tag}`, 2, () => has(group) + has(process));
  };
  return { bus, lines, group, process, good };
}

type Bytes = string | Buffer;

/** The dead letters' copies of the original fields, by id of the entry. */
async function copies(): Promise<Map<string, Buffer[]>> {
  const found = new Map<string, Buffer[]>();
  for (const [, fields] of await redis.raw.xrangeBuffer(DEAD, '-', '+'))
    found.set(fields[1]!.toString(), fields.slice(20));
  return found;
}

/** Writes entries as another program would; resolves with their ids. */
async function write(entries: readonly (readonly Bytes[])[]): Promise<string[]> {
  const ids: string[] = [];
  for (const fields of entries) ids.push((await redis.raw.xadd(LOG, '*', ...fields))!);
  await redis.raw.publish('events:wake:a.b', 'b 0');
  return ids;
}

const unharmed = (): void => {
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(Object.prototype).not.toHaveProperty('polluted');
};

describe('row 17: what is in the log need not be ours', () => {
  const undecodable: [string, Bytes[]][] = [
    ['ce is not JSON', ['ce', '{', 'data', '1']],
    ['ce is empty', ['ce', '', 'data', '1']],
    ['ce is an object', ['ce', '{"id":"x"}', 'data', '1']],
    ['ce is null', ['ce', 'null', 'data', '1']],
    ['ce is a number', ['ce', '42', 'data', '1']],
    ['ce is too short', ['ce', '["id"]', 'data', '1']],
    ['the id is a number', ['ce', '[1,"s","i"]', 'data', '1']],
    ['the id is empty', ['ce', '["","s","i"]', 'data', '1']],
    ['the source is null', ['ce', '["x",null,"i"]', 'data', '1']],
    ['the payload is not JSON', ['ce', '["x","s","i"]', 'data', 'nonsense']],
    ['the payload is half of its JSON', ['ce', '["x","s","i"]', 'data', '{"a":']],
    ['the payload is bytes', ['ce', '["x","s","i"]', 'data', Buffer.from([0xff, 0xfe, 0x00, 0x0a])]],
    ['data alone, not JSON', ['data', 'nonsense']],
    ['CloudEvents whose data is not JSON', ['specversion', '1.0', 'id', 'x', 'source', 's', 'data', 'nonsense']],
    ['deeply nested ce', ['ce', '['.repeat(100_000), 'data', '1']],
    ['deeply nested payload', ['ce', '["x","s","i"]', 'data', '['.repeat(1_000_000)]],
    ['bytes in ce', ['ce', Buffer.from([0x80, 0x81, 0xff]), 'data', '1', Buffer.from([0xc3, 0x28]), Buffer.from([0])]],
  ];

  it('undecodable entries: each a dead letter with its original bytes, what is good between is handled', async () => {
    const { good, group, process } = await listeners();
    await good('first');
    const ids: string[] = [];
    for (const [name, fields] of undecodable) {
      ids.push(...(await write([fields])));
      await good(name);
    }
    await settled(redis.raw, LOG, 'g');
    const found = await copies();
    for (const [index, [name, fields]] of undecodable.entries()) {
      const expected = fields.map((field) => Buffer.from(field));
      expect([name, found.get(ids[index]!)?.map((field) => field.toString('hex').slice(0, 200))]).toEqual([
        name,
        expected.map((field) => field.toString('hex').slice(0, 200)),
      ]);
      expect(found.get(ids[index]!)?.every((field, at) => field.equals(expected[at]!))).toBe(true);
    }
    expect(found.size).toBe(undecodable.length);
    expect(group).toHaveLength(undecodable.length + 1);
    expect(process).toHaveLength(undecodable.length + 1);
  });

  it('odd values in attributes are passed over: the event is handled all the same', async () => {
    const { good, group, process } = await listeners();
    await good('first');
    await write([
      ['ce', '["x","s","i","v",-1,{},[],7,"headers",9]', 'data', '1'],
      ['ce', '["x","s","i",1e99,null,null,null,null,{"a":1,"b":"two","c":null},null,"more"]', 'data', '2'],
      ['ce', '["x","s","i"]'],
      ['a', '1', 'b', '2'],
      ['specversion', '9.9', 'data', '3', 'dataversion', 'x', 'hops', '-5', 'id', ''],
    ]);
    await good('last');
    const plain = (seen: readonly Seen[]): unknown[] => seen.slice(1, -1).map(({ payload }) => payload);
    expect(plain(group)).toEqual([1, 2, undefined, { a: '1', b: '2' }, 3]);
    expect(plain(process)).toEqual(plain(group));
    expect(group[2]!.context.headers).toEqual({ b: 'two' });
    expect(group.every(({ context }) => Number.isSafeInteger(context.version) && typeof context.id === 'string')).toBe(
      true,
    );
    await settled(redis.raw, LOG, 'g');
    expect(await redis.raw.exists(DEAD)).toBe(0);
  });

  it('an entry with thousands of fields that cannot be decoded: a dead letter as well', async () => {
    const { good } = await listeners();
    await good('first');
    const fields = ['ce', '{', ...numbers(9_000).map(String)];
    const [id] = await write([fields]);
    await good('second');
    await settled(redis.raw, LOG, 'g');
    const copy = (await copies()).get(id!);
    expect(copy?.map(String)).toEqual(fields);
  });

  it('__proto__, constructor and prototype as keys of payload, headers, ce, CloudEvents and foreign fields: no pollution', async () => {
    const { good, group, process } = await listeners();
    await good('first');
    const evil =
      '{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}},"prototype":{"polluted":1}}';
    await write([
      ['ce', '["x","s","i"]', 'data', evil],
      ['ce', `["x","s","i",1,0,0,0,0,{"__proto__":"polluted","constructor":"c","polluted2":"x"}]`, 'data', '1'],
      ['ce', `["x","s","i",1,0,0,0,0,${evil}]`, 'data', '1'],
      ['ce', evil, 'data', '1'],
      ['__proto__', '{"polluted":"yes"}', 'constructor', 'x', 'toString', 'y'],
      ['specversion', '1.0', '__proto__', 'polluted', 'constructor', 'x', 'data', evil],
    ]);
    await good('last');
    await settled(redis.raw, LOG, 'g');
    unharmed();
    expect(group).toHaveLength(7);
    expect(process).toHaveLength(7);
    for (const { payload, context } of [...group, ...process]) {
      expect((payload as { polluted?: unknown }).polluted).toBeUndefined();
      expect((context.headers as { polluted?: unknown }).polluted).toBeUndefined();
      expect(Object.getPrototypeOf(context.headers)).toBe(Object.prototype);
    }
    expect(Object.getPrototypeOf(group[1]!.payload)).toBe(Object.prototype);
  });

  it('a payload of 50 MB: publish refuses it; as a raw entry it is handled or a dead letter, and the loop goes on', async () => {
    const { bus, good, group } = await listeners();
    const error = await refusal(bus.publish('a.b', 'x'.repeat(50 << 20)));
    expect(isEventsError(error, 'PAYLOAD_TOO_LARGE')).toBe(true);
    expect(await redis.raw.exists(LOG)).toBe(0);
    await good('first');
    await write([
      ['ce', '["big","s","i"]', 'data', JSON.stringify('x'.repeat(50 << 20))],
      ['ce', '["broken","s","i"]', 'data', '"'.padEnd(50 << 20, 'y')],
    ]);
    await good('last');
    await settled(redis.raw, LOG, 'g');
    const dead = await redis.raw.xlen(DEAD);
    expect(group.filter(({ context }) => context.id === 'big').length + dead).toBe(2);
  });

  it('a million random bytes over many entries and fields: the loop goes on, dead letters hold them byte for byte, nothing is polluted', () =>
    seeded(async ({ below, next }) => {
      const { good, group } = await listeners();
      await good('first');
      const bytes = (size: number): Buffer => Buffer.from(Array.from({ length: size }, () => below(256)));
      const written = new Map<string, Buffer[]>();
      let total = 0;
      for (let round = 0; total < 1_000_000; round += 1) {
        const entries: Buffer[][] = numbers(50).map(() => {
          const ours = next() < 0.7;
          const names = ours ? ['ce', 'data'].slice(0, 1 + below(2)) : [];
          const fields = names.flatMap((name) => [Buffer.from(name), bytes(1 + below(600))]);
          for (let more = below(4) + (ours ? 0 : 1); more > 0; more -= 1)
            fields.push(bytes(1 + below(40)), bytes(below(600)));
          return fields;
        });
        total += entries.flat().reduce((sum, field) => sum + field.length, 0);
        const ids = await write(entries);
        for (const [index, id] of ids.entries()) written.set(id, entries[index]!);
        if (round % 10 === 0) await good(`round ${String(round)}`);
      }
      await good('last');
      await settled(redis.raw, LOG, 'g');
      const found = await copies();
      // Fields of other programs are events; everything with a broken ce is a dead letter.
      for (const [id, fields] of found) {
        const original = written.get(id);
        expect(original?.length).toBe(fields.length);
        expect(fields.every((field, at) => field.equals(original![at]!))).toBe(true);
      }
      const broken = [...written].filter(([, fields]) =>
        fields.some((field, at) => at % 2 === 0 && field.equals(Buffer.from('ce'))),
      );
      expect(broken.filter(([id]) => !found.has(id))).toEqual([]);
      expect(group.length).toBeGreaterThan(written.size - broken.length);
      unharmed();
    }));

  it('a key of the log that is no stream: told, and other types go on', async () => {
    const { lines } = await listeners();
    const bus = await buses.open(redis.url);
    const seen = await payloads(bus, '#', { group: 'all', name: 'h' });
    await redis.raw.set(LOG, 'not a stream');
    const refused = await refusal(bus.publish('a.b', 1));
    expect(isEventsError(refused, 'BACKEND')).toBe(true);
    await bus.publish('other', 2);
    await reaches('events', 1, () => seen.length);
    expect(seen).toEqual([2]);
    await redis.raw.del(LOG);
    await bus.publish('a.b', 3);
    await reaches('events', 2, () => seen.length);
    expect(lines.errors).toEqual([]);
  });

  it('ids of any visible ASCII characters but quote and backslash come as they were given; those are refused', async () => {
    const { bus, group, process, good } = await listeners();
    const ids = ["it's", '<&>', '~!@#$%^&*()', '[1,2]', "']", 'a/b:c'];
    for (const id of ids) await bus.publish('a.b', 1, { id });
    for (const id of ['"quoted"', 'back\\slash', '\\"', '"]', '\\u0041']) {
      await expect(bus.publish('a.b', 1, { id })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    }
    await good('last');
    expect(group.slice(0, -1).map(({ context }) => context.id)).toEqual(ids);
    expect(process.slice(0, -1).map(({ context }) => context.id)).toEqual(ids);
  });
});

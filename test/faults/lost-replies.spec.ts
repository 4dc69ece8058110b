import { describe, expect, it } from '@jest/globals';
import type { EventContext } from 'nestjs-cardinal';
import { command, RedisProxy, type CommandMatch } from '../support/proxy.js';
import { Lines, numbers, payloads, reaches, script, seeded, sorted } from './kit.js';
import { oneRedis, settled } from './one-redis.js';

const redis = oneRedis();
const { buses } = redis;

const idsIn = async (type: string): Promise<string[]> =>
  (await redis.raw.xrange(`events:{t:${type}}:log`, '-', '+')).map(
    ([, fields]) => (JSON.parse(fields[fields.indexOf('ce') + 1]!) as [string])[0],
  );

describe('row 5: the connection is cut after a script ran, before its reply', () => {
  it.each(['reply', 'command'] as const)(
    'publish, %s lost: stored once, in order, and the receipt comes',
    async (lose) => {
      const proxy = await RedisProxy.start(redis.server);
      const bus = await buses.open(proxy.url);
      await bus.publish('a.b', 'first');

      const lost = proxy.loseNext(await script('publish'), lose);
      const receipts = await Promise.all(numbers(20).map((number) => bus.publish('a.b', number)));
      await lost.done;

      const stored = await idsIn('a.b');
      expect(stored).toHaveLength(21);
      expect(stored.slice(1)).toEqual(receipts.map(({ id }) => id));
      expect(receipts.every(({ time }) => Math.abs(time.getTime() - Date.now()) < 60_000)).toBe(true);
    },
  );

  it('the first publish of a type, its reply lost: stored once, and a group that was declared before gets it', async () => {
    const proxy = await RedisProxy.start(redis.server);
    const bus = await buses.open(proxy.url);
    const handled = await payloads(bus, 'new.*', { group: 'g', name: 'h' });
    for (const [index, name] of ['registerType', 'publish'].entries()) {
      const lost = proxy.loseNext(await script(name));
      await bus.publish(`new.type${String(index)}`, index);
      await lost.done;
    }
    await reaches('events', 2, () => handled.length);
    expect(sorted(handled)).toEqual([0, 1]);
    expect(await idsIn('new.type0')).toHaveLength(1);
    expect(await idsIn('new.type1')).toHaveLength(1);
  });

  it.each(['xreadgroup', 'xack'])('%s: every event is handled once, in order', async (name) => {
    const proxy = await RedisProxy.start(redis.server);
    const publisher = await buses.open(redis.url);
    const bus = await buses.open(proxy.url);
    const handled: number[] = [];
    const attempts: number[] = [];
    await bus.subscribe(
      'a.b',
      (payload: number, context: EventContext) => {
        handled.push(payload);
        attempts.push(context.attempt);
      },
      { group: 'g', name: 'h', concurrency: 1 },
    );
    const ROUNDS = 20;
    for (let round = 0; round < ROUNDS; round += 1) {
      const lost = proxy.loseNext(command(name));
      await Promise.all(numbers(30, round * 60).map((number) => publisher.publish('a.b', number)));
      await lost.done;
      await Promise.all(numbers(30, round * 60 + 30).map((number) => publisher.publish('a.b', number)));
      await reaches('events', (round + 1) * 60, () => new Set(handled).size);
    }
    expect(handled).toEqual(numbers(ROUNDS * 60));
    expect(new Set(attempts)).toEqual(new Set([1]));
    await settled(redis.raw, 'events:{t:a.b}:log', 'g');
  });

  it('unicast: the target gets it once', async () => {
    const proxy = await RedisProxy.start(redis.server);
    const publisher = await buses.open(proxy.url);
    const target = await buses.open(redis.url);
    const handled = await payloads(target, 'a.b');
    const lost = proxy.loseNext(await script('send'));
    await publisher.publish('a.b', 1, { target: target.instanceId });
    await lost.done;
    await publisher.publish('a.b', 2, { target: target.instanceId });
    await reaches('events', 2, () => handled.length);
    expect(handled).toEqual([1, 2]);
  });

  it('300 random cuts under 5,000 publishes: nothing doubled, nothing skipped, order kept', () =>
    seeded(async ({ below, next }) => {
      const CUTS = 300;
      const EVENTS = 5_000;
      const types = ['a.b', 'a.c', 'a.d'];
      const [outgoing, incoming] = [await RedisProxy.start(redis.server), await RedisProxy.start(redis.server)];
      const lines = new Lines();
      const publisher = await buses.open(outgoing.url, {}, lines);
      const consumer = await buses.open(incoming.url, { reclaimAfter: '2s' }, lines);
      const group = new Map<string, number[]>();
      const process_ = new Map<string, number[]>();
      const note =
        (into: Map<string, number[]>) =>
        (payload: number, { type }: EventContext) => {
          const seen = into.get(type) ?? [];
          into.set(type, seen);
          seen.push(payload);
        };
      await consumer.subscribe('a.*', note(group), { group: 'g', name: 'h' });
      await consumer.subscribe('a.*', note(process_), { concurrency: 1 });

      const kinds: [RedisProxy, CommandMatch][] = [
        [outgoing, await script('publish')],
        [outgoing, await script('publish')],
        [incoming, command('xreadgroup')],
        [incoming, command('xread')],
        [incoming, command('xack')],
        [incoming, await script('ownPending')],
      ];
      const published = new Map<string, number[]>(types.map((type) => [type, []]));
      const publishes: Promise<unknown>[] = [];
      let number = 0;
      for (let cut = 0; cut < CUTS; cut += 1) {
        const [proxy, match] = kinds[below(kinds.length)]!;
        const lost = proxy.loseNext(match, next() < 0.8 ? 'reply' : 'command');
        // A read of what was lost comes only after a connection was lost.
        if (match === kinds[5]![1]) incoming.cutAll();
        for (const end = Math.floor((EVENTS * (cut + 1)) / CUTS); number < end; number += 1) {
          const type = types[below(types.length)]!;
          published.get(type)!.push(number);
          publishes.push(publisher.publish(type, number));
        }
        await lost.done;
      }
      await Promise.all(publishes);
      const total = (seen: Map<string, number[]>): number =>
        [...seen.values()].reduce((sum, each) => sum + new Set(each).size, 0);
      await reaches('events of the group', EVENTS, () => total(group), 60_000);
      await reaches('events of the process', EVENTS, () => total(process_), 60_000);
      for (const type of types) {
        expect(await redis.raw.xlen(`events:{t:${type}}:log`)).toBe(published.get(type)!.length);
        expect(process_.get(type)).toEqual(published.get(type));
        expect(sorted(new Set(group.get(type)))).toEqual(published.get(type));
      }
      expect(lines.errors).toEqual([]);
    }));
});

import { describe, expect, it } from '@jest/globals';
import type { Delivery } from 'nestjs-cardinal';
import { waitFor } from 'nestjs-cardinal/testing';
import { random } from '../faults/kit.js';
import type { Member } from '../support/members.js';
import { ANY, ANYCAST, GROUP, LOG, T, later, oneType } from './one-type.js';

/** Retries over drivers with connections of their own, without a consumer. */

const { redis, member, publish, outstanding } = oneType();

describe.each([
  { spec: GROUP, key: LOG, name: ':g', mode: 'broadcast' },
  { spec: ANYCAST, key: ANY, name: '', mode: 'anycast' },
])('retries of $spec.kind', ({ spec, key, name, mode }) => {
  it('come when they are due, to one member, for their handler, with the original id and time', async () => {
    const members = [await member(spec), await member(spec)];
    const id = (await redis.raw.xadd(key, '*', 'a', '1')) ?? '';
    await redis.raw.publish('events:wake:a.b', `${mode === 'anycast' ? 'a' : 'b'} 0`);
    const first = await waitFor(() => members.find(({ got }) => got.length > 0));
    const delivery = await first.next();
    expect(delivery).toMatchObject({ attempt: 1, failures: 0, crashes: 0, redelivered: false });
    expect([delivery.handler, delivery.since]).toEqual([undefined, undefined]);
    const began = Date.now();
    await first.ack(delivery, later(300));
    expect(await outstanding(name)).toBe(1);
    const second = await waitFor(() => members.find(({ got }) => got.length > 0));
    const took = Date.now() - began;
    expect(took).toBeGreaterThanOrEqual(295);
    expect(took).toBeLessThan(900);
    const again = await second.next();
    expect(again).toMatchObject({ attempt: 2, failures: 1, crashes: 0, redelivered: true, handler: 'h' });
    expect(again.event).toMatchObject({ id, time: Number.parseInt(id, 10), mode, type: 'a.b' });
    expect(again.event?.payload()).toEqual({ a: '1' });
    expect(again.since).toBeGreaterThanOrEqual(began + 290);
    await second.ack(again);
    expect(await outstanding(name)).toBe(0);
    expect(members.flatMap(({ got }) => got)).toEqual([]);
  });

  it('at once, several of one delivery, and kept since', async () => {
    const one = await member(spec);
    await publish(1, key);
    await one.ack(await one.next(), [...later(0, { since: 7 }), ...later(0, { handler: undefined, attempt: 5 })]);
    const [first, second] = [await one.next(), await one.next()];
    expect([first.handler, first.since, first.attempt]).toEqual(['h', 7, 2]);
    expect([second.handler, second.attempt]).toEqual([undefined, 5]);
    await one.ack(first);
    await one.ack(second);
    expect(await outstanding(name)).toBe(0);
  });

  it('outlive the process that stored them: another takes them within a poll, one that starts anew too', async () => {
    const one = await member(spec);
    await publish(1, key);
    await one.ack(await one.next(), later(600));
    one.driver.crash();
    const two = await member(spec);
    const began = Date.now();
    const again = await two.next();
    expect(again).toMatchObject({ attempt: 2, handler: 'h', crashes: 0 });
    expect(Date.now() - began).toBeLessThan(2_500);
    await two.ack(again);
  });

  it('given back: others have it at once, uncounted', async () => {
    const one = await member(spec);
    await publish(1, key);
    await one.ack(await one.next(), later(0));
    const given = await one.next();
    one.room = 0;
    const two = await member(spec);
    await one.source.settle(given, { kind: 'release' });
    const again = await two.next();
    expect(again).toMatchObject({ attempt: 2, failures: 1, crashes: 0, handler: 'h' });
    await two.ack(again);
    expect(await outstanding(name)).toBe(0);
  });

  it('whose process died come to another, counted; a note of being alone survives, and ends with the delivery', async () => {
    const one = await member(spec, { reclaimAfter: '1s' });
    await publish(1, key);
    await one.ack(await one.next(), later(0));
    const lost = await one.next();
    expect(await one.source.alone(lost)).toBe(0);
    one.driver.crash();
    const two = await member(spec, { reclaimAfter: '1s' });
    const again = await two.next();
    expect(again).toMatchObject({ attempt: 3, failures: 1, crashes: 1, handler: 'h' });
    expect([await two.source.alone(again), await two.source.alone(again)]).toEqual([1, 1]);
    await two.ack(again);
    expect(await redis.raw.exists(`${T}solo${name}`)).toBe(0);
    expect(await outstanding(name)).toBe(0);
  });

  it('handed on without an attempt, it keeps its deaths; a failed attempt begins to count anew', async () => {
    const one = await member(spec, { reclaimAfter: '1s' });
    await publish(1, key);
    expect(await one.source.alone(await one.next())).toBe(0);
    one.driver.crash();
    const two = await member(spec, { reclaimAfter: '1s' });
    const told = async (): Promise<readonly [Delivery, number[]]> => {
      const next = await two.next();
      return [next, [next.attempt, next.failures, next.crashes, await two.source.alone(next)]];
    };
    let [next, said] = await told();
    expect(said).toEqual([2, 0, 1, 1]);
    await two.ack(next, later(1, { attempt: 2, failures: 0 }));
    [next, said] = await told();
    expect(said).toEqual([2, 0, 1, 1]);
    // Given back in order: what was noted does not count.
    await two.source.settle(next, { kind: 'release' });
    [next, said] = await told();
    expect(said).toEqual([2, 0, 1, 1]);
    await two.ack(next, later(1, { attempt: 3, failures: 1 }));
    [next, said] = await told();
    expect(said).toEqual([3, 1, 0, 0]);
    await two.ack(next);
    expect(await redis.raw.exists(`${T}solo${name}`)).toBe(0);
  });

  it('a claim on one that is held is renewed', async () => {
    const one = await member(spec, { reclaimAfter: '1s' });
    const two = await member(spec, { reclaimAfter: '1s' });
    await publish(1, key);
    const first = await waitFor(() => [one, two].find(({ got }) => got.length > 0));
    await first.ack(await first.next(), later(0));
    const second = await waitFor(() => [one, two].find(({ got }) => got.length > 0));
    const held = await second.next();
    const redo = `${T}redo${name}`;
    const group = mode === 'anycast' ? 'anycast' : 'g';
    const idle = async (): Promise<number> =>
      ((await redis.raw.xpending(redo, group, '-', '+', 1)) as [[string, string, number]])[0][2];
    let renewals = 0;
    for (let last = await idle(); renewals < 4;) {
      const now = await waitFor(idle);
      if (now < last) renewals++;
      last = now;
    }
    expect([...one.got, ...two.got]).toEqual([]);
    await second.ack(held);
  });
});

describe('a data loss under a running member', () => {
  it.each([
    ['the redeliveries are deleted', () => redis.raw.del(`${T}redo:g`)],
    ['their group is destroyed', () => redis.raw.xgroup('DESTROY', `${T}redo:g`, 'g')],
    ['everything is deleted', () => redis.raw.flushall()],
  ])('%s: what comes after works', async (_what, lose) => {
    const one = await member(GROUP, { reclaimAfter: '1s' });
    await publish(1);
    await one.ack(await one.next(), later(0));
    const held = await one.next();
    await lose();
    await one.ack(held, later(0));
    await publish(2);
    const fresh = await waitFor(
      () => one.got.find(({ event, handler }) => event?.payload() === 2 && handler === undefined),
      {
        timeout: 10_000,
      },
    );
    one.got.splice(0);
    await one.ack(fresh, later(50));
    const again = await waitFor(() => one.got.find(({ event }) => event?.payload() === 2), { timeout: 10_000 });
    expect(again).toMatchObject({ handler: 'h', attempt: 2 });
    await one.ack(again);
    await waitFor(async () => (await redis.raw.xlen(`${T}redo:g`)) === 0 || one.got.length > 0);
    expect(one.warnings.filter(({ cause }) => cause === 'internal')).toEqual([]);
  });

  it('the group of redeliveries is destroyed: what was not read comes, what is in hand does not come twice', async () => {
    const one = await member();
    await publish(1);
    await one.ack(await one.next(), later(0));
    const held = await one.next();
    await redis.raw.xgroup('DESTROY', `${T}redo:g`, 'g');
    await publish(2);
    await one.ack(await one.next(), later(0, { attempt: 9 }));
    expect(await one.next()).toMatchObject({ attempt: 9 });
    expect(one.got).toEqual([]);
    await one.ack(held);
    expect(await redis.raw.xlen(`${T}redo:g`)).toBe(1);
  });
});

it('where nothing is redelivered, the streams of redeliveries are left alone but for the poll', async () => {
  const one = await member();
  await redis.raw.config('SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '100000');
  await redis.raw.slowlog('RESET');
  const began = performance.now();
  for (let number = 0; number < 100; number++) {
    await publish(number);
    await one.ack(await one.next());
  }
  const took = performance.now() - began;
  const log = (await redis.raw.slowlog('GET', '-1')) as [number, number, number, string[]][];
  await redis.raw.config('SET', 'slowlog-log-slower-than', '-1');
  const reads = log.filter(([, , , args]) => /^xreadgroup$/i.test(args[0] ?? '') && args.includes(LOG));
  const looks = log.filter(([, , , args]) => args.includes(`${T}redo:g`));
  expect(reads.length).toBeGreaterThanOrEqual(100);
  expect(looks.length).toBeLessThanOrEqual(Math.ceil(took / 800));
});

it('random settlements by members that come and go: every event ends once, and nothing is left', async () => {
  const EVENTS = 150;
  const { seed, below } = random();
  const ended = new Map<number, string[]>();
  const members: Member[] = [];
  let running = true;
  const end = (delivery: Delivery, how: string): void => {
    const payload = delivery.event?.payload() as number;
    ended.set(payload, [
      ...(ended.get(payload) ?? []),
      `${how} ${delivery.handler ?? 'first'} ${String(delivery.attempt)}`,
    ]);
  };
  const settle = async (self: Member, delivery: Delivery): Promise<void> => {
    const { handler = 'h', attempt, failures } = delivery;
    const draw = below(10);
    if (draw < 4) {
      await self.ack(delivery);
      end(delivery, 'handled');
    } else if (draw < 8 && failures < 5)
      await self.ack(delivery, [{ handler, delay: below(3) * 20, attempt: attempt + 1, failures: failures + 1 }]);
    else if (draw === 8) await self.source.settle(delivery, { kind: 'release' });
    else {
      await self.fail(delivery);
      end(delivery, 'dead');
    }
  };
  const work = async (self: Member): Promise<void> => {
    while (running) {
      const delivery = self.got.shift();
      if (delivery === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
      else await settle(self, delivery);
    }
  };
  for (let count = 0; count < 3; count++) members.push(await member());
  const working = Promise.all(members.map((self) => work(self)));
  try {
    for (let number = 0; number < EVENTS; number++) await publish(number);
    // One leaves and gives back what it holds, as a consumer does.
    const leaver = await member();
    await waitFor(() => ended.size > EVENTS / 3, { timeout: 15_000 });
    leaver.room = 0;
    await leaver.source.pause();
    for (const delivery of leaver.got.splice(0)) await leaver.source.settle(delivery, { kind: 'release' });
    await leaver.driver.close();
    await waitFor(() => ended.size === EVENTS, { timeout: 15_000 });
    await waitFor(
      async () => (await outstanding()) === 0 && ((await redis.raw.xpending(LOG, 'g')) as [number])[0] === 0,
    );
  } finally {
    running = false;
    await working;
  }
  const twice = [...ended].filter(([, how]) => how.length > 1);
  expect({ seed, twice }).toEqual({ seed, twice: [] });
  const dead = [...ended.values()].filter(([how = '']) => how.startsWith('dead')).length;
  expect(await redis.raw.xlen(`${T}dead`)).toBe(dead);
}, 60_000);

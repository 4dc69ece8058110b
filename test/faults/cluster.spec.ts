import { afterEach, describe, expect, it } from '@jest/globals';
import { isEventsError, type EventBus } from 'nestjs-cardinal';
import { startCluster, startSentinel } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';
import { Buses, Lines, numbers, reaches } from './kit.js';

const buses = new Buses();
/** Those of the running test. */
let servers: { stop(): Promise<void> } | undefined;
afterEach(async () => {
  await buses.close();
  await servers?.stop();
  servers = undefined;
});

/** One type a master, so that each fault hits one of them. */
const TYPES = numbers(12).map((number) => `load.t${String(number)}`);

interface Load {
  readonly resolved: string[];
  readonly rejected: string[];
  readonly others: unknown[];
  stop(): Promise<void>;
}

/** Publishes to all types without pause. */
function load(bus: EventBus): Load {
  const state = { resolved: [] as string[], rejected: [] as string[], others: [] as unknown[] };
  let stopped = false;
  const running = Promise.all(
    TYPES.map(async (type) => {
      for (let number = 0; !stopped; number += 1) {
        const mine = `${type} ${String(number)}`;
        await bus.publish(type, mine).then(
          () => state.resolved.push(mine),
          (error: unknown) =>
            isEventsError(error, 'BACKEND_UNAVAILABLE') ? state.rejected.push(mine) : state.others.push(error),
        );
      }
    }),
  );
  return {
    ...state,
    async stop() {
      stopped = true;
      await within('the last publishes', running, 30_000);
    },
  };
}

interface Seen {
  readonly group: Set<string>;
  readonly process: Set<string>;
}

async function listen(bus: EventBus): Promise<Seen> {
  const seen = { group: new Set<string>(), process: new Set<string>() };
  await bus.subscribe('load.*', (payload: string) => void seen.group.add(payload), { group: 'g', name: 'h' });
  await bus.subscribe('load.*', (payload: string) => void seen.process.add(payload));
  return seen;
}

/** A publisher that publishes already, and who listens to it. */
async function underLoad(url: string): Promise<{ lines: Lines; seen: Seen; running: Load }> {
  const lines = new Lines();
  const [publisher, consumer] = await buses.pair(url, { reclaimAfter: '2s' }, lines);
  const seen = await listen(consumer);
  return { lines, seen, running: load(publisher) };
}

const perType = (lines: readonly string[]): number =>
  Math.min(...TYPES.map((type) => lines.filter((line) => line.startsWith(`${type} `)).length));

/** What resolved after `from` was handled by both. */
async function handled(resolved: readonly string[], seen: Seen): Promise<void> {
  for (const who of ['group', 'process'] as const) {
    await waitUntil(
      `what was published, at the ${who}`,
      () => {
        const missing = resolved.filter((line) => !seen[who].has(line));
        if (missing.length > 0) throw new Error(`${String(missing.length)} missing: ${missing.slice(0, 5).join(', ')}`);
        return true;
      },
      { timeout: 40_000 },
    );
  }
}

describe('row 15: Redis Cluster', () => {
  it('a master is killed under load: publishes reject or succeed, consumers resume, never CROSSSLOT', async () => {
    const cluster = await startCluster({ masters: 3, replicas: 1, nodeTimeout: 1_000 });
    servers = cluster;
    const { lines, seen, running } = await underLoad(cluster.url);
    await reaches('events a type', 50, () => perType(running.resolved));
    await cluster.nodes[0]!.stop('SIGKILL');
    await waitUntil(
      'the replica to take over',
      async () => (await cluster.nodes[3]!.cli('ROLE')).startsWith('master'),
      { timeout: 30_000 },
    );
    await cluster.ready();
    const marks = new Map(TYPES.map((type) => [type, running.resolved.length]));
    const from = Math.max(...marks.values());
    await reaches('events a type after the failover', 50, () => perType(running.resolved.slice(from)));
    await running.stop();
    // Replication is asynchronous: what the dead master had and its replica had not is lost, and only that.
    await handled(running.resolved.slice(from), seen);
    expect(running.others).toEqual([]);
    expect(lines.all.filter((line) => /CROSSSLOT|WRONGTYPE/.test(line))).toEqual([]);
  });

  it('slots are migrated under load: nothing is lost, never CROSSSLOT', async () => {
    const cluster = await startCluster({ masters: 3 });
    servers = cluster;
    const { lines, seen, running } = await underLoad(cluster.url);
    await reaches('events a type', 20, () => perType(running.resolved));
    const nodes = cluster.nodes;
    for (const type of TYPES.slice(0, 6)) {
      const slot = Number(await nodes[0]!.cli('CLUSTER', 'KEYSLOT', `events:{t:${type}}:log`));
      const source = nodes.find((node) => node.slots![0] <= slot && slot <= node.slots![1])!;
      const target = nodes[(nodes.indexOf(source) + 1) % nodes.length]!;
      const before = running.resolved.length;
      await target.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id);
      await source.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
      const keys = (await source.cli('CLUSTER', 'GETKEYSINSLOT', slot, 100)).split('\n').filter((key) => key !== '');
      for (const key of keys) await source.cli('MIGRATE', target.host, target.port, key, 0, 5_000);
      await reaches('events while the slot moves', before + 100, () => running.resolved.length);
      await target.cli('CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
      await source.cli('CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
      for (const node of nodes)
        if (node !== source && node !== target) await node.cli('CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
    }
    const from = running.resolved.length;
    await reaches('events a type after the moves', 20, () => perType(running.resolved.slice(from)));
    await running.stop();
    await handled(running.resolved, seen);
    expect(running.others).toEqual([]);
    expect(running.rejected).toEqual([]);
    expect(lines.all.filter((line) => /CROSSSLOT|WRONGTYPE/.test(line))).toEqual([]);
  });
});

describe('row 15: Sentinel', () => {
  it('the master is killed under load: consumers resume, and what is published after the failover is handled', async () => {
    const sentinel = await startSentinel();
    servers = sentinel;
    const { seen, running } = await underLoad(sentinel.url);
    await reaches('events a type', 50, () => perType(running.resolved));
    await sentinel.master.stop('SIGKILL');
    await waitUntil(
      'the sentinels to name the replica',
      async () => (await sentinel.currentMasterPort()) === sentinel.replica.port,
      { timeout: 30_000 },
    );
    await waitUntil('the replica to take over', async () => (await sentinel.replica.cli('ROLE')).startsWith('master'));
    const from = running.resolved.length;
    await reaches('events a type after the failover', 50, () => perType(running.resolved.slice(from)));
    await running.stop();
    await handled(running.resolved.slice(from), seen);
    expect(running.others).toEqual([]);
  });
});

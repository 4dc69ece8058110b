import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { isEventsError, type EventBus } from 'nestjs-cardinal';
import { startCluster, startRedis, type ClusterHandle, type RedisHandle } from '../support/redis.js';
import { waitUntil, within } from '../support/wait.js';
import { handling, of, ordered, publish, QUICK, streamOf, type Handled, type Produced } from './cards-kit.js';
import { Buses, Lines, numbers, reaches } from './kit.js';

const buses = new Buses();
const cards = numbers(24).map((number) => `card-${String(number)}`);
const connections: Redis[] = [];
let sinkServer: RedisHandle;
let cluster: ClusterHandle;

afterEach(async () => {
  await buses.close();
  for (const each of connections.splice(0)) each.disconnect();
  await cluster.stop();
  await sinkServer.stop('SIGKILL');
});

function connect(url: string): Redis {
  const made = new Redis(url);
  connections.push(made);
  return made;
}

interface Load {
  readonly stored: Map<string, number[]>;
  readonly rejected: string[];
  readonly others: unknown[];
  stop(): Promise<void>;
}

function load(bus: EventBus): Load {
  const state = {
    stored: new Map(cards.map((card) => [card, [] as number[]])),
    rejected: [] as string[],
    others: [] as unknown[],
  };
  let stopped = false;
  const running = Promise.all(
    cards.map(async (card) => {
      for (let number = 0; !stopped; number += 1) {
        await publish(bus, card, [{ number }]).then(
          () => state.stored.get(card)!.push(number),
          (error: unknown) =>
            isEventsError(error, 'BACKEND_UNAVAILABLE') ? state.rejected.push(card) : state.others.push(error),
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

const fewest = ({ stored }: Load): number => Math.min(...[...stored.values()].map((each) => each.length));

interface Setting {
  readonly lines: Lines;
  readonly seen: Handled[];
  readonly publisher: EventBus;
  readonly running: Load;
  readonly sink: Redis;
}

/** A publisher that publishes already, and two processes that handle the cards. */
async function underLoad(): Promise<Setting> {
  sinkServer = await startRedis({ private: true });
  const sink = connect(sinkServer.url);
  const lines = new Lines();
  const publisher = await buses.open(cluster.url, QUICK, lines);
  const seen: Handled[] = [];
  for (const bus of await buses.pair(cluster.url, QUICK, lines)) await handling(bus, sink, {}, undefined, seen);
  return { lines, seen, publisher, running: load(publisher), sink };
}

const wrong = (lines: Lines): string[] =>
  lines.all.filter((line) => /CROSSSLOT|WRONGTYPE|NOSCRIPT|TRYAGAIN/.test(line));

describe('row 15: cards in a Redis Cluster', () => {
  it('a master is killed under load: consumers go on, scripts are sent again, never CROSSSLOT', async () => {
    cluster = await startCluster({ masters: 3, replicas: 1, nodeTimeout: 1_000 });
    const { lines, seen, running } = await underLoad();
    await reaches('events a card', 20, () => fewest(running));
    await cluster.nodes[0]!.stop('SIGKILL');
    await waitUntil(
      'the replica to take over',
      async () => (await cluster.nodes[3]!.cli('ROLE')).startsWith('master'),
      {
        timeout: 30_000,
      },
    );
    await cluster.ready();
    const marks = new Map(cards.map((card) => [card, running.stored.get(card)!.length]));
    const least = Math.max(...marks.values()) + 20;
    await reaches('events a card after the failover', least, () => fewest(running), 60_000);
    await running.stop();
    // Replication is asynchronous: what the dead master had and its replica had not is lost, and only that.
    for (const card of cards) {
      const later = running.stored.get(card)!.slice(marks.get(card));
      await waitUntil(
        `what was published to ${card}`,
        () => {
          const got = new Set(of(card, seen));
          return later.every((number) => got.has(number));
        },
        { timeout: 60_000 },
      );
      const got = of(card, seen).filter((number) => number >= later[0]!);
      expect([...new Set(got)]).toEqual(later);
    }
    expect(running.others).toEqual([]);
    expect(wrong(lines)).toEqual([]);
  });

  it('slots are migrated under load: nothing is lost, everything in order, never CROSSSLOT', async () => {
    cluster = await startCluster({ masters: 3 });
    const { lines, publisher, running, sink } = await underLoad();
    await reaches('events a card', 10, () => fewest(running));
    const { nodes } = cluster;
    for (const card of cards.slice(0, 6)) {
      const slot = Number(await nodes[0]!.cli('CLUSTER', 'KEYSLOT', streamOf(card)));
      const source = nodes.find((node) => node.slots![0] <= slot && slot <= node.slots![1])!;
      const target = nodes[(nodes.indexOf(source) + 1) % nodes.length]!;
      const before = running.stored.get(cards[6]!)!.length;
      await target.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id);
      await source.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
      // Keys come and go meanwhile.
      for (;;) {
        const keys = (await source.cli('CLUSTER', 'GETKEYSINSLOT', slot, 100)).split('\n').filter((key) => key !== '');
        if (keys.length === 0) break;
        for (const key of keys) await source.cli('MIGRATE', target.host, target.port, key, 0, 5_000);
      }
      await reaches(
        'events of another card while the slot moves',
        before + 10,
        () => running.stored.get(cards[6]!)!.length,
      );
      await target.cli('CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
      await source.cli('CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
      for (const node of nodes)
        if (node !== source && node !== target) await node.cli('CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
    }
    const least = Math.max(...[...running.stored.values()].map((each) => each.length)) + 10;
    await reaches('events a card after the moves', least, () => fewest(running), 60_000);
    await running.stop();
    expect(running.others).toEqual([]);
    expect(running.rejected).toEqual([]);
    const produced: Produced = running.stored;
    const masters = nodes.map((node) => connect(node.url));
    await ordered(sink, { bus: publisher, produced, buses: undefined, masters });
    expect(wrong(lines)).toEqual([]);
  });
});

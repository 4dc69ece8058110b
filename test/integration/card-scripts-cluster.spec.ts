import { beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { onCleanup } from '../support/cleanup.js';
import { scripts } from '../support/internals.js';
import { startCluster, type ClusterHandle } from '../support/redis.js';
import { CardScripts, some, type Event, type Handed } from './card-scripts-kit.js';

/** On three masters: index and stream of a card share a slot, so a script may touch both. */

interface CardKeys {
  stream(topic: string, cardId: string): string;
  index(topic: string, tag: string): string[];
  tag(topic: string, cardId: string): string;
  ids(topic: string, tag: string): string;
  publisher(tag: string, publisher: string): string;
}

interface Parts {
  readonly CardKeys: new (prefix: string, tagOf: (stream: string) => string) => CardKeys;
}

interface Tags {
  readonly SlotTags: new () => { tagOf(key: string): string };
}

/** By a path that no tool follows, as in test/support/internals.ts. */
const FOLDER = '../../libs/events/src/drivers/redis/cards';
const NAMES = Array.from({ length: 60 }, (_, index) => `card:${String(index)}é`);

let cluster: ClusterHandle;
let cards: CardScripts;
let tagOf: (stream: string) => string;

beforeAll(async () => {
  cluster = await startCluster();
  const client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })));
  const listener = new Redis(cluster.nodes[0]?.url ?? '');
  onCleanup(async () => {
    await Promise.all([client.quit(), listener.quit()]);
  });
  const { SlotTags } = (await import(`${FOLDER}/slot-tags.js`)) as Tags;
  const tags = new SlotTags();
  tagOf = (stream) => tags.tagOf(stream);
  cards = await new CardScripts(client as unknown as Redis, listener, await scripts(), tagOf).listen();
}, 60_000);

describe('in a Cluster', () => {
  it('all keys of a card are in the slot of its stream', async () => {
    const { CardKeys } = (await import(`${FOLDER}/card-keys.js`)) as Parts;
    const keys = new CardKeys('event_stream:', tagOf);
    const nodes = new Set<number>();
    for (const name of NAMES.slice(0, 20)) {
      const tag = keys.tag('t', name);
      const all = [keys.stream('t', name), ...keys.index('t', tag), keys.ids('t', tag), keys.publisher(tag, 'p|1')];
      expect(all.slice(0, 10)).toEqual([cards.stream(name), ...cards.keys(name)]);
      const slots = await Promise.all(all.map((key) => cards.raw.cluster('KEYSLOT', key)));
      expect(new Set(slots).size).toBe(1);
      nodes.add(Math.floor((slots[0] ?? 0) / (16_384 / 3)));
    }
    expect(nodes.size).toBe(3);
  });

  it('publish, take, acknowledge, claim, fail, replay and drop on every master', async () => {
    const left = await Promise.all(
      NAMES.map(async (name) => {
        const once: Event = { card: name, data: '9', once: 'same' };
        expect((await cards.publish([...some(2, name), once, once]))[0]).toBe('OK');
        const { token, ids } = await cards.hold('one|1', name, 1);
        const next = await cards.ack(name, token, 'next', 1, 0, ids);
        expect(next?.[0]).toBe('OK');
        await cards.ack(name, token, 'release');
        const [, , ...claimed] = await cards.claim('two|2', 10, 10, name);
        expect(claimed).toEqual([name, expect.stringMatching(/^two\|2\|/)]);
        const head = await cards.ack(name, claimed[1] ?? '', 'next', 1);
        const id = (head as Handed)[4][0]?.[0] ?? '';
        expect(await cards.bury(name, claimed[1] ?? '', id, 'yield')).toBe('ENDED');
        const letters = await cards.raw.xrange(cards.key('dead', name), '-', '+');
        expect(await cards.replay(letters[0]?.[0] ?? '', 'op', name)).toBe(1);
        expect(await cards.sweep([name], 1)).toEqual([0, 0]);
        return cards.unregister(name, 'drop', 0);
      }),
    );
    expect(left).toEqual(NAMES.map(() => 2));
  });
});

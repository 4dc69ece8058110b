import type { Redis } from 'ioredis';
import type { CardTopic } from './card-topic.js';
import type { CardHost } from './card-host.js';
import { ForeignConsumers } from './foreign-consumers.js';
import { Repeater } from '../repeater.js';

/** Cards that one call looks at: few enough that no other call waits long. */
const CHUNK = 250;
/** Keys that one SCAN looks at. */
const SCANNED = 1_000;
/** What the scan belongs to, among the processes that take a topic's cards. */
const SCAN = 'scan';

/**
 * Finds what notifications have missed: registered cards with events that nobody was told of, and streams that were never
 * registered. Each card is looked at by the process that would take it; a topic is scanned for by one process.
 */
export class CardSweeps {
  private readonly work: Repeater;
  private readonly foreign: ForeignConsumers;
  private sweeping: Promise<void> | undefined;

  constructor(
    private readonly host: CardHost,
    private readonly topics: ReadonlyMap<string, CardTopic>,
  ) {
    this.foreign = new ForeignConsumers(host);
    this.work = new Repeater(host.clock, (error) => {
      host.readFailed('the sweep of cards', error);
    });
  }

  start(): void {
    const { connection, options } = this.host;
    this.work.every(options.sweep, async () => {
      if (connection.isUp) await this.sweep();
    });
    this.work.every(options.scan, async () => {
      if (connection.isUp) await this.scan(...this.topics.values());
    });
  }

  stop(): void {
    this.work.stop();
  }

  /** Looks at the registered cards; of calls that overlap, one. */
  sweep(): Promise<void> {
    this.sweeping ??= this.sweepAll().finally(() => {
      this.sweeping = undefined;
    });
    return this.sweeping;
  }

  private async sweepAll(): Promise<void> {
    for (const topic of this.topics.values()) {
      if (!topic.isTaking()) continue;
      await this.checkService(topic.topic);
      await topic.openSlots();
      for (const slot of topic.all()) {
        let cursor = '0';
        do {
          const [next, cards] = await slot.registered(cursor);
          const own = cards.filter((cardId) => topic.rivals.rank(cardId) === 0);
          await inChunks(own, (chunk) => topic.sweep(slot, chunk, this.host.options.idleAfter));
          cursor = next;
        } while (cursor !== '0' && topic.isTaking());
      }
    }
  }

  /** Looks for streams of these topics that nobody has registered, as far as this process scans for them. */
  async scan(...wanted: readonly CardTopic[]): Promise<void> {
    const topics = new Map<string, CardTopic>();
    for (const topic of wanted) if (topic.isTaking() && topic.rivals.rank(SCAN) === 0) topics.set(topic.topic, topic);
    if (topics.size === 0) return;
    const { connection, keys } = this.host;
    this.foreign.begin();
    for (const node of masters(connection.commands)) {
      let cursor = '0';
      do {
        const args = ['MATCH', keys.anyStream, 'COUNT', SCANNED, 'TYPE', 'stream'] as const;
        const [next, found] = await node.scan(cursor, ...args);
        await this.found(topics, found);
        cursor = next;
      } while (cursor !== '0');
    }
  }

  private async found(topics: ReadonlyMap<string, CardTopic>, streams: readonly string[]): Promise<void> {
    const bySlot = new Map<ReturnType<CardTopic['slotOf']>, [CardTopic, string[]]>();
    for (const stream of streams) {
      const card = this.host.keys.cardOf(stream);
      const topic = card && topics.get(card.topic);
      if (card === undefined || topic === undefined) continue;
      await this.foreign.look(card);
      const slot = topic.slotOf(card.cardId);
      const row = bySlot.get(slot);
      if (row === undefined) bySlot.set(slot, [topic, [card.cardId]]);
      else row[1].push(card.cardId);
    }
    for (const [slot, [topic, cards]] of bySlot) await inChunks(cards, (chunk) => topic.sweep(slot, chunk, 0));
  }

  /** Says that this service still has the topic, and warns where another has it too. */
  private async checkService(topic: string): Promise<void> {
    const other = await this.host.record.refresh(topic);
    if (other === undefined) return;
    this.host.warn({
      cause: 'cards',
      message: `topic '${topic}' is consumed by the service '${other}' too: its cards are split between the two`,
      details: { topic, service: other },
    });
  }
}

async function inChunks(cards: readonly string[], run: (chunk: readonly string[]) => Promise<void>): Promise<void> {
  for (let start = 0; start < cards.length; start += CHUNK) await run(cards.slice(start, start + CHUNK));
}

function masters(commands: CardHost['connection']['commands']): readonly Redis[] {
  return commands.isCluster
    ? (commands as unknown as { nodes(role: 'master'): Redis[] }).nodes('master')
    : [commands as Redis];
}

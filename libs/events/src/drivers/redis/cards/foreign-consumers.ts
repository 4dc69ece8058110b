import type { CardRef } from '../../../ports/cards.js';
import type { CardHost } from './card-host.js';

/** The one consumer of a card's group, as the scripts name it. */
const CONSUMER = 'o';
/** Streams that one scan looks at: who consumes a topic too does so on most. */
const LOOKS = 200;

/** Finds out whether somebody else reads the streams of cards, and says so once a topic. */
export class ForeignConsumers {
  private readonly told = new Set<string>();
  private looks = 0;

  constructor(private readonly host: CardHost) {}

  /** A scan begins. */
  begin(): void {
    this.looks = LOOKS;
  }

  async look({ topic, cardId }: CardRef): Promise<void> {
    if (this.told.has(topic) || this.looks <= 0) return;
    this.looks--;
    const { keys, warn } = this.host;
    const who = await this.strangers(keys.stream(topic, cardId), keys.group(topic, cardId));
    if (who === undefined) return;
    this.told.add(topic);
    warn({
      cause: 'cards',
      message: `topic '${topic}' has another consumer (${who}, on card '${cardId}'): a topic has one consuming side, and each event goes to one of the two. Publish to the bus to reach both.`,
      details: { topic, cardId },
    });
  }

  /** Who reads the stream beside this library. */
  private async strangers(stream: string, own: string): Promise<string | undefined> {
    const groups = await this.names('GROUPS', stream);
    const group = groups.find((name) => name !== own);
    if (group !== undefined) return `group '${group}'`;
    if (groups.length === 0) return undefined;
    const consumer = (await this.names('CONSUMERS', stream, own)).find((name) => name !== CONSUMER);
    return consumer === undefined ? undefined : `consumer '${consumer}' in its group`;
  }

  private async names(what: 'GROUPS' | 'CONSUMERS', ...args: string[]): Promise<string[]> {
    try {
      const rows = await this.host.connection.run(
        (client) => client.call('XINFO', what, ...args) as Promise<unknown[][]>,
      );
      return rows.map((row) => String(row[row.indexOf('name') + 1]));
    } catch (error) {
      // The stream or its group has gone meanwhile.
      if (error instanceof Error && /^(?:ERR no such key|NOGROUP)/.test(error.message)) return [];
      throw error;
    }
  }
}

import { TopicInUseError } from '../../../core/card-errors.js';
import { GRACE, type Connection } from '../connection.js';
import type { ServerClock } from '../server-clock.js';

/** A service that was not seen for this long has given its topic up, ms. */
const GIVEN_UP = 3_600_000;

/** What is recorded of a topic. */
interface TopicRow {
  readonly service: string;
  /** ms of the server's clock */
  readonly seen: number;
}

/** Which service consumes which topic: one queue has one consuming side. */
export class TopicRecord {
  constructor(
    private readonly connection: Connection,
    private readonly serverClock: ServerClock,
    /** HASH topic → what is recorded of it. */
    private readonly key: string,
    private readonly bus: string,
    private readonly service: string,
  ) {}

  /** Records this service. @throws TopicInUseError when another was seen lately */
  async claim(topic: string): Promise<void> {
    const other = await this.refresh(topic);
    if (other !== undefined) throw new TopicInUseError(topic, other, this.bus);
  }

  /** Says that this service is still there. Gives the other one, where another has the topic. */
  async refresh(topic: string): Promise<string | undefined> {
    const { connection, serverClock, service } = this;
    const now = Math.floor(serverClock.now());
    const row = JSON.stringify({ service, seen: now } satisfies TopicRow);
    // Whoever comes first has it; of two that come at once, too.
    if ((await connection.persist((client) => client.hsetnx(this.key, topic, row), GRACE)) === 1) return undefined;
    const found = readRow(await connection.persist((client) => client.hget(this.key, topic), GRACE));
    if (found !== undefined && found.service !== service && now - found.seen < GIVEN_UP) return found.service;
    await connection.persist((client) => client.hset(this.key, topic, row), GRACE);
    return undefined;
  }

  /** Makes the topic known without a consumer. */
  async note(topic: string): Promise<void> {
    const row = JSON.stringify({ service: '', seen: 0 } satisfies TopicRow);
    await this.connection.persist((client) => client.hsetnx(this.key, topic, row), GRACE);
  }

  /** Topics that were ever consumed, or have letters. */
  async topics(): Promise<readonly string[]> {
    return this.connection.persist((client) => client.hkeys(this.key), GRACE);
  }
}

/** Undefined where a foreign hand has written something else. */
function readRow(text: string | null): TopicRow | undefined {
  try {
    const row = JSON.parse(text ?? 'null') as Partial<TopicRow> | null;
    return typeof row?.service === 'string' && typeof row.seen === 'number' ? (row as TopicRow) : undefined;
  } catch {
    return undefined;
  }
}

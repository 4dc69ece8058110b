import { indexLetters } from './dead-letters.js';
import type { RedisHost } from './redis-host.js';

/** Dead letters of a type; the oldest beyond it are dropped. */
const MOST_LETTERS = 100_000;
/** Letters that may be too many before any are dropped: a drop is a warning, and shall not be one for each letter. */
const SLACK = 1_000;

/** Keeps the dead letters bounded, and the index of types that have some right. */
export class LetterUpkeep {
  private indexed: ReadonlySet<string> = new Set();

  constructor(private readonly host: RedisHost) {}

  /** Reads the index, which may name types that are no longer registered. */
  async begin(): Promise<ReadonlySet<string>> {
    const { connection, keys } = this.host;
    this.indexed = new Set(await connection.run((client) => client.smembers(keys.deadTypes)));
    return this.indexed;
  }

  /** How many letters a type has, after those that are too many have been dropped. */
  async keep(type: string): Promise<number> {
    const count = await this.count(type);
    if (count > 0 && !this.indexed.has(type)) await indexLetters(this.host, type);
    if (count === 0 && this.indexed.has(type)) await this.unlist(type);
    return count > MOST_LETTERS + SLACK ? this.cap(type) : count;
  }

  /** Out of the index first: a letter that is filed meanwhile is found by the second look, or puts the type back. */
  private async unlist(type: string): Promise<void> {
    const { connection, keys } = this.host;
    await connection.run((client) => client.srem(keys.deadTypes, type));
    if ((await this.count(type)) > 0) await indexLetters(this.host, type);
  }

  private async cap(type: string): Promise<number> {
    const { connection, keys, warn } = this.host;
    const dropped = await connection.run((client) => client.xtrim(keys.dead(type), 'MAXLEN', MOST_LETTERS));
    warn({
      cause: 'drop',
      message: `'${type}' had more than ${String(MOST_LETTERS)} dead letters; the ${String(dropped)} oldest were dropped`,
      details: { type, count: dropped },
    });
    return MOST_LETTERS;
  }

  private count(type: string): Promise<number> {
    const { connection, keys } = this.host;
    return connection.run((client) => client.xlen(keys.dead(type)));
  }
}

import type { DeadLetterRow } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import { UnsupportedError } from '../../core/errors.js';
import type { LetterStore, StoredLetter } from '../../ports/stores.js';
import { GRACE } from './connection.js';
import { indexLetters } from './dead-letters.js';
import { ANYCAST_GROUP } from './keys.js';
import { bodyArgs, letterFields, POSITION, readLetter } from './letter.js';
import type { RedisHost } from './redis-host.js';
import { redoWake } from './redelivery.js';

/** Letters that one call removes. */
const CHUNK = 1_000;

/**
 * The dead letters of a bus: a stream a type, positions are its entry ids. Every call rejects with `BackendUnavailableError`
 * when Redis is away for longer than a moment.
 */
export class RedisLetters implements LetterStore {
  private turn = 0;

  /** @param host throws `BusClosedError` before the driver is open and after it is closed */
  constructor(private readonly host: () => RedisHost) {}

  async types(): Promise<readonly string[]> {
    const { connection, keys, types } = this.host();
    const indexed = await connection.persist((client) => client.smembers(keys.deadTypes), GRACE);
    await types.refresh();
    // The index is cleared by sweeps, so it may name more than there are; and who filed one may have died before it named
    // the type, which is then registered still: a type is not reaped while it has letters.
    const all = [...new Set([...indexed, ...types.all()])];
    const counts = await Promise.all(all.map((type) => this.count(type)));
    return all.filter((_, index) => counts[index] !== 0).sort();
  }

  async count(type: string): Promise<number> {
    const { connection, keys } = this.host();
    return connection.persist((client) => client.xlen(keys.dead(type)), GRACE);
  }

  async read(type: string, before: string | undefined, count: number): Promise<readonly StoredLetter[]> {
    const { connection, keys } = this.host();
    if (count <= 0 || (before !== undefined && !POSITION.test(before))) return [];
    const from = before === undefined ? '+' : `(${before}`;
    // Before the first possible id there is nothing, and Redis takes that for an error.
    if (from === '(0-0') return [];
    const rows = await connection.persist(
      (client) => client.xrevrange(keys.dead(type), from, '-', 'COUNT', count),
      GRACE,
    );
    return rows.map(([position, fields]) => readLetter(type, position, fields));
  }

  async get(type: string, position: string): Promise<StoredLetter | undefined> {
    const { connection, keys } = this.host();
    if (!POSITION.test(position)) return undefined;
    const rows = await connection.persist((client) => client.xrange(keys.dead(type), position, position), GRACE);
    return rows.map(([id, fields]) => readLetter(type, id, fields))[0];
  }

  /**
   * Not repeated when the answer is lost: it would say that somebody else was faster.
   * @throws UnsupportedError for an entry of more than 7,000 names and values, which no script can copy
   */
  async replay(type: string, position: string, operation: string): Promise<boolean> {
    const { connection, keys, types } = this.host();
    const letter = await this.get(type, position);
    if (letter === undefined) return false;
    const { group } = letter;
    // A type that was only ever sent to inboxes has no number: nobody with a wildcard would read its redeliveries.
    if (!types.has(type)) await types.register(type);
    const reply = await connection.script('replay', [
      keys.dead(type),
      keys.redo(type, group),
      ...[position, operation, group ?? ANYCAST_GROUP, keys.wake(type), redoWake(group, this.turn++)],
    ]);
    if (reply === -1)
      throw new UnsupportedError(
        `Dead letter ${position} of '${type}' has too many fields to be replayed. Publish its event anew, then remove it.`,
      );
    return reply === 1;
  }

  async remove(type: string, positions: readonly string[]): Promise<number> {
    const { connection, keys } = this.host();
    const ids = positions.filter((position) => POSITION.test(position));
    let removed = 0;
    for (let start = 0; start < ids.length; start += CHUNK) {
      const chunk = ids.slice(start, start + CHUNK);
      removed += await connection.persist((client) => client.xdel(keys.dead(type), ...chunk), GRACE);
    }
    return removed;
  }

  /** May file it twice where the answer is lost. */
  async add(event: EventEnvelope, row: DeadLetterRow): Promise<string> {
    const { connection, keys, types, serverClock } = this.host();
    const { type, mode, time } = event;
    if (!types.has(type)) await types.register(type);
    const [ce, data] = bodyArgs(event);
    const head = letterFields(
      // A request has no place where it is stored; its time is that of the entry.
      {
        entry: `${String(time)}-0`,
        group: '',
        mode: mode === 'request' ? 'anycast' : mode,
        at: Math.floor(serverClock.now()),
      },
      row,
    );
    const fields = [...head, 'ce', ce, ...(data === '' ? [] : ['data', data])];
    const position = await connection.persist((client) => client.xadd(keys.dead(type), '*', ...fields), GRACE);
    await indexLetters({ connection, keys }, type);
    return position ?? '';
  }

  async outstanding(type: string, group: string | undefined): Promise<number> {
    const { connection, keys } = this.host();
    const [moved, waiting] = await Promise.all([
      connection.persist((client) => client.xlen(keys.redo(type, group)), GRACE),
      connection.persist((client) => client.zcard(keys.wait(type, group)), GRACE),
    ]);
    return moved + waiting;
  }
}

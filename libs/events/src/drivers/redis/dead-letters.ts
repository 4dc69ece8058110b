import type { DeadLetterRow } from '../../core/delivery.js';
import { GRACE, type Connection } from './connection.js';
import { bodyArgs, letterFields, rowArgs, type LetterHead } from './letter.js';
import type { RedisHost } from './redis-host.js';
import type { RedisDelivery } from './stream-state.js';

/** Where an entry lies. */
export interface EntryPlace {
  readonly stream: string;
  readonly id: string;
}

/**
 * Copies an entry, byte for byte, to the dead letters of a type, once for each row. May run twice: the copy comes first, so
 * nothing is lost. False when the entry's body is gone.
 */
export async function copyToDeadLetters(
  { connection, keys }: Pick<RedisHost, 'connection' | 'keys'>,
  type: string,
  { stream, id }: EntryPlace,
  rows: readonly DeadLetterRow[],
  head: Omit<LetterHead, 'entry'>,
): Promise<boolean> {
  const found = await connection.run((client) => client.xrangeBuffer(stream, id, id));
  const fields = found[0]?.[1];
  if (fields === undefined) return false;
  for (const row of rows) {
    const letter = [...letterFields({ ...head, entry: id }, row), ...fields];
    await connection.run((client) => client.xadd(keys.dead(type), '*', ...letter));
  }
  await indexLetters({ connection, keys }, type);
  return true;
}

/** Files failures of an entry of the log that is not pending for anybody. May file twice where the answer is lost. */
export async function fileLetters(
  host: RedisHost,
  entry: RedisDelivery,
  rows: readonly DeadLetterRow[],
): Promise<void> {
  const { connection, keys, clock } = host;
  const { type, entryId: id, stream, event } = entry;
  const args = [id, event?.mode ?? 'broadcast', ...bodyArgs(event), ...rows.flatMap(rowArgs)];
  const status = await connection.persistScript('fileLetters', [stream.key, keys.dead(type), ...args]);
  if (status === 'BIG') {
    const head = { group: '', mode: 'broadcast', at: clock.now() } as const;
    await connection.persist(() => copyToDeadLetters(host, type, { stream: stream.key, id }, rows, head));
  } else if (status === 'OK') await indexLetters(host, type);
  // Retention took what could not be read: there is nothing to file.
  if (status !== 'LOST') tellDead(host, entry, rows, '');
}

/**
 * Notes that a type has letters. Where that fails, maintenance finds them: it is no reason for a settlement to fail that is
 * done.
 */
export async function indexLetters(
  { connection, keys }: { readonly connection: Connection; readonly keys: RedisHost['keys'] },
  type: string,
): Promise<void> {
  await connection.persist((client) => client.sadd(keys.deadTypes, type), GRACE).catch(() => undefined);
}

/** Warns of dead letters. `group`: '' = none. */
export function tellDead(
  { warn }: Pick<RedisHost, 'warn'>,
  { type, event, origin }: RedisDelivery,
  rows: readonly DeadLetterRow[],
  group: string,
): void {
  const id = event?.id ?? origin;
  for (const { reason, handler, error } of rows) {
    warn({
      cause: 'dead-letter',
      message: `'${type}' (${id}) is a dead letter: ${reason}: ${error}`,
      details: { type, id, reason, handler, group },
    });
  }
}

import type { DeadLetterRow } from '../../core/delivery.js';
import type { Connection } from './connection.js';

/** Where an entry lies. */
export interface EntryPlace {
  readonly stream: string;
  readonly id: string;
}

/**
 * Copies an entry, byte for byte, to dead letters in another slot, once for each row. May run twice: the copy comes
 * first, so nothing is lost. False when the entry's body is gone.
 */
export async function copyToDeadLetters(
  connection: Connection,
  place: EntryPlace,
  dead: string,
  rows: readonly DeadLetterRow[],
  at: number,
  group = '',
): Promise<boolean> {
  const found = await connection.run((client) => client.xrangeBuffer(place.stream, place.id, place.id));
  const fields = found[0]?.[1];
  if (fields === undefined) return false;
  for (const row of rows) {
    const head = [
      'entry',
      place.id,
      'group',
      group,
      'reason',
      row.reason,
      'handler',
      row.handler ?? '',
      'attempts',
      row.attempts,
      'error',
      row.error,
      'stack',
      row.stack ?? '',
      'at',
      at,
    ];
    await connection.run((client) => client.xadd(dead, '*', ...head, ...fields));
  }
  return true;
}

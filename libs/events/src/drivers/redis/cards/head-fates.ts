import type { DeadLetterRow } from '../../../core/delivery.js';
import type { CardRef } from '../../../ports/cards.js';
import type { Argument } from '../commands.js';
import { bodyArgs, letterFields, rowArgs } from '../letter.js';
import type { CardEntry } from './card-entry.js';
import type { CardHost } from './card-host.js';
import type { HeadFate } from './redis-turn.js';

/** What becomes of a head, as the script takes it. `take`: entries that may follow. */
export function failArgs(head: CardEntry, fate: HeadFate, take: number): Argument[] {
  switch (fate.kind) {
    case 'retry': {
      const { delay, counted, error } = fate.failure;
      return ['retry', Math.max(0, Math.floor(delay)), counted ? 1 : 0, error];
    }
    case 'park':
      return ['park', fate.row.error, fate.row.attempts];
    case 'dead':
      return [
        'dead',
        fate.then,
        take,
        'anycast',
        ...rowArgs(fate.row),
        ...bodyArgs(head.event, head.event?.type !== head.type),
      ];
  }
}

/**
 * Files a copy, byte for byte, of a head that has more fields than a script can copy. May file it twice where the answer is
 * lost: the entry is acknowledged after that, so nothing is lost.
 */
export async function copyLetter(
  { connection, serverClock }: CardHost,
  { stream, dead }: { readonly stream: string; readonly dead: string },
  { cardId }: CardRef,
  { sequence }: CardEntry,
  row: DeadLetterRow,
): Promise<void> {
  const [entry] = await connection.persist((client) => client.xrangeBuffer(stream, sequence, sequence));
  if (entry === undefined) return;
  const head = {
    entry: sequence,
    group: '',
    mode: 'anycast',
    card: cardId,
    at: Math.floor(serverClock.now()),
  } as const;
  const letter = [...letterFields(head, row), ...entry[1]];
  await connection.persist((client) => client.xadd(dead, '*', ...letter));
}

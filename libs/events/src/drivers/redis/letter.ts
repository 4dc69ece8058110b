import type { DeadLetterReason, DeadLetterRow } from '../../core/delivery.js';
import type { EventEnvelope, EventMode } from '../../core/envelope.js';
import type { StoredLetter } from '../../ports/stores.js';
import { packAttributes, readCardEntry, readEntry, type Fields } from './codec.js';
import { readMode } from './redo-mark.js';

/** What a stream id looks like; Redis would take more for one. */
export const POSITION = /^\d{1,20}-\d{1,20}$/;

/** What is said of a letter beside its failure. */
export interface LetterHead {
  /** Id of the entry that the event was published as. */
  readonly entry: string;
  /** '' = none */
  readonly group: string;
  readonly mode: EventMode;
  /** The card whose head it was. */
  readonly card?: string;
  /** ms */
  readonly at: number;
}

/** The fields of a letter before those of the original entry; the scripts write the same. The name `at` ends them. */
export function letterFields(head: LetterHead, row: DeadLetterRow): (string | number)[] {
  const { entry, group, mode, card, at } = head;
  const ofCard = card === undefined ? {} : { card };
  return Object.entries({ entry, group, mode, ...texts(row), operation: '', ...ofCard, at }).flat();
}

/** A row as the scripts take it. */
export function rowArgs(row: DeadLetterRow): (string | number)[] {
  const { reason, handler, attempts, error, stack } = texts(row);
  return [reason, handler, attempts, error, stack];
}

/**
 * What an event is stored as, for scripts: its `ce` and `data`; '' and '' for what could not be read.
 * @param typed it says its type, because the place does not
 */
export function bodyArgs(
  event: EventEnvelope | undefined,
  typed = event?.mode === 'unicast',
): readonly [ce: string, data: string] {
  return event === undefined ? ['', ''] : [packAttributes(event, undefined, typed), event.text ?? ''];
}

/** Reads a letter: what is said of it ends with `at`, what follows is the original entry. */
export function readLetter(type: string, position: string, fields: Fields): StoredLetter {
  const said = new Map<string, string>();
  let next = 0;
  for (let name: string | undefined; next < fields.length && name !== 'at'; next += 2) {
    name = fields[next] ?? '';
    said.set(name, fields[next + 1] ?? '');
  }
  const optional = (name: string): string | undefined => (said.get(name) === '' ? undefined : said.get(name));
  const group = optional('group');
  const cardId = optional('card');
  const entry = said.get('entry') ?? '';
  const mode = readMode(said.get('mode')) ?? (group === undefined ? 'anycast' : 'broadcast');
  let event: EventEnvelope | undefined;
  try {
    const id = POSITION.test(entry) ? entry : position;
    const original = fields.slice(next);
    event = cardId === undefined ? readEntry(type, mode, id, original) : readCardEntry(type, id, original);
    event.payload();
  } catch {
    // It is a dead letter because it cannot be read, perhaps.
    event = undefined;
  }
  return {
    type,
    cardId,
    position,
    at: Number(said.get('at') ?? Number.parseInt(position, 10)),
    reason: (said.get('reason') ?? 'undecodable') as DeadLetterReason,
    handler: optional('handler'),
    group,
    attempts: Number(said.get('attempts') ?? 0),
    error: said.get('error') ?? '',
    stack: optional('stack'),
    operation: optional('operation'),
    event,
  };
}

function texts({ reason, handler = '', attempts, error, stack = '' }: DeadLetterRow): {
  reason: string;
  handler: string;
  attempts: number;
  error: string;
  stack: string;
} {
  return { reason, handler, attempts, error, stack };
}

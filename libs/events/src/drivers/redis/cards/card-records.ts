import { BackendError, InvalidOptionError } from '../../../core/errors.js';
import type { CardPage, CardRecord, CardRef, CardState } from '../../../ports/cards.js';
import type { Argument } from '../commands.js';
import { GRACE } from '../connection.js';
import { readAttempts } from './card-entry.js';
import type { CardHost } from './card-host.js';

/** What `card-inspect.lua` says of a card; times in ms, '' = none. */
type Facts = readonly [
  exists: number,
  events: number,
  handedOver: number,
  token: string,
  leaseEnd: string,
  readySince: string,
  waitsUntil: string,
  activeAt: string,
  attempts: string,
  leaving: number,
  now: string,
];

type Row = Facts | readonly ['ERR', message: string];

/** Where a listing goes on: at which tag, from which cursor of the server, behind which card of that page. */
interface Place {
  readonly tag: string;
  readonly cursor: string;
  readonly after: string;
}

const START: Place = Object.freeze({ tag: '', cursor: '0', after: '' });

/** What the server knows of cards. */
export class CardRecords {
  constructor(private readonly host: () => CardHost) {}

  /** @throws BackendError where the key of the card is no stream */
  async inspect({ topic, cardId }: CardRef): Promise<CardRecord | undefined> {
    const [row] = await this.read(topic, this.host().keys.tag(topic, cardId), [cardId]);
    if (row?.[0] === 'ERR')
      throw new BackendError(`Redis has no events for card '${cardId}' of topic '${topic}': ${row[1]}`);
    return row && recordOf({ topic, cardId }, row);
  }

  /** Registered cards. A page of the server that is larger than `limit` is handed out in parts, in the order of the names. */
  async list(topic: string, from: string | undefined, limit: number): Promise<CardPage> {
    const { connection, keys, tags } = this.host();
    const all = [...(await tags.all(topic))].sort();
    const cards: CardRecord[] = [];
    let place: Place | undefined = from === undefined ? START : readPlace(from);
    while (cards.length < limit && place !== undefined) {
      const { tag: at, cursor, after }: Place = place;
      const tag = all.find((each) => each >= at);
      if (tag === undefined) return { cards, cursor: undefined };
      const registered = keys.registered(topic, tag);
      const [next, rows] = await connection.persist(
        (client) => client.zscan(registered, cursor, 'COUNT', limit),
        GRACE,
      );
      const page = rows.filter((name, index) => index % 2 === 0 && (after === '' || name > after)).sort();
      const part = page.slice(0, limit - cards.length);
      for (const [index, row] of (await this.read(topic, tag, part)).entries()) {
        const record = row[0] === 'ERR' ? undefined : recordOf({ topic, cardId: part[index] ?? '' }, row);
        if (record !== undefined) cards.push(record);
      }
      place = following(all, { tag, cursor, after: part.at(-1) ?? after }, part.length < page.length, next);
    }
    return { cards, cursor: place && writePlace(place) };
  }

  private async read(topic: string, tag: string, cards: readonly string[]): Promise<readonly Row[]> {
    if (cards.length === 0) return [];
    const { connection, keys } = this.host();
    const index = keys.index(topic, tag);
    const streams = cards.map((cardId) => keys.stream(topic, cardId));
    const args: Argument[] = [index.length + cards.length, ...index, ...streams, topic, ...cards];
    return (await connection.persistScript('cardInspect', args, GRACE)) as Row[];
  }
}

/** What comes after a part of a page; undefined: nothing. */
function following(all: readonly string[], place: Place, more: boolean, next: string): Place | undefined {
  if (more) return place;
  if (next !== '0') return { tag: place.tag, cursor: next, after: '' };
  const tag = all.find((each) => each > place.tag);
  return tag === undefined ? undefined : { tag, cursor: '0', after: '' };
}

function recordOf(card: CardRef, facts: Facts): CardRecord | undefined {
  const [exists, length, pending, token, leaseEnd, readySince, waitsUntil, activeAt, attempts, , now] = facts;
  if (exists === 0 && activeAt === '') return undefined;
  const held = token !== '' && Number(leaseEnd || 0) > Number(now);
  const { failures, crashes, lastError } = readAttempts(attempts);
  const state = stateOf(held, waitsUntil, length, readySince);
  const [owner, epoch] = partsOf(token);
  return {
    ...card,
    state,
    length,
    pending,
    owner: held ? owner : undefined,
    fencingToken: held ? epoch : undefined,
    attempts: failures + crashes,
    lastError,
    retryAt: state === 'backoff' ? Number(waitsUntil) : undefined,
    activeAt: activeAt === '' ? 0 : Number(activeAt),
  };
}

function stateOf(held: boolean, waitsUntil: string, length: number, readySince: string): CardState {
  if (held) return 'owned';
  if (waitsUntil !== '') return waitsUntil === 'inf' ? 'parked' : 'backoff';
  return length > 0 || readySince !== '' ? 'ready' : 'idle';
}

/** Reads `<instance>|<incarnation>|<epoch>`. */
function partsOf(token: string): readonly [instance: string, epoch: string] {
  const end = token.lastIndexOf('|');
  return [token.slice(0, token.lastIndexOf('|', end - 1)), token.slice(end + 1)];
}

function writePlace({ tag, cursor, after }: Place): string {
  return Buffer.from(JSON.stringify([tag, cursor, after])).toString('base64url');
}

/** @throws InvalidOptionError for anything else than what `writePlace` gave */
function readPlace(text: string): Place {
  const [tag, cursor, after] = parse(text);
  if (typeof tag !== 'string' || typeof cursor !== 'string' || !/^\d{1,20}$/.test(cursor) || typeof after !== 'string')
    throw new InvalidOptionError('cursor', text, 'the cursor of the page before');
  return { tag, cursor, after };
}

function parse(text: string): readonly unknown[] {
  try {
    const row: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Array.isArray(row) ? (row as unknown[]) : [];
  } catch {
    return [];
  }
}

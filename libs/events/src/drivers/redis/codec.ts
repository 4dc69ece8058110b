import { assertEventType } from '../../core/event-type.js';
import { EventEnvelope, NO_HEADERS, type EventMode } from '../../core/envelope.js';

/** An entry's fields as Redis gives them: name, value, name, value … */
export type Fields = readonly string[];

/** Whether an entry says the type of its event itself: in an inbox always, on a card where the type is not the topic. */
type TypeTold = 'never' | 'sometimes' | 'always';

/**
 * Packs what the key and the entry id do not already say: a JSON array of CloudEvents `id`, `source`, the publishing
 * instance, and, as far as they are set, version, hops, correlation id, causation id, traceparent, headers, and, in an
 * inbox or where a card's event has a type that is not its topic, the type. Specified in docs/wire-protocol.md.
 */
export function packAttributes(
  event: EventEnvelope,
  origin = packOrigin(event),
  // An inbox holds all types, so its entries say theirs.
  typed = event.mode === 'unicast',
): string {
  const head = `["${event.id}",${origin}`;
  const { version, hops, inheritedCorrelationId, causationId, traceparent, headers } = event;
  if (
    !typed &&
    version === 1 &&
    hops === 0 &&
    inheritedCorrelationId === undefined &&
    traceparent === undefined &&
    headers === NO_HEADERS
  )
    return `${head}]`;
  const rest = [version, hops, inheritedCorrelationId ?? 0, causationId ?? 0, traceparent ?? 0];
  const tail = JSON.stringify(
    typed ? [...rest, headers, event.type] : headers === NO_HEADERS ? rest : [...rest, headers],
  );
  return `${head},${tail.slice(1)}`;
}

/** The part that says who published: the same for most events of a process. */
export function packOrigin({ source, sourceInstance }: Pick<EventEnvelope, 'source' | 'sourceInstance'>): string {
  return `${quote(source)},${quote(sourceInstance)}`;
}

const plain = /^[\w.:@/+-]*$/;

function quote(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

/**
 * Reads an entry: packed by this library, with full CloudEvents attribute names (specversion, id, source, …, data), or
 * foreign fields, which become the payload `{name: 'value'}`.
 * @throws Error that says what is wrong
 */
export function readEntry(
  type: string,
  mode: EventMode,
  entryId: string,
  fields: Fields,
  told: TypeTold = mode === 'unicast' ? 'always' : 'never',
): EventEnvelope {
  const time = Number(entryId.slice(0, entryId.indexOf('-')));
  let packed: string | undefined;
  let text: string | undefined;
  let foreign = false;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index];
    if (name === 'ce') packed = fields[index + 1];
    else if (name === 'data') text = fields[index + 1];
    else foreign = true;
  }
  if (packed !== undefined) return unpack(type, mode, time, packed, text, told);
  const map = new Map<string, string>();
  for (let index = 0; index + 1 < fields.length; index += 2) map.set(fields[index] ?? '', fields[index + 1] ?? '');
  if (map.has('specversion')) return readCloudEvent(type, mode, time, entryId, map, told);
  if (told === 'always') throw new Error("an inbox entry without field 'ce' does not say its type");
  if (!foreign && text !== undefined)
    return unpack(type, mode, time, JSON.stringify([entryId, 'foreign', '']), text, told);
  return new EventEnvelope({
    type,
    mode,
    time,
    id: entryId,
    source: 'foreign',
    sourceInstance: '',
    text: JSON.stringify(Object.fromEntries(map)),
  });
}

/** Reads an entry of a card. Its type is the topic, unless it says another. @throws Error that says what is wrong */
export function readCardEntry(topic: string, entryId: string, fields: Fields): EventEnvelope {
  return readEntry(topic, 'anycast', entryId, fields, 'sometimes');
}

/** Reads the usual `["id","source","instance"]` without a parser; undefined for anything else. */
function readShort(packed: string): { id: string; source: string; sourceInstance: string } | undefined {
  const first = packed.indexOf('","');
  const second = packed.indexOf('","', first + 3);
  const end = packed.length - 2;
  if (
    first < 3 ||
    second < 0 ||
    !packed.startsWith('["') ||
    packed.indexOf('"', second + 3) !== end ||
    packed[end + 1] !== ']'
  ) {
    return undefined;
  }
  if (packed.includes('\\')) return undefined;
  return {
    id: packed.slice(2, first),
    source: packed.slice(first + 3, second),
    sourceInstance: packed.slice(second + 3, end),
  };
}

function unpack(
  type: string,
  mode: EventMode,
  time: number,
  packed: string,
  text: string | undefined,
  told: TypeTold,
): EventEnvelope {
  const short = told === 'always' ? undefined : readShort(packed);
  if (short !== undefined) {
    const { id, source, sourceInstance } = short;
    return new EventEnvelope({ type, mode, time, id, source, sourceInstance, text });
  }
  const row: unknown = JSON.parse(packed);
  if (!Array.isArray(row)) throw new Error("field 'ce' is not a JSON array");
  const [id, source, sourceInstance, version, hops, correlationId, causationId, traceparent, headers, typed] =
    row as unknown[];
  if (typeof id !== 'string' || id === '' || typeof source !== 'string' || typeof sourceInstance !== 'string') {
    throw new Error("field 'ce' does not begin with id, source and instance");
  }
  if (told === 'always' || (told === 'sometimes' && typed !== undefined)) {
    assertEventType(typed);
    type = typed;
  }
  if (row.length === 3) return new EventEnvelope({ type, mode, time, id, source, sourceInstance, text });
  return new EventEnvelope({
    type,
    mode,
    time,
    id,
    source,
    sourceInstance,
    text,
    version: wholeNumber(version, 1),
    hops: wholeNumber(hops, 0),
    correlationId: optionalText(correlationId),
    causationId: optionalText(causationId),
    traceparent: optionalText(traceparent),
    headers: readHeaders(headers),
  });
}

function readCloudEvent(
  type: string,
  mode: EventMode,
  time: number,
  entryId: string,
  map: ReadonlyMap<string, string>,
  told: TypeTold,
): EventEnvelope {
  const named = map.get('type');
  if (told === 'always' || (told === 'sometimes' && named !== undefined)) {
    assertEventType(named);
    type = named;
  }
  const data = map.get('data');
  const json = map.get('datacontenttype')?.includes('json') ?? true;
  return new EventEnvelope({
    type,
    mode,
    time,
    id: map.get('id') ?? entryId,
    source: map.get('source') ?? 'foreign',
    sourceInstance: map.get('sourceinstance') ?? '',
    version: wholeNumber(Number(map.get('dataversion') ?? 1), 1),
    hops: wholeNumber(Number(map.get('hops') ?? 0), 0),
    correlationId: map.get('correlationid'),
    causationId: map.get('causationid'),
    traceparent: map.get('traceparent'),
    text: data === undefined || json ? data : JSON.stringify(data),
  });
}

function wholeNumber(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : fallback;
}

function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function readHeaders(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return NO_HEADERS;
  const rows = Object.entries(value).filter(
    (row): row is [string, string] => typeof row[1] === 'string' && row[0] !== '__proto__',
  );
  return Object.freeze(Object.fromEntries(rows));
}

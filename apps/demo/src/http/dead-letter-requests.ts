import { BadRequestException } from '@nestjs/common';
import type { DeadLetterFilter, PageOptions, ReplayOptions } from 'nestjs-cardinal';

/** What a request may say of dead letters. A name that is not known is refused: a misspelt filter would fit them all. */

type Given = Readonly<Record<string, unknown>>;

const FILTER = ['type', 'group', 'handler', 'reason'];
/** One of them there must be: a request whose body is lost on the way must not replay all. */
const SELECTING = ['id', ...FILTER];
const REPLAY = [...SELECTING, 'dryRun', 'limit', 'maxFailures'];

/** @throws BadRequestException */
export function filterOf(given: Given): DeadLetterFilter {
  onlyKnown(given, FILTER);
  for (const [name, value] of Object.entries(given))
    if (typeof value !== 'string') throw new BadRequestException(`${name}: expected one text`);
  return given;
}

/** Of a query, where everything is text. The bus says which numbers it takes. */
export function pageOf(given: Given): PageOptions {
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, Number(value)]])),
  );
}

/** @throws BadRequestException */
export function replayOf(body: unknown): { which: string | DeadLetterFilter; options: ReplayOptions } {
  const given = typeof body === 'object' && !Array.isArray(body) ? (body as Given | null) : null;
  onlyKnown(given ?? {}, REPLAY);
  if (given === null || !SELECTING.some((name) => name in given))
    throw new BadRequestException('Expected {"id": "…"} or a filter, as application/json; all are {"type": "#"}');
  const { id, dryRun = false, limit, maxFailures, ...filter } = given;
  if (typeof dryRun !== 'boolean') throw new BadRequestException('dryRun: expected true or false');
  const options = { dryRun, ...numbers({ limit, maxFailures }) };
  if (id === undefined) return { which: filterOf(filter), options };
  if (typeof id !== 'string' || Object.keys(filter).length > 0)
    throw new BadRequestException('id: expected one text, and no filter beside it');
  return { which: id, options };
}

function numbers(given: Given): { limit?: number; maxFailures?: number } {
  for (const [name, value] of Object.entries(given))
    if (value !== undefined && typeof value !== 'number') throw new BadRequestException(`${name}: expected a number`);
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function onlyKnown(given: Given, known: readonly string[]): void {
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new BadRequestException(`Unknown: ${unknown.join(', ')}. Known: ${known.join(', ')}`);
}

import { InvalidOptionError } from './errors.js';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const TEXT = /^(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d)?$/;

/** What a duration may be, for messages. */
export const DURATION_ACCEPTED =
  "milliseconds as a number from 0, or a number with a unit of ms, s, m, h or d, such as '250ms', '30s', '5m', '1.5h', '2d'";

/**
 * Whole milliseconds of a duration. A number, and text without a unit, are milliseconds. Parts of a millisecond are
 * rounded, but what is more than nothing stays more than nothing. Units are lower case: `M` would be read as a month.
 * @throws InvalidOptionError for everything else, naming `option`
 */
export function parseDuration(value: number | string, option = 'duration'): number {
  const exact = typeof value === 'number' ? value : fromText(value);
  const whole = exact > 0 ? Math.max(1, Math.round(exact)) : exact;
  if (!Number.isSafeInteger(whole) || whole < 0) throw new InvalidOptionError(option, value, DURATION_ACCEPTED);
  return whole + 0;
}

function fromText(text: unknown): number {
  if (typeof text !== 'string') return NaN;
  const match = TEXT.exec(text.trim());
  return match === null ? NaN : Number(match[1]) * (UNITS[match[2] ?? 'ms'] ?? NaN);
}

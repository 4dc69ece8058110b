const HIDDEN = '***';

/** A copy of a JSON value in which the values of hidden keys are `***`. The value itself where nothing is hidden. */
export function redacted(value: unknown, hidden: (key: string) => boolean): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => redacted(item, hidden));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  const entries = Object.entries(value);
  const shown = entries.map(([key, item]): [string, unknown] => [key, hidden(key) ? HIDDEN : redacted(item, hidden)]);
  return shown.some(([, item], index) => item !== entries[index]?.[1]) ? Object.fromEntries(shown) : value;
}

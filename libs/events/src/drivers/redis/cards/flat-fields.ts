/** Names that say how an entry is to be read: a payload that has one is written whole. */
const READ_AS = new Set(['ce', 'data', 'specversion']);

/**
 * A payload as fields of its own, for consumers in other languages: names and values in a row, each as `<bytes>:<text>`.
 * Strings as they are, other values as JSON. What is no object, has no keys or one of those that say how an entry is read,
 * is one field `data` with its JSON.
 */
export function flatFields(text: string | undefined): string {
  const payload: unknown = text === undefined ? null : JSON.parse(text);
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return whole(text);
  const rows = Object.entries(payload);
  if (rows.length === 0 || rows.some(([name]) => READ_AS.has(name))) return whole(text);
  return rows
    .map(([name, value]) => netstring(name) + netstring(typeof value === 'string' ? value : JSON.stringify(value)))
    .join('');
}

function whole(text = 'null'): string {
  return netstring('data') + netstring(text);
}

function netstring(text: string): string {
  return `${String(Buffer.byteLength(text))}:${text}`;
}

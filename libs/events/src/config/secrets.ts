import { describe } from '../core/errors.js';

const HIDDEN = '***';
const SCHEME = /^\s*[a-z][a-z0-9+.-]*:\/\//i;
/** A scheme of ours that lost its slashes: `redis:password`. */
const BROKEN_SCHEME = /^\s*(?:redis|amqp)[a-z+]*:/i;
const HOST = String.raw`(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d*)?`;
const HOSTS = new RegExp(`^${HOST}(?:,${HOST})*(?=[/?#]|$)`, 'i');
const QUERY_VALUE = /([?&][^=&?]*=)[^&]*/g;

/**
 * A URL without its secrets, for messages: what stands between `://` and the last `@` is hidden, and so are the values of
 * the query. It never throws and prefers to hide too much, because what cannot be parsed is most often a URL whose
 * password has a character that should have been percent-encoded. Text that does not look like a URL comes back as it is.
 */
export function maskUrl(url: string): string {
  const scheme = SCHEME.exec(url)?.[0] ?? '';
  const rest = url.slice(scheme.length);
  const at = rest.lastIndexOf('@');
  if (at !== -1) return `${scheme}${HIDDEN}@${hideQuery(rest.slice(at + 1))}`;
  if (scheme !== '') return `${scheme}${rest === '' || HOSTS.test(rest) ? hideQuery(rest) : HIDDEN}`;
  const broken = BROKEN_SCHEME.exec(url)?.[0];
  return broken === undefined ? url : `${broken}${HIDDEN}`;
}

/** What was given, for a message: short, on one line, without secrets. Use it for every value, not only for URLs. */
export function show(value: unknown): string {
  return describe(typeof value === 'string' ? maskUrl(value).replace(/\p{Cc}/gu, '?') : value);
}

function hideQuery(text: string): string {
  return text.replace(QUERY_VALUE, `$1${HIDDEN}`);
}

/** Tells which payload keys are hidden: a list is compared key by key, without regard to case. */
export function redactor(keys: readonly string[] | ((key: string) => boolean) = []): (key: string) => boolean {
  if (typeof keys === 'function') return keys;
  const hidden = new Set(keys.map((key) => key.toLowerCase()));
  return (key) => hidden.has(key.toLowerCase());
}

import { EventsConfigError } from '../../core/errors.js';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What a Redis URL says. */
export interface RedisAddress {
  readonly kind: 'single' | 'cluster' | 'sentinel';
  readonly nodes: readonly HostPort[];
  /** Name of the master, for Sentinel. */
  readonly master?: string;
  readonly db?: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

const URL_SHAPE = /^(rediss?)(?:\+(cluster|sentinel))?:\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?.*)?$/;
const DEFAULT_PORT = { single: 6379, cluster: 6379, sentinel: 26379 };

/**
 * Reads `redis://`, `rediss://`, `redis+cluster://h1:p,h2:p`, `redis+sentinel://h1:p,h2:p/master[/db]`.
 * @throws EventsConfigError that never tells the password
 */
export function parseRedisUrl(url: string): RedisAddress {
  const match = URL_SHAPE.exec(url);
  if (match === null)
    throw new EventsConfigError(['the Redis URL is not of the form redis://[user:password@]host:port[/db]']);
  const [, scheme, mode, auth, hosts = '', path = ''] = match;
  const kind = mode === 'cluster' || mode === 'sentinel' ? mode : 'single';
  const nodes = hosts.split(',').map((text) => hostPort(text, DEFAULT_PORT[kind]));
  const [username, password] = credentials(auth);
  const segments = path.split('/').filter((segment) => segment !== '');
  const master = kind === 'sentinel' ? decodeURIComponent(segments.shift() ?? '') : undefined;
  if (master === '')
    throw new EventsConfigError([
      "a redis+sentinel:// URL ends with the master's name: redis+sentinel://h1:26379/mymaster",
    ]);
  const db = segments[0] === undefined ? undefined : Number(segments[0]);
  if (db !== undefined && !(Number.isSafeInteger(db) && db >= 0))
    throw new EventsConfigError([`the Redis URL names the database '${segments[0] ?? ''}'; accepted: a whole number`]);
  if (kind === 'cluster' && db !== undefined && db !== 0)
    throw new EventsConfigError(['a Redis Cluster has only database 0']);
  return {
    kind,
    nodes,
    tls: scheme === 'rediss',
    ...(master === undefined ? {} : { master }),
    ...(db === undefined ? {} : { db }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

function credentials(auth: string | undefined): [string | undefined, string | undefined] {
  if (auth === undefined || auth === '') return [undefined, undefined];
  const colon = auth.indexOf(':');
  const user = decodeURIComponent(colon < 0 ? auth : auth.slice(0, colon));
  const password = colon < 0 ? undefined : decodeURIComponent(auth.slice(colon + 1));
  return [user === '' ? undefined : user, password];
}

function hostPort(text: string, fallback: number): HostPort {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text);
  const [host = '', port] = bracketed === null ? text.split(':') : [bracketed[1], bracketed[2]];
  const number = port === undefined ? fallback : Number(port);
  if (!(Number.isSafeInteger(number) && number > 0 && number < 65_536))
    throw new EventsConfigError([`the Redis URL has the port '${port ?? ''}'; accepted: 1 to 65535`]);
  return { host: host === '' ? '127.0.0.1' : host, port: number };
}

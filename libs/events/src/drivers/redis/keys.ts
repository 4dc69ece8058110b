import { createHash } from 'node:crypto';

/** Redis's stream group that all processes share for anycast events, and that of an inbox. */
export const ANYCAST_GROUP = 'anycast';
export const INBOX_GROUP = 'inbox';

/**
 * Spells every key and channel of one bus; nobody else does. Keys that one script touches share a hash tag: `{meta}`,
 * `{t:<type>}`, `{i:<instance>}`. See docs/redis-keys.md.
 */
export class Keys {
  /** HASH type → number, growing. */
  readonly types: string;
  /** STRING, the number given last. */
  readonly typeCounter: string;
  /** HASH `<group> <pattern>` → `<number> <ms> <start>`. */
  readonly declarations: string;
  /** ZSET group → last beat of a member, ms. */
  readonly groupBeats: string;
  /** HASH instance → `<token> <JSON>`. */
  readonly instances: string;
  /** ZSET instance → last beat, ms. */
  readonly beats: string;
  /** SET of types that have dead letters. */
  readonly deadTypes: string;
  /** Channel: `type <type>`, `group <group> <pattern>`, `member <instance>`. */
  readonly news: string;

  constructor(readonly prefix: string) {
    const meta = `${prefix}{meta}:`;
    this.types = `${meta}types`;
    this.typeCounter = `${meta}types:last`;
    this.declarations = `${meta}groups`;
    this.groupBeats = `${meta}groups:beats`;
    this.instances = `${meta}instances`;
    this.beats = `${meta}instances:beats`;
    this.deadTypes = `${meta}dead`;
    this.news = `${prefix}news`;
  }

  /** STREAM of broadcast events. */
  log(type: string): string {
    return `${this.prefix}{t:${type}}:log`;
  }

  /** STREAM of anycast events. */
  anycast(type: string): string {
    return `${this.prefix}{t:${type}}:any`;
  }

  /** ZSET event id → ms: broadcast (`log`) or anycast (`any`) events that were stored to be stored once. */
  ids(type: string, stream: 'log' | 'any'): string {
    return `${this.prefix}{t:${type}}:ids:${stream}`;
  }

  /** STREAM of dead letters. */
  dead(type: string): string {
    return `${this.prefix}{t:${type}}:dead`;
  }

  /** STREAM of a group's redeliveries; without a group: those of anycast events, and of events of process handlers. */
  redo(type: string, group: string | undefined): string {
    return this.ofGroup(type, 'redo', group);
  }

  /** ZSET of a group's retries whose time has not come, by that time in ms. */
  wait(type: string, group: string | undefined): string {
    return this.ofGroup(type, 'wait', group);
  }

  /** HASH entry (a redelivery: `r<entry>`) → `<notes> <deaths>`, for entries that are handled alone. */
  solo(type: string, group: string | undefined): string {
    return this.ofGroup(type, 'solo', group);
  }

  /** STREAM of unicast events to one process. */
  inbox(instance: string): string {
    return `${this.prefix}{i:${instance}}:inbox`;
  }

  /** ZSET event id → ms: unicast events that were stored to be stored once. */
  inboxIds(instance: string): string {
    return `${this.prefix}{i:${instance}}:ids`;
  }

  /** STRING that expires when the process has been silent for too long. */
  alive(instance: string): string {
    return `${this.prefix}{i:${instance}}:alive`;
  }

  /** STRING with expiry: the process that files what is left in an inbox. */
  undertaker(instance: string): string {
    return `${this.prefix}{i:${instance}}:undertaker`;
  }

  /** STRING with expiry: body of a large request or reply. */
  body(id: string): string {
    return `${this.prefix}{b:${id}}:body`;
  }

  /** STRING with expiry: what an idempotent handler is at, or has done. Keys of any length and characters, one length here. */
  idempotency(key: string): string {
    // UTF-16: as UTF-8, texts that differ in lone surrogates would be one.
    return `${this.prefix}{d:${createHash('sha256').update(key, 'utf16le').digest('base64url')}}`;
  }

  /** Channel that wakes the readers of a type. */
  wake(type: string): string {
    return `${this.prefix}wake:${type}`;
  }

  /** Channel to one process: its inbox, requests, replies. */
  to(instance: string): string {
    return `${this.prefix}to:${instance}`;
  }

  /** The type whose log a key is, for sweeps; undefined for other keys. */
  typeOfLog(key: string): string | undefined {
    const start = `${this.prefix}{t:`;
    return key.startsWith(start) && key.endsWith('}:log') ? key.slice(start.length, -'}:log'.length) : undefined;
  }

  private ofGroup(type: string, what: string, group: string | undefined): string {
    return `${this.prefix}{t:${type}}:${what}${group === undefined ? '' : `:${group}`}`;
  }
}

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

  /** STREAM of dead letters. */
  dead(type: string): string {
    return `${this.prefix}{t:${type}}:dead`;
  }

  /** STREAM of unicast events to one process. */
  inbox(instance: string): string {
    return `${this.prefix}{i:${instance}}:inbox`;
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
}

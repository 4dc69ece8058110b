import { matches } from '../../core/pattern.js';
import type { DriverWarning, StartFrom } from '../../ports/driver.js';
import { GRACE, type Connection } from './connection.js';
import type { Keys } from './keys.js';
import { ignoreBusyGroup } from './reply-errors.js';

/** Beyond this many types something is probably wrong: an id in the type name, say. */
const MANY_TYPES = 10_000;

export interface TypeRegistryHost {
  readonly keys: Keys;
  readonly connection: Connection;
  readonly warn: (warning: DriverWarning) => void;
  /** The registry has less than it had: the server has lost its data. */
  lost(): void;
  /** A type that was not known before. */
  found(type: string): void;
}

/** Where a pattern of a group begins: as stored in the hash of declarations. */
interface Declaration {
  readonly group: string;
  readonly pattern: string;
  /** Number of the last type that existed when the group was declared. */
  readonly number: number;
  /** When it was declared, or the position that was asked for, ms. */
  readonly ms: number;
  readonly start: string;
}

/**
 * The event types of the bus, and the groups that want them. A type gets a growing number before its first entry, a
 * declaration remembers the last number: so a group reads types born later from their first entry.
 */
export class TypeRegistry {
  private readonly numbers = new Map<string, number>();
  private last = '';
  private warned = false;

  constructor(private readonly host: TypeRegistryHost) {}

  all(): IterableIterator<string> {
    return this.numbers.keys();
  }

  has(type: string): boolean {
    return this.numbers.has(type);
  }

  /** Reads the registry where it has changed since the last time. */
  async refresh(force = false): Promise<void> {
    const { connection, keys } = this.host;
    const last = (await connection.persist((client) => client.get(keys.typeCounter), GRACE)) ?? '';
    if (Number(last) < Number(this.last)) this.host.lost();
    if (last === this.last && !force) return;
    this.learn(flat(await connection.persist((client) => client.hgetall(keys.types), GRACE)));
    this.last = last;
  }

  /** Somebody registered a type. */
  heard(type: string): void {
    if (!this.numbers.has(type)) this.learn([[type, '0']]);
  }

  /** Makes a type known, and its stream with the groups that want it. Twice is once. */
  async register(type: string): Promise<void> {
    const { connection, keys } = this.host;
    const [number, , declarations] = (await connection.script('registerType', [
      keys.types,
      keys.typeCounter,
      keys.declarations,
      type,
      keys.news,
    ])) as [number, number, string[]];
    this.learn([[type, String(number)]]);
    await Promise.all(
      pairs(declarations)
        .map(readDeclaration)
        .filter(({ pattern }) => matches(pattern, type))
        .map((declaration) => this.createGroup(declaration, type, number)),
    );
  }

  /**
   * Declares a pattern of a group, and creates the group on the streams that exist and match.
   * `openedAt` is what `'open'` means, ms.
   */
  async declare(group: string, pattern: string, startFrom: StartFrom, openedAt: number): Promise<void> {
    const { connection, keys } = this.host;
    const start = startFrom === 'open' ? String(openedAt) : startFrom;
    const [value, fresh, types] = (await connection.persistScript('declareGroup', [
      keys.types,
      keys.typeCounter,
      keys.declarations,
      `${group} ${pattern}`,
      start,
      keys.news,
    ])) as [string, number, string[]];
    const known = pairs(types);
    this.learn(known);
    const declaration = readDeclaration([`${group} ${pattern}`, value]);
    const now = fresh === 1 && startFrom === 'new';
    await Promise.all(
      known
        .filter(([type]) => matches(pattern, type))
        .map(([type, number]) => this.createGroup(declaration, type, Number(number), now)),
    );
  }

  /**
   * Creates a group that is missing on a type's log: after the data was lost, or on a stream that a foreign producer made.
   * Everything that is retained counts as unread then.
   */
  async restoreGroup(group: string, type: string, patterns: Iterable<string>): Promise<void> {
    for (const pattern of patterns) if (matches(pattern, type)) await this.declare(group, pattern, 'earliest', 0);
    if (!this.has(type)) await this.register(type);
  }

  /** The groups that are declared with a pattern that the type matches. */
  async groupsOf(type: string): Promise<Set<string>> {
    const { connection, keys } = this.host;
    const declared = await connection.persist((client) => client.hkeys(keys.declarations), GRACE);
    const rows = declared.map((key) => readDeclaration([key, '']));
    return new Set(rows.filter(({ pattern }) => matches(pattern, type)).map(({ group }) => group));
  }

  forget(type: string): void {
    this.numbers.delete(type);
  }

  private async createGroup(declaration: Declaration, type: string, number: number, now = false): Promise<void> {
    const { connection, keys } = this.host;
    const id =
      number > declaration.number || declaration.start === 'earliest' ? '0' : now ? '$' : positionOf(declaration);
    await connection
      .persist((client) => client.xgroup('CREATE', keys.log(type), declaration.group, id, 'MKSTREAM'))
      .catch(ignoreBusyGroup);
  }

  private learn(rows: Iterable<readonly [string, string]>): void {
    for (const [type, number] of rows) {
      if (this.numbers.has(type)) continue;
      this.numbers.set(type, Number(number));
      this.host.found(type);
    }
    if (this.numbers.size <= MANY_TYPES || this.warned) return;
    this.warned = true;
    this.host.warn({
      cause: 'types',
      message: `there are more than ${String(MANY_TYPES)} event types; put ids into the payload, not into the type`,
    });
  }
}

/** The stream position of a declaration for types that existed then. */
function positionOf({ start, ms }: Declaration): string {
  const from = start === 'new' ? ms : Number(start);
  return `${String(from - 1)}-18446744073709551615`;
}

function readDeclaration([key, value]: readonly [string, string]): Declaration {
  const space = key.lastIndexOf(' ');
  const [number, ms, start = 'new'] = value.split(' ');
  return { group: key.slice(0, space), pattern: key.slice(space + 1), number: Number(number), ms: Number(ms), start };
}

function pairs(list: readonly string[]): [string, string][] {
  const rows: [string, string][] = [];
  for (let index = 0; index + 1 < list.length; index += 2) rows.push([list[index] ?? '', list[index + 1] ?? '']);
  return rows;
}

function flat(record: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(record);
}

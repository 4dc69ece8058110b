import { InvalidHandlerError, InvalidOptionError, UnsupportedVersionError, describe } from './errors.js';
import { eventTypeOf, type EventClass } from './event-class.js';

/** Makes the payload of a version from that of an older one, which is frozen. May be asynchronous; throwing is failing. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- it knows the shape that it is written for
export type UpcastFunction = (payload: any) => unknown;

interface Link {
  readonly to: number;
  readonly upcast: UpcastFunction;
  readonly where: string;
}

/** How payloads of older versions become those of newer ones: at most one way from each version of a type. */
export class Upcasters {
  private readonly types = new Map<string, Map<number, Link>>();

  /**
   * @param from version that `upcast` reads
   * @param to version that it makes, above `from` and at most that of the class; defaults to `from + 1`
   * @param where what messages call it
   * @throws InvalidHandlerError where the class is no event class, or its type has an upcast from that version
   * @throws InvalidOptionError for versions that cannot be
   */
  add(
    target: EventClass,
    from: number | undefined,
    to: number | undefined,
    upcast: UpcastFunction,
    where = 'an upcast',
  ): void {
    const info = eventTypeOf(target);
    if (info === undefined)
      throw new InvalidHandlerError(
        `@Upcast needs a class with @EventType, not ${typeof target === 'function' ? nameOf(target) : describe(target)}.`,
      );
    const { type, version } = info;
    if (typeof upcast !== 'function')
      throw new InvalidHandlerError(`An upcast of '${type}' must be a function, not ${describe(upcast)}.`);
    if (from === undefined || !Number.isSafeInteger(from) || from < 1 || from >= version)
      throw new InvalidOptionError(`upcast of '${type}', from`, from, upTo(1, version - 1, nameOf(target), version));
    const last = to ?? from + 1;
    if (!Number.isSafeInteger(last) || last <= from || last > version)
      throw new InvalidOptionError(`upcast of '${type}', to`, last, upTo(from + 1, version, nameOf(target), version));
    const links = this.types.get(type) ?? new Map<number, Link>();
    const other = links.get(from);
    if (other !== undefined)
      throw new InvalidHandlerError(
        `'${type}' has two upcasts from version ${String(from)}: ${other.where} and ${where}. Leave one.`,
      );
    this.types.set(type, links.set(from, { to: last, upcast, where }));
  }

  /**
   * The upcasts that lead from one version of a type to another, in order; none where both are the same.
   * @throws UnsupportedVersionError when the version is newer than the target, or a link is missing
   */
  chain(type: string, version: number, target: number): readonly UpcastFunction[] {
    const chain: UpcastFunction[] = [];
    const links = this.types.get(type);
    let reached = version;
    while (reached !== target) {
      const link = links?.get(reached);
      if (link === undefined || link.to > target) throw new UnsupportedVersionError(type, version, target);
      chain.push(link.upcast);
      reached = link.to;
    }
    return chain;
  }
}

function nameOf(target: EventClass): string {
  return target.name === '' ? 'a class without a name' : target.name;
}

function upTo(first: number, last: number, name: string, version: number): string {
  if (last < first) return `none: ${name} has version ${String(version)}, and nothing is older`;
  return `a whole number from ${String(first)} to ${String(last)}, for ${name} has version ${String(version)}`;
}

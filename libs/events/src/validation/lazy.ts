/** Goes on with a value, at once where it is there already. */
export function after<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** What somebody else's function returned: any thenable of theirs as a promise of ours. */
export function settled<T>(value: T | PromiseLike<T>): T | Promise<T> {
  const thenable =
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
  return thenable ? Promise.resolve(value) : (value as T);
}

/** Something that is loaded when it is first asked for. */
export class Lazy<T> {
  private loading: Promise<T> | undefined;
  private loaded: { readonly value: T } | undefined;

  constructor(private readonly load: () => Promise<T>) {}

  /** A promise until it is loaded, the thing itself from then on. Rejects every time where loading failed. */
  get(): T | Promise<T> {
    if (this.loaded !== undefined) return this.loaded.value;
    this.loading ??= this.load().then((value) => {
      this.loaded = { value };
      return value;
    });
    return this.loading;
  }
}

/**
 * A package that need not be installed: undefined where it is not. Rejects where it is and cannot be loaded.
 * @param member something that it exports: a CommonJS package may have it in `default` only
 */
export async function loadOptional<T extends object>(
  load: () => Promise<unknown>,
  member: keyof T & string,
): Promise<T | undefined> {
  try {
    const module = (await load()) as T & { readonly default?: T };
    return member in module ? module : module.default;
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

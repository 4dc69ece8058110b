export interface WaitOptions {
  /** Milliseconds between two looks. Defaults to 20. */
  readonly interval?: number;
  /** Milliseconds until it gives up. Defaults to 15,000. */
  readonly timeout?: number;
}

/**
 * Looks until `probe` returns something other than false, null or undefined, and gives that back. A probe that throws
 * counts as "not yet"; its last error is the cause of the error at the end.
 */
export async function waitUntil<T>(
  what: string,
  probe: () => T | Promise<T>,
  { interval = 20, timeout = 15_000 }: WaitOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const until = performance.now() + timeout;
  let cause: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== false && value !== null && value !== undefined) return value as NonNullable<Exclude<T, false>>;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > until) throw new Error(`${what}: not within ${String(timeout)} ms`, { cause });
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

/** `promise`, or an error that names `what` after `timeout` ms. */
export async function within<T>(what: string, promise: Promise<T>, timeout: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${what}: not within ${String(timeout)} ms`));
    }, timeout);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

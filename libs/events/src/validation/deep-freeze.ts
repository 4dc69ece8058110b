/**
 * Freezes a value and everything in it, in place: plain objects, instances of classes, arrays. What has its contents
 * elsewhere than in properties (a Map, a Set, a buffer) is left as it is; a Date is frozen, though its setters still work.
 */
export function deepFreeze<T>(value: T): T {
  const seen = new Set<object>();
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null || seen.has(next) || isContainer(next)) continue;
    seen.add(next);
    Object.freeze(next);
    for (const item of Object.values(next) as unknown[])
      if (typeof item === 'object' && item !== null) pending.push(item);
  }
  return value;
}

/** An array over a buffer cannot be frozen at all. */
function isContainer(value: object): boolean {
  return value instanceof Map || value instanceof Set || value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

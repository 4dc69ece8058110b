/** The id of a letter says where it is. A type has no `@`. */
export function idOf(type: string, position: string): string {
  return `${type}@${position}`;
}

/** Where a letter is; undefined for what is no id of one. */
export function placeOf(id: unknown): { readonly type: string; readonly position: string } | undefined {
  const [, type, position] = /^([^@\s]{1,255})@(\d{1,20}(?:-\d{1,20})?)$/.exec(String(id)) ?? [];
  return type === undefined || position === undefined ? undefined : { type, position };
}

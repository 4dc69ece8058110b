const SLOTS = 16_384n;

/**
 * The place of a letter among those of its topic: `<ms>-<number>`. In a Cluster, where a topic has letters under several
 * tags, the number says the slot too, so that no two have the same place and the order is that of time.
 */
export function placeOf(entry: string, slot: number | undefined): string {
  if (slot === undefined) return entry;
  const [ms = '0', number = '0'] = entry.split('-');
  return `${ms}-${String(BigInt(number) * SLOTS + BigInt(slot))}`;
}

/** The entry and the slot that a place says. */
export function readPlace(place: string): { readonly entry: string; readonly slot: number } {
  const [ms = '0', number = '0'] = place.split('-');
  const whole = BigInt(number);
  return { entry: `${ms}-${String(whole / SLOTS)}`, slot: Number(whole % SLOTS) };
}

/** What comes before a place, in a slot: the first entry there that does not. */
export function boundOf(place: string, slot: number): string {
  const { entry, slot: own } = readPlace(place);
  if (slot >= own) return entry;
  const [ms = '0', number = '0'] = entry.split('-');
  return `${ms}-${String(BigInt(number) + 1n)}`;
}

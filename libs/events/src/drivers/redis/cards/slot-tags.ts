/** Slots of a Redis Cluster. */
const SLOTS = 16_384;
/** The tag of all index keys where there is one server: longer than those of slots, so never one of them. */
export const FIXED_TAG = 'index';

/**
 * A short text for each slot of a Redis Cluster that hashes to it: as the hash tag of index keys it puts them beside a key
 * whose name is given. All processes must use the same texts: for each slot the first of `0`, `1`, … `z`, `00`, `01`, … that
 * hashes to it. Filled at first use.
 */
export class SlotTags {
  private tags: readonly string[] | undefined;

  /** The tag for a key without braces. */
  tagOf(key: string): string {
    this.tags ??= findTags();
    return this.tags[slotOf(key)] ?? '';
  }
}

/** The slot of a key without braces. */
export function slotOf(key: string): number {
  let crc = 0;
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index);
    if (code > 127) return crcOf(Buffer.from(key)) % SLOTS;
    crc = step(crc, code);
  }
  return crc % SLOTS;
}

const CHARACTERS = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz');

function findTags(): string[] {
  const tags: string[] = [];
  let missing = SLOTS;
  let level: { readonly text: string; readonly crc: number }[] = [{ text: '', crc: 0 }];
  while (missing > 0) {
    const longer: typeof level = [];
    for (const { text, crc } of level) {
      for (const character of CHARACTERS) {
        const next = { text: text + String.fromCharCode(character), crc: step(crc, character) };
        const slot = next.crc % SLOTS;
        if (tags[slot] === undefined) {
          tags[slot] = next.text;
          missing--;
          if (missing === 0) return tags;
        }
        longer.push(next);
      }
    }
    level = longer;
  }
  return tags;
}

/** CRC-16/XMODEM, as Redis has it, one byte at a time. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

function step(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ byte] ?? 0);
}

function crcOf(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = step(crc, byte);
  return crc;
}

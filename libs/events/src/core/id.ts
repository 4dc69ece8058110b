import { randomBytes } from 'node:crypto';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const COUNTER_MAX = 0xfffff;

/**
 * Makes UUIDs of version 7 (RFC 9562 §5.7, with the counter of §6.2 method 1): ids of one generator sort in the order in
 * which they were drawn. `draw` takes a position at almost no cost; `text` spells it, when somebody asks.
 */
export class IdGenerator {
  /** The variant bits and 6 random bits; the counter's low byte follows it. */
  private readonly variant: string;
  /** 48 random bits that tell generators apart. */
  private readonly node: string;
  private last = 0;
  private counter = 0;
  private spelled = -1;
  private prefix = '';

  constructor(random: (size: number) => Uint8Array = randomBytes) {
    const bytes = random(7);
    this.variant = HEX[((bytes[0] ?? 0) & 0x3f) | 0x80] ?? '';
    this.node = Array.from(bytes.subarray(1), (byte) => HEX[byte] ?? '').join('');
  }

  /** Takes the next position at wall time `now`; a clock that steps back does not make ids step back. */
  draw(now: number): number {
    const millisecond = Math.floor(now);
    if (millisecond > this.last) {
      this.last = millisecond;
      this.counter = 0;
    } else if (++this.counter > COUNTER_MAX) {
      this.last++;
      this.counter = 0;
    }
    return this.counter;
  }

  /** The millisecond of the position drawn last. */
  get millisecond(): number {
    return this.last;
  }

  /** Spells the position (`millisecond`, `counter`) as a UUID. */
  text(millisecond: number, counter: number): string {
    if (millisecond !== this.spelled) {
      this.spelled = millisecond;
      const digits = millisecond.toString(16).padStart(12, '0');
      this.prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-7`;
    }
    return `${this.prefix}${(HEX[counter >>> 16] ?? '').slice(1)}${HEX[(counter >>> 8) & 0xff] ?? ''}-${this.variant}${HEX[counter & 0xff] ?? ''}-${this.node}`;
  }

  /** Draws and spells in one go. */
  next(now: number): string {
    const counter = this.draw(now);
    return this.text(this.last, counter);
  }
}

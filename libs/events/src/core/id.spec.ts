import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { IdGenerator } from './id.js';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const NOW = Date.UTC(2026, 10, 20);

/** The time that a UUID of version 7 carries in its first 48 bits. */
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

describe('IdGenerator', () => {
  it('spells UUIDs of version 7 that carry the time', () => {
    const ids = new IdGenerator();
    for (const now of [NOW, NOW + 1, NOW + 1, NOW + 2 ** 40]) {
      const id = ids.next(now);
      expect(id).toMatch(UUID_V7);
      expect(timeOf(id)).toBe(now);
    }
  });

  it('spells the example of RFC 9562, appendix A.6, apart from the bits that are its own choice', () => {
    // unix_ts_ms 0x017F22E279B0; rand_a and the low bits of rand_b are a counter here, and start at 0.
    expect(new IdGenerator(() => Uint8Array.of(0x18, 1, 2, 3, 4, 5, 6)).next(0x017f22e279b0)).toBe(
      '017f22e2-79b0-7000-9800-010203040506',
    );
  });

  it.each([0x00, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff])('sets version and variant whatever is drawn: %i', (byte) => {
    expect(new IdGenerator(() => new Uint8Array(7).fill(byte)).next(NOW)).toMatch(UUID_V7);
  });

  it('spells any counter in 20 bits, without touching version and variant', () => {
    const ids = new IdGenerator(() => new Uint8Array(7));
    expect(ids.text(NOW, 0x00000)).toMatch(/-7000-8000-0{12}$/);
    expect(ids.text(NOW, 0x000ff)).toMatch(/-7000-80ff-0{12}$/);
    expect(ids.text(NOW, 0x00100)).toMatch(/-7001-8000-0{12}$/);
    expect(ids.text(NOW, 0x12345)).toMatch(/-7123-8045-0{12}$/);
    expect(ids.text(NOW, 0xfffff)).toMatch(/-7fff-80ff-0{12}$/);
    expect(ids.text(0, 0)).toBe('00000000-0000-7000-8000-000000000000');
  });

  it('draws what no other generator draws', () => {
    const drawn = new Set(Array.from({ length: 1_000 }, () => new IdGenerator().next(NOW)));
    expect(drawn.size).toBe(1_000);
  });

  it('asks for 7 random bytes, once', () => {
    const asked: number[] = [];
    const ids = new IdGenerator((size) => {
      asked.push(size);
      return new Uint8Array(size);
    });
    ids.next(NOW);
    ids.next(NOW + 1);
    expect(asked).toEqual([7]);
  });

  it('spells a drawn position later, after others were drawn and spelled', () => {
    const ids = new IdGenerator();
    const first = { counter: ids.draw(NOW), millisecond: ids.millisecond };
    const second = ids.next(NOW);
    const third = ids.next(NOW + 5);
    const spelled = ids.text(first.millisecond, first.counter);
    expect([third, spelled, second].sort()).toEqual([spelled, second, third]);
    expect(ids.text(first.millisecond, first.counter)).toBe(spelled);
  });

  it('keeps counting while the clock stands or has stepped back', () => {
    const ids = new IdGenerator();
    const drawn = [NOW, NOW, NOW - 60_000, NOW - 1, 0, NOW, NOW + 1, NOW - 1].map((now) => ids.next(now));
    expect([...drawn].sort()).toEqual(drawn);
    expect(new Set(drawn).size).toBe(drawn.length);
    expect(drawn.map(timeOf)).toEqual([NOW, NOW, NOW, NOW, NOW, NOW, NOW + 1, NOW + 1]);
  });

  it('goes on in the next millisecond after 2^20 draws in one', () => {
    const ids = new IdGenerator();
    const first = ids.next(NOW);
    let last = first;
    let steps = 1;
    for (let draw = 1; draw < 2 ** 20; draw++) {
      const id = ids.next(NOW);
      if (id > last) steps++;
      last = id;
    }
    expect(steps).toBe(2 ** 20);
    expect(timeOf(first)).toBe(NOW);
    expect(timeOf(last)).toBe(NOW);
    const rolled = ids.next(NOW);
    expect(rolled > last).toBe(true);
    expect(timeOf(rolled)).toBe(NOW + 1);
    // The clock has reached the borrowed millisecond: the counter goes on in it.
    const caughtUp = ids.next(NOW + 1);
    expect(caughtUp > rolled).toBe(true);
    expect(timeOf(caughtUp)).toBe(NOW + 1);
  });

  it('takes a clock with fractions of a millisecond', () => {
    const ids = new IdGenerator();
    const drawn = [NOW + 0.25, NOW + 0.5, NOW + 0.75, NOW + 1.125].map((now) => ids.next(now));
    for (const id of drawn) expect(id).toMatch(UUID_V7);
    expect([...drawn].sort()).toEqual(drawn);
    expect(new Set(drawn).size).toBe(drawn.length);
  });

  it(`is strictly increasing for any clock (seed ${String(seed)})`, () => {
    const time = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.nat(2 ** 31 - 1), fc.double({ min: 0, max: 2 ** 47 }));
    fc.assert(
      fc.property(fc.array(time, { minLength: 2, maxLength: 40 }), (times) => {
        const ids = new IdGenerator();
        let last = '';
        for (const now of times) {
          const id = ids.next(now);
          expect(id > last && UUID_V7.test(id)).toBe(true);
          last = id;
        }
      }),
      { seed, numRuns: 3_000 },
    );
  });
});

import type { DeadLetterRow } from '../../../core/delivery.js';
import type { EventEnvelope } from '../../../core/envelope.js';
import { UnsupportedError } from '../../../core/errors.js';
import type { LetterStore, StoredLetter } from '../../../ports/stores.js';
import { GRACE } from '../connection.js';
import { POSITION, readLetter } from '../letter.js';
import { compareIds } from '../stream-state.js';
import type { CardHost } from './card-host.js';
import { boundOf, placeOf, readPlace } from './letter-places.js';
import { FIXED_TAG, slotOf } from './slot-tags.js';

/** Letters that one call removes. */
const CHUNK = 1_000;

/** The dead letters of cards, by topic: a stream a topic, in a Cluster a stream a topic and tag. */
export class CardLetters implements LetterStore {
  /** @param host throws `BusClosedError` before the driver is open and after it is closed */
  constructor(private readonly host: () => CardHost) {}

  async types(): Promise<readonly string[]> {
    const topics = await this.host().record.topics();
    const counts = await Promise.all(topics.map((topic) => this.count(topic)));
    return topics.filter((_, index) => counts[index] !== 0).sort();
  }

  async count(topic: string): Promise<number> {
    const { connection, keys } = this.host();
    const tags = await this.host().letters.tags(topic);
    const counts = await Promise.all(
      tags.map((tag) => connection.persist((client) => client.xlen(keys.dead(topic, tag)), GRACE)),
    );
    return counts.reduce((sum, each) => sum + each, 0);
  }

  async read(topic: string, before: string | undefined, count: number): Promise<readonly StoredLetter[]> {
    if (count <= 0 || (before !== undefined && !POSITION.test(before))) return [];
    const { connection, keys } = this.host();
    const tags = await this.host().letters.tags(topic);
    const pages = await Promise.all(
      tags.map(async (tag) => {
        const slot = this.slot(tag);
        const bound = before === undefined ? '+' : `(${slot === undefined ? before : boundOf(before, slot)}`;
        // Before the first possible id there is nothing, and Redis takes that for an error.
        if (bound === '(0-0') return [];
        const rows = await connection.persist(
          (client) => client.xrevrange(keys.dead(topic, tag), bound, '-', 'COUNT', count),
          GRACE,
        );
        return rows.map(([entry, fields]) => readLetter(topic, placeOf(entry, slot), fields));
      }),
    );
    const letters = pages.flat();
    if (pages.length > 1) letters.sort((a, b) => compareIds(b.position, a.position));
    return letters.slice(0, count);
  }

  async get(topic: string, position: string): Promise<StoredLetter | undefined> {
    return (await this.find(topic, position))?.letter;
  }

  /** To the end of its card. Not repeated when the answer is lost: it would say that somebody else was faster. */
  async replay(topic: string, position: string, operation: string): Promise<boolean> {
    const { connection, keys, tags } = this.host();
    const found = await this.find(topic, position);
    if (found === undefined) return false;
    const { tag, entry, letter } = found;
    const { cardId } = letter;
    if (cardId === undefined)
      throw new UnsupportedError(`Dead letter ${position} of topic '${topic}' does not say its card: remove it.`);
    await tags.note(topic, tag);
    const reply = await connection.script('cardReplay', [
      ...keys.index(topic, tag),
      keys.stream(topic, cardId),
      ...[entry, operation, topic, cardId, keys.ready],
    ]);
    if (reply === -1)
      throw new UnsupportedError(
        `Dead letter ${position} of topic '${topic}' has too many fields to be replayed. Publish its event anew, then remove it.`,
      );
    return reply === 1;
  }

  async remove(topic: string, positions: readonly string[]): Promise<number> {
    const { connection, keys } = this.host();
    const byTag = new Map<string, string[]>();
    for (const position of positions) {
      const place = await this.place(topic, position);
      if (place !== undefined) byTag.set(place.tag, [...(byTag.get(place.tag) ?? []), place.entry]);
    }
    let removed = 0;
    for (const [tag, entries] of byTag)
      for (let start = 0; start < entries.length; start += CHUNK) {
        const chunk = entries.slice(start, start + CHUNK);
        removed += await connection.persist((client) => client.xdel(keys.dead(topic, tag), ...chunk), GRACE);
      }
    return removed;
  }

  add(event: EventEnvelope, _row: DeadLetterRow): Promise<string> {
    return Promise.reject(
      new UnsupportedError(`An event of type '${event.type}' is filed by hand under its type: it has no card.`),
    );
  }

  /** Cards of the topic that have something to do. */
  async outstanding(topic: string): Promise<number> {
    const { connection, keys, tags } = this.host();
    const counts = await Promise.all(
      (await tags.all(topic)).flatMap((tag) => {
        const [, ready = '', , leased = '', waiting = ''] = keys.index(topic, tag);
        return [
          connection.persist((client) => client.zcard(ready), GRACE),
          connection.persist((client) => client.zcard(leased), GRACE),
          // Parked cards wait for people.
          connection.persist((client) => client.zcount(waiting, '-inf', '(+inf'), GRACE),
        ];
      }),
    );
    return counts.reduce((sum, each) => sum + each, 0);
  }

  private async find(
    topic: string,
    position: string,
  ): Promise<{ readonly tag: string; readonly entry: string; readonly letter: StoredLetter } | undefined> {
    const { connection, keys } = this.host();
    const place = await this.place(topic, position);
    if (place === undefined) return undefined;
    const { tag, entry } = place;
    const [row] = await connection.persist((client) => client.xrange(keys.dead(topic, tag), entry, entry), GRACE);
    return row && { tag, entry, letter: readLetter(topic, position, row[1]) };
  }

  /** Where a letter lies. */
  private async place(
    topic: string,
    position: string,
  ): Promise<{ readonly tag: string; readonly entry: string } | undefined> {
    if (!POSITION.test(position)) return undefined;
    if (!this.host().connection.cluster) return { tag: FIXED_TAG, entry: position };
    const { entry, slot } = readPlace(position);
    const tag = (await this.host().letters.tags(topic)).find((each) => slotOf(each) === slot);
    return tag === undefined ? undefined : { tag, entry };
  }

  private slot(tag: string): number | undefined {
    return this.host().connection.cluster ? slotOf(tag) : undefined;
  }
}

import { GRACE, type Connection } from '../connection.js';
import type { CardKeys } from './card-keys.js';
import { FIXED_TAG } from './slot-tags.js';

/**
 * The hash tags under which topics have cards. In a Cluster each is noted before its first use, so that whoever looks for
 * cards knows where; on one server there is one.
 */
export class CardTags {
  private readonly noted = new Map<string, Set<string>>();

  constructor(
    private readonly connection: Connection,
    private readonly keys: CardKeys,
  ) {}

  /** Notes a tag before its first use; undefined where nothing is to be waited for. */
  note(topic: string, tag: string): Promise<void> | undefined {
    if (tag === FIXED_TAG || this.noted.get(topic)?.has(tag) === true) return undefined;
    return this.add(topic, [tag]);
  }

  /** All tags of a topic. Those that the server has lost are noted again. */
  async all(topic: string): Promise<readonly string[]> {
    if (!this.connection.cluster) return [FIXED_TAG];
    const found = await this.connection.persist((client) => client.smembers(this.keys.tags(topic)), GRACE);
    const noted = this.notedOf(topic);
    const known = new Set(found);
    const lost = [...noted].filter((tag) => !known.has(tag));
    if (lost.length > 0) await this.add(topic, lost);
    for (const tag of found) noted.add(tag);
    return [...noted];
  }

  private async add(topic: string, tags: readonly string[]): Promise<void> {
    await this.connection.persist((client) => client.sadd(this.keys.tags(topic), ...tags), GRACE);
    const noted = this.notedOf(topic);
    for (const tag of tags) noted.add(tag);
  }

  private notedOf(topic: string): Set<string> {
    let noted = this.noted.get(topic);
    if (noted === undefined) this.noted.set(topic, (noted = new Set()));
    return noted;
  }
}

import type { DeadLetterRow } from '../../../core/delivery.js';
import type { DriverWarning } from '../../../ports/driver.js';
import { GRACE, type Connection } from '../connection.js';
import type { CardKeys } from './card-keys.js';
import { FIXED_TAG } from './slot-tags.js';

/** Under which tags there are dead letters of cards. On one server there is one tag, and nothing to keep. */
export class LetterIndex {
  constructor(
    private readonly connection: Connection,
    private readonly keys: CardKeys,
    private readonly warn: (warning: DriverWarning) => void,
  ) {}

  /** Tags under which there may be some. */
  async tags(topic: string): Promise<readonly string[]> {
    if (!this.connection.cluster) return [FIXED_TAG];
    return this.connection.persist((client) => client.smembers(this.keys.deadTags(topic)), GRACE);
  }

  /** A letter is there. Where it cannot be noted, the settlement that is done does not fail for it. */
  async filed(topic: string, tag: string): Promise<void> {
    if (!this.connection.cluster) return;
    await this.connection
      .persist((client) => client.sadd(this.keys.deadTags(topic), tag), GRACE)
      .catch(() => undefined);
  }

  /** Warns of one. */
  tell(topic: string, cardId: string, id: string, { reason, handler, error }: DeadLetterRow): void {
    this.warn({
      cause: 'dead-letter',
      message: `card '${cardId}' of topic '${topic}': event ${id} is a dead letter: ${reason}: ${error}`,
      details: { type: topic, topic, cardId, id, reason, handler },
    });
  }
}

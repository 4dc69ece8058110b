import type { Clock } from '../../../core/clock.js';
import type { DriverWarning } from '../../../ports/driver.js';
import type { ResolvedCardOptions } from '../../../ports/options.js';
import type { Connection } from '../connection.js';
import type { Membership } from '../membership.js';
import type { ServerClock } from '../server-clock.js';
import type { CardKeys } from './card-keys.js';
import type { CardTags } from './card-tags.js';
import type { LetterIndex } from './letter-index.js';
import type { TopicRecord } from './topic-record.js';

/** What the parts of cards share. */
export interface CardHost {
  readonly bus: string;
  readonly service: string;
  readonly instanceId: string;
  /** `<instance>|<incarnation>`: neither another bus of the process nor its next life takes this one's cards for its own. */
  readonly owner: string;
  readonly clock: Clock;
  readonly keys: CardKeys;
  readonly tags: CardTags;
  readonly record: TopicRecord;
  readonly letters: LetterIndex;
  readonly connection: Connection;
  readonly membership: Membership;
  readonly serverClock: ServerClock;
  readonly options: ResolvedCardOptions;
  /** Most events that a card may hold. */
  readonly maxLength: number;
  /** Tells the others what this process listens to now. */
  announce(): Promise<void>;
  readonly warn: (warning: DriverWarning) => void;
  readonly readFailed: (what: string, error: unknown) => void;
}

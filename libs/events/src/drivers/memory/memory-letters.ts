import type { Clock } from '../../core/clock.js';
import type { DeadLetterRow } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import type { LetterStore, StoredLetter } from '../../ports/stores.js';
import { MemoryEntry } from './channel.js';
import type { MemoryLetter } from './letter-shelf.js';
import type { MemoryBroker } from './memory-broker.js';
import { replayed } from './past.js';

/** The driver, as its view of the dead letters knows it. */
export interface LettersHost {
  readonly broker: MemoryBroker;
  readonly clock: Clock;
  /** @throws (rejects) BusClosedError unless the driver is open */
  whenOpen<T>(run: () => T): Promise<T>;
  /** Puts a letter on the broker's shelf, and gives its position. */
  file(event: EventEnvelope, group: string | undefined, row: DeadLetterRow, operation?: string): string;
}

/** The dead letters of a memory broker, through one of its drivers. */
export class MemoryLetters implements LetterStore {
  constructor(private readonly host: LettersHost) {}

  types(): Promise<readonly string[]> {
    return this.host.whenOpen(() => this.host.broker.letters.types());
  }

  count(type: string): Promise<number> {
    return this.host.whenOpen(() => this.host.broker.letters.count(type));
  }

  read(type: string, before: string | undefined, count: number): Promise<readonly StoredLetter[]> {
    return this.host.whenOpen(() => this.host.broker.letters.read(type, before, count));
  }

  get(type: string, position: string): Promise<StoredLetter | undefined> {
    return this.host.whenOpen(() => this.host.broker.letters.get(type, position));
  }

  replay(type: string, position: string, operation: string): Promise<boolean> {
    return this.host.whenOpen(() => {
      const letter = this.host.broker.letters.take(type, position);
      if (letter !== undefined) this.handOver(letter, operation);
      return letter !== undefined;
    });
  }

  remove(type: string, positions: readonly string[]): Promise<number> {
    const { letters } = this.host.broker;
    return this.host.whenOpen(() => positions.filter((each) => letters.take(type, each) !== undefined).length);
  }

  add(event: EventEnvelope, row: DeadLetterRow): Promise<string> {
    return this.host.whenOpen(() => this.host.file(event, undefined, row));
  }

  outstanding(type: string, group: string | undefined): Promise<number> {
    const { broker } = this.host;
    return this.host.whenOpen(() => {
      const channel = group === undefined ? broker.anycast.get(type) : broker.groups.get(group)?.channels.get(type);
      return channel?.outstanding ?? 0;
    });
  }

  private handOver({ event, type, group, handler }: MemoryLetter, operation: string): void {
    const { broker, clock } = this.host;
    const channel = group === undefined ? broker.anycastChannel(type) : broker.group(group).channel(type);
    const now = clock.now();
    const past = replayed(handler, operation, now);
    broker.redeliver(new MemoryEntry(event, ++broker.position, channel.slot(type), past), now, now);
  }
}

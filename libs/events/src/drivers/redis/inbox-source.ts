import type { Verdict } from '../../core/delivery.js';
import type { Sink, SourceSpec } from '../../ports/driver.js';
import { copyToDeadLetters, tellDead } from './dead-letters.js';
import { GroupSource } from './group-source.js';
import { INBOX_GROUP } from './keys.js';
import type { RedisHost } from './redis-host.js';
import { ignoreBusyGroup } from './reply-errors.js';
import { StreamState, type RedisDelivery } from './stream-state.js';

/** What an inbox entry is filed under that does not say its type. */
const UNKNOWN_TYPE = 'unknown';

/** Unicast events for this process. One stream for all types; each entry says its own. */
export class InboxSource extends GroupSource {
  constructor(spec: SourceSpec, sink: Sink, host: RedisHost) {
    super(spec, sink, host, 'unicast', INBOX_GROUP);
  }

  /** Makes the inbox ready; unicast events arrive from now on. */
  async start(): Promise<void> {
    const stream = new StreamState('', this.keyOf());
    await this.restoreGroup(stream);
    this.streams.set('', stream);
    this.pull();
  }

  protected keyOf(): string {
    return this.host.keys.inbox(this.host.instanceId);
  }

  protected override typeOf(): string {
    return UNKNOWN_TYPE;
  }

  protected releaseWake(): readonly [string, string] {
    return [this.host.keys.to(this.host.instanceId), 'i'];
  }

  protected async restoreGroup(stream: StreamState): Promise<void> {
    await this.host.connection
      .persist((client) => client.xgroup('CREATE', stream.key, this.group, '0', 'MKSTREAM'))
      .catch(ignoreBusyGroup);
  }

  /** The dead letters of the type live in another slot than the inbox: copied first, acknowledged then. */
  protected override async record(
    entry: RedisDelivery,
    { deadLetters = [] }: Verdict & { kind: 'ack' },
  ): Promise<void> {
    const { connection, clock } = this.host;
    const { stream, entryId: id, type } = entry;
    const head = { group: '', mode: this.mode, at: clock.now() };
    await connection.persist(async () => {
      await copyToDeadLetters(this.host, type, { stream: stream.key, id }, deadLetters, head);
      await connection.run((client) => client.xack(stream.key, this.group, id));
    });
    stream.inFlight.delete(id);
    tellDead(this.host, entry, deadLetters, '');
  }
}

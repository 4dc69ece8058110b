import type { Sink, SourceSpec } from '../../ports/driver.js';
import { ANYCAST_GROUP } from './keys.js';
import type { RedisHost } from './redis-host.js';
import { ignoreBusyGroup } from './reply-errors.js';
import { RetryingSource } from './retrying-source.js';
import type { StreamState } from './stream-state.js';

/** This process's share of the anycast events. */
export class AnycastSource extends RetryingSource {
  constructor(spec: SourceSpec, sink: Sink, host: RedisHost) {
    super(spec, sink, host, 'anycast', ANYCAST_GROUP, undefined);
  }

  protected keyOf(type: string): string {
    return this.host.keys.anycast(type);
  }

  protected override rank(type: string, counter: number): number {
    return this.host.membership.rank(counter, undefined, type);
  }

  protected async restoreEvents(stream: StreamState): Promise<void> {
    await this.host.connection
      .run((client) => client.xgroup('CREATE', stream.key, this.group, '0'))
      .catch(ignoreBusyGroup);
  }
}

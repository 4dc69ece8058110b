import { GroupSource } from './group-source.js';
import { ignoreBusyGroup } from './reply-errors.js';
import type { StreamState } from './stream-state.js';

/** This process's share of the anycast events. */
export class AnycastSource extends GroupSource {
  protected readonly label = '';

  protected keyOf(type: string): string {
    return this.host.keys.anycast(type);
  }

  protected override rank(type: string, counter: number): number {
    return this.host.membership.rank(counter, undefined, type);
  }

  protected releaseWake(stream: StreamState): readonly [string, string] {
    return [this.host.keys.wake(stream.type), 'ra'];
  }

  protected async restoreGroup(stream: StreamState): Promise<void> {
    await this.host.connection
      .run((client) => client.xgroup('CREATE', stream.key, this.group, '0'))
      .catch(ignoreBusyGroup);
  }
}

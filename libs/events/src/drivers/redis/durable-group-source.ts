import type { Sink, SourceSpec, StartFrom } from '../../ports/driver.js';
import type { RedisHost } from './redis-host.js';
import { ignoreBusyGroup } from './reply-errors.js';
import { RetryingSource } from './retrying-source.js';
import type { StreamState } from './stream-state.js';

/** A durable group's share of the broadcast events. */
export class DurableGroupSource extends RetryingSource {
  /** Name of the group. */
  readonly name: string;

  constructor(spec: SourceSpec & { readonly kind: 'group' }, sink: Sink, host: RedisHost) {
    super(spec, sink, host, 'broadcast', spec.group, spec.group);
    this.name = spec.group;
  }

  protected keyOf(type: string): string {
    return this.host.keys.log(type);
  }

  protected override begin(pattern: string, startFrom: StartFrom): Promise<void> {
    return this.host.types.declare(this.group, pattern, startFrom, this.host.openedAt);
  }

  override restored(): void {
    this.redeclare();
    super.restored();
  }

  /** Declares the patterns again, for a server that has lost its data; elsewhere it changes nothing. */
  redeclare(): void {
    const { types, readFailed } = this.host;
    Promise.all([...this.patterns].map((pattern) => types.declare(this.group, pattern, 'earliest', 0))).catch(
      (error: unknown) => {
        readFailed(`the declaration of group '${this.group}'`, error);
      },
    );
  }

  protected override rank(type: string, counter: number): number {
    return this.host.membership.rank(counter, this.group, type);
  }

  protected async restoreEvents(stream: StreamState): Promise<void> {
    if (stream.joined)
      this.host.warn({
        cause: 'group-lost',
        message: `group '${this.group}' was missing on '${stream.type}'; it begins at what is retained`,
        details: { group: this.group, type: stream.type },
      });
    await this.host.types.restoreGroup(this.group, stream.type, this.patterns);
    await this.host.connection
      .run((client) => client.xgroup('CREATE', stream.key, this.group, '0', 'MKSTREAM'))
      .catch(ignoreBusyGroup);
  }
}

import type { Delivery, Verdict } from '../../core/delivery.js';
import type { Gate, Sink, SourceSpec, StartFrom } from '../../ports/driver.js';
import { fileLetters } from './dead-letters.js';
import type { RedisHost } from './redis-host.js';
import { compareIds, type Entry, type RedisDelivery, type StreamState } from './stream-state.js';
import { StreamSource } from './stream-source.js';

/** Lets pass, of each type, what came after an id; the streams are read in order, so the first to pass is not the last. */
class IdGate implements Gate {
  constructor(private readonly after: Map<string, string>) {}

  get spent(): boolean {
    return this.after.size === 0;
  }

  admits(delivery: Delivery): boolean {
    const id = this.after.get(delivery.type);
    if (id === undefined) return true;
    if (compareIds((delivery as RedisDelivery).entryId, id) <= 0) return false;
    this.after.delete(delivery.type);
    return true;
  }
}

type StreamReply = readonly (readonly [key: string, entries: readonly Entry[]])[] | null;

/**
 * Every broadcast event, for this process alone: a cursor a type, kept in memory. What retention took away before it was
 * read is told as one gap.
 */
export class ProcessSource extends StreamSource {
  constructor(spec: SourceSpec, sink: Sink, host: RedisHost) {
    super(spec, sink, host, 'broadcast');
  }

  /** Nothing is pending for a process: there is nothing to settle but failures to file. */
  settle(delivery: Delivery, verdict: Verdict): void | Promise<void> {
    if (verdict.kind !== 'ack' || verdict.deadLetters === undefined) return;
    return fileLetters(this.host, delivery as RedisDelivery, verdict.deadLetters);
  }

  protected keyOf(type: string): string {
    return this.host.keys.log(type);
  }

  protected async begin(_pattern: string, startFrom: StartFrom, fresh: readonly StreamState[]): Promise<void> {
    if (startFrom === 'earliest') return;
    if (startFrom === 'open') {
      for (const stream of fresh) stream.cursor = `${String(this.host.openedAt - 1)}-18446744073709551615`;
      return;
    }
    await Promise.all(
      fresh.map(async (stream) => {
        stream.cursor = await this.lastId(stream.key);
        stream.seen = stream.cursor;
      }),
    );
  }

  protected override async gate(types: readonly string[]): Promise<Gate | undefined> {
    if (types.length === 0) return undefined;
    const rows = await Promise.all(types.map(async (type) => [type, await this.lastId(this.keyOf(type))] as const));
    return new IdGate(new Map(rows));
  }

  protected async read(stream: StreamState, count: number): Promise<boolean> {
    const { connection, serverClock, limits } = this.host;
    if (stream.suspect) await this.lookForGap(stream);
    const reply = (await connection.run((client) =>
      client.xread('COUNT', count, 'STREAMS', stream.key, stream.cursor),
    )) as StreamReply;
    const entries = reply?.[0]?.[1] ?? [];
    // What follows a cursor that is old may not be what followed it once.
    const behind = serverClock.now() - Number.parseInt(stream.cursor, 10) > limits.retention / 2;
    if (entries.length > 0 && behind && stream.cursor !== '0-0') await this.lookForGap(stream);
    for (const entry of entries) {
      stream.cursor = entry[0];
      stream.seen = entry[0];
      this.sink.deliver(this.delivery(stream, entry));
    }
    return entries.length >= count;
  }

  /** Tells of entries that were trimmed before this process read them, and of a stream that began anew. */
  private async lookForGap(stream: StreamState): Promise<void> {
    const info = await this.info(stream.key);
    stream.suspect = false;
    const { type, cursor, seen } = stream;
    if (info === undefined || cursor === '0-0') return;
    if (compareIds(info.deleted, cursor) > 0) {
      this.host.warn({
        cause: 'gap',
        message: `events of '${type}' after ${cursor} and up to ${info.deleted} were gone before this process read them (retention)`,
        details: { type, from: cursor, to: info.deleted },
      });
    }
    if (compareIds(info.last, seen) < 0) {
      stream.cursor = '0-0';
      stream.seen = '0-0';
      this.host.warn({
        cause: 'gap',
        message: `the stream of '${type}' began anew; events after ${cursor} may be lost`,
        details: { type, from: cursor },
      });
    }
  }

  private async lastId(key: string): Promise<string> {
    return (await this.info(key))?.last ?? '0-0';
  }

  private async info(key: string): Promise<{ last: string; deleted: string } | undefined> {
    try {
      const raw = (await this.host.connection.persist((client) => client.xinfo('STREAM', key))) as unknown[];
      const at = (name: string): string => String(raw[raw.indexOf(name) + 1]);
      return { last: at('last-generated-id'), deleted: at('max-deleted-entry-id') };
    } catch (error) {
      if (error instanceof Error && error.message.includes('no such key')) return undefined;
      throw error;
    }
  }
}

import { afterIo, type Timer } from '../../core/clock.js';
import type { Delivery, Verdict } from '../../core/delivery.js';
import { isEventsError } from '../../core/errors.js';
import type { EventMode } from '../../core/envelope.js';
import type { Sink, SourceSpec, StartFrom } from '../../ports/driver.js';
import type { RedisHost } from './redis-host.js';
import { type RedisDelivery, type Entry, type StreamState } from './stream-state.js';
import { StreamSource, type Wake } from './stream-source.js';

/** How long those wait whose turn it is not, ms. */
const TURN_WAIT = 100;
/** Entries that one call renews, and entries that one acknowledges. */
const CHUNK = 200;

type StreamReply = readonly (readonly [key: string, entries: readonly Entry[]])[] | null;
type Claimed = readonly [
  cursor: string,
  rows: readonly (readonly [string, readonly string[] | null, number])[],
  gone: readonly string[],
];

/**
 * Entries that are taken by one member of a stream group and pending until they are settled: durable groups, anycast,
 * the inbox.
 */
export abstract class GroupSource extends StreamSource {
  /** Streams with something in flight; also such as are not read any more. */
  private readonly held = new Set<StreamState>();
  private readonly waitingForTurn = new Set<StreamState>();
  private turnTimer: Timer | undefined;
  private flushing: Promise<void> | undefined;
  private claimTurn = 0;

  constructor(
    spec: SourceSpec,
    sink: Sink,
    host: RedisHost,
    mode: EventMode,
    /** Name of the stream group. */
    protected readonly group: string,
  ) {
    super(spec, sink, host, mode);
  }

  /** Creates the stream group where it is missing. */
  protected abstract restoreGroup(stream: StreamState): Promise<void>;
  /** Channel and message that make other members claim what was released. */
  protected abstract releaseWake(stream: StreamState): readonly [channel: string, message: string];
  /** Ends a delivery that leaves something behind: dead letters, retries. */
  protected abstract record(entry: RedisDelivery, verdict: Verdict & { readonly kind: 'ack' }): Promise<void>;

  protected begin(_pattern: string, _startFrom: StartFrom, _fresh: readonly StreamState[]): Promise<void> {
    return Promise.resolve();
  }

  settle(delivery: Delivery, verdict: Verdict): Promise<void> {
    const entry = delivery as RedisDelivery;
    const { stream } = entry;
    if (verdict.kind === 'release') return this.release(entry);
    if (verdict.kind === 'ack' && (verdict.deadLetters !== undefined || verdict.retries !== undefined))
      return this.record(entry, verdict);
    if (stream.acks.length === 0) this.held.add(stream);
    stream.acks.push(entry.entryId);
    if (entry.noted !== undefined) stream.noted = true;
    this.flushing ??= new Promise<void>((resolve) => {
      afterIo(resolve);
    }).then(() => this.flush());
    return this.flushing;
  }

  override wake(type: string, wake: Wake): void {
    const stream = this.streams.get(type);
    if (stream !== undefined) this.takeTurn(stream, wake);
  }

  /** Somebody gave entries back: claim them. */
  claim(type: string): void {
    const stream = this.streams.get(type);
    if (stream === undefined) return;
    stream.claimable = true;
    this.pull();
  }

  /** Looks, on a few streams in turn, for entries whose consumer is silent. */
  claimSome(count: number): void {
    const streams = [...this.streams.values()];
    for (let index = 0; index < Math.min(count, streams.length); index++) {
      const stream = streams[this.claimTurn++ % streams.length];
      if (stream !== undefined) stream.claimable = true;
    }
    this.pull();
  }

  /** Renews the claim on everything in flight; tells the consumer what is lost. */
  async extend(): Promise<void> {
    for (const stream of this.held) {
      const ids = [...stream.inFlight.keys()];
      if (ids.length === 0) this.held.delete(stream);
      for (let start = 0; start < ids.length; start += CHUNK) {
        const chunk = ids.slice(start, start + CHUNK);
        const lost = (await this.host.connection.script('extend', [
          stream.key,
          this.group,
          this.host.instanceId,
          ...chunk,
        ])) as string[];
        for (const id of lost) this.lost(stream, id);
      }
    }
  }

  override restored(): void {
    for (const stream of this.streams.values()) stream.unsure = true;
    super.restored();
  }

  override async close(): Promise<void> {
    await this.pause();
    this.turnTimer?.cancel();
    await this.flushing;
    await super.close();
  }

  protected rank(_type: string, _counter: number): number {
    return 0;
  }

  /** Something is to be done with a stream. */
  protected stir(stream: StreamState): void {
    stream.dirty = true;
    this.pull();
  }

  /** Reads at once where it is this process's turn, a little later where it is another's. */
  protected takeTurn(stream: StreamState, wake: Wake): void {
    const rank =
      wake.preferred === this.host.instanceId
        ? 0
        : wake.preferred === undefined
          ? this.rank(stream.type, wake.counter)
          : 1;
    if (rank === 0) {
      this.stir(stream);
      return;
    }
    this.waitingForTurn.add(stream);
    this.turnTimer ??= this.host.clock.after(TURN_WAIT, () => {
      this.turnTimer = undefined;
      const streams = [...this.waitingForTurn];
      this.waitingForTurn.clear();
      for (const each of streams) this.stir(each);
    });
  }

  protected async read(stream: StreamState, count: number): Promise<boolean> {
    try {
      let room = count;
      // Older entries first: what was read before, then what others left, then what is new.
      if (stream.unsure) room -= await this.recover(stream, room);
      if (room > 0 && stream.claimable) room -= await this.claimSilent(stream, room);
      return room <= 0 || (await this.readNew(stream, room)) >= room;
    } catch (error) {
      if (isEventsError(error, 'BACKEND_UNAVAILABLE')) stream.unsure = true;
      if (!(error instanceof Error && error.message.startsWith('NOGROUP'))) throw error;
      stream.unsure = false;
      return this.restore(stream);
    }
  }

  private async readNew(stream: StreamState, count: number): Promise<number> {
    const { connection, instanceId } = this.host;
    const reply = (await connection.run((client) =>
      client.xreadgroup('GROUP', this.group, instanceId, 'COUNT', count, 'STREAMS', stream.key, '>'),
    )) as StreamReply;
    const entries = reply?.[0]?.[1] ?? [];
    stream.joined = true;
    // In flight already: the group was destroyed, and begins anew.
    for (const entry of entries) if (!stream.inFlight.has(entry[0])) this.handOver(this.delivery(stream, entry));
    return entries.length;
  }

  /** What others gave back before this process came waits to be claimed. */
  protected override open(type: string): StreamState {
    const stream = super.open(type);
    stream.claimable = true;
    return stream;
  }

  /** Removes this consumer where it holds nothing; what it holds stays for the others. */
  protected override async drop(stream: StreamState): Promise<void> {
    if (stream.inFlight.size > 0) return;
    await this.host.connection
      .script('leaveGroup', [stream.key, this.group, this.host.instanceId])
      .catch(() => undefined);
  }

  protected handOver(delivery: RedisDelivery): void {
    delivery.stream.inFlight.set(delivery.entryId, delivery);
    if (delivery.stream.inFlight.size === 1) this.held.add(delivery.stream);
    this.sink.deliver(delivery);
  }

  /** Ends entries that succeeded; late is not too late. `noted`: one of them was handled alone. */
  protected async acknowledge(stream: StreamState, ids: readonly string[], _noted: boolean): Promise<void> {
    await this.host.connection.persist((client) => client.xack(stream.key, this.group, ...ids));
  }

  private async flush(): Promise<void> {
    this.flushing = undefined;
    await Promise.all(
      [...this.held]
        .filter(({ acks }) => acks.length > 0)
        .map(async (stream) => {
          const { acks: ids, noted } = stream;
          stream.acks = [];
          stream.noted = false;
          for (let start = 0; start < ids.length; start += 1_000) {
            await this.acknowledge(stream, ids.slice(start, start + 1_000), noted);
          }
          for (const id of ids) stream.inFlight.delete(id);
        }),
    );
  }

  /** Gives a delivery back, uncounted, for others to have at once. */
  protected async release(entry: RedisDelivery): Promise<void> {
    const { connection, instanceId, limits } = this.host;
    const { stream, entryId } = entry;
    const [channel, message] = this.releaseWake(stream);
    await connection.persistScript('release', [
      stream.key,
      this.group,
      instanceId,
      limits.reclaimAfter + 1,
      channel,
      message,
      entryId,
    ]);
    stream.inFlight.delete(entryId);
  }

  /** Takes over what its consumers are silent about. */
  private async claimSilent(stream: StreamState, count: number): Promise<number> {
    // What is given back from now on may lie behind the cursor: it is another reason to look.
    stream.claimable = false;
    let cursor = '0-0';
    let taken = 0;
    try {
      do {
        const [next, rows, gone] = await this.reclaim(stream, count - taken, cursor);
        for (const [id, fields, deliveries] of rows) {
          if (stream.inFlight.has(id)) continue;
          taken++;
          this.handOver(this.delivery(stream, [id, fields], deliveries));
        }
        if (gone.length > 0) this.tellGone(stream, gone);
        cursor = next;
      } while (cursor !== '0-0' && taken < count);
    } catch (error) {
      stream.claimable = true;
      throw error;
    }
    if (cursor !== '0-0') stream.claimable = true;
    return taken;
  }

  private async reclaim(stream: StreamState, count: number, cursor: string): Promise<Claimed> {
    const { connection, instanceId, limits } = this.host;
    const args = [stream.key, this.group, instanceId, limits.reclaimAfter, count, cursor];
    return (await connection.script('reclaim', args)) as Claimed;
  }

  private tellGone({ type }: StreamState, entries: readonly string[]): void {
    this.host.warn({
      cause: 'gap',
      message: `${String(entries.length)} pending events of '${type}' were deleted by somebody else`,
      details: { type, entries },
    });
  }

  /** After a lost reply: what was read then is pending here and nobody handles it. */
  private async recover(stream: StreamState, count: number): Promise<number> {
    const most = stream.inFlight.size + count;
    const args = [stream.key, this.group, this.host.instanceId, most];
    const rows = (await this.host.connection.script('ownPending', args)) as Claimed[1];
    let taken = 0;
    for (const [id, fields, deliveries] of rows) {
      if (taken >= count || stream.inFlight.has(id) || fields === null) continue;
      taken++;
      this.handOver(this.delivery(stream, [id, fields], deliveries));
    }
    if (rows.length < most || taken === 0) stream.unsure = false;
    return taken;
  }

  private async restore(stream: StreamState): Promise<boolean> {
    const exists = await this.host.connection.run((client) => client.exists(stream.key));
    if (exists === 0) {
      // Nobody can have left anything there; else it would be looked at again and again until the first event comes.
      stream.claimable = false;
      return false;
    }
    await this.restoreGroup(stream);
    return true;
  }

  private lost(stream: StreamState, id: string): void {
    const delivery = stream.inFlight.get(id);
    if (delivery === undefined || stream.acks.includes(id)) return;
    stream.inFlight.delete(id);
    this.sink.revoke(delivery);
  }
}

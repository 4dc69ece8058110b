import { type DeadLetterRow, type Delivery, type RetryRow, type Verdict } from '../../core/delivery.js';
import type { EventMode } from '../../core/envelope.js';
import type { Sink, SourceSpec } from '../../ports/driver.js';
import { callScript, type Argument } from './commands.js';
import { copyToDeadLetters, indexLetters, tellDead } from './dead-letters.js';
import { bodyArgs, rowArgs } from './letter.js';
import { GroupSource } from './group-source.js';
import { Redelivery } from './redelivery.js';
import type { RedisHost } from './redis-host.js';
import { ignoreBusyGroup } from './reply-errors.js';
import type { RedisDelivery, StreamState } from './stream-state.js';

/** How long the notes of what was handled alone are kept after the last one, ms. */
const NOTES_KEPT = 7 * 24 * 3_600_000;

type Acknowledgement = Verdict & { readonly kind: 'ack' };
type Settled = readonly [status: 'OK' | 'STALE' | 'BIG' | 'LOST', wait: string];

/** A group source with durable retries: it reads, of each type, its stream of redeliveries beside that of the events. */
export abstract class RetryingSource extends GroupSource {
  protected readonly redelivery: Redelivery;

  constructor(
    spec: SourceSpec,
    sink: Sink,
    host: RedisHost,
    mode: EventMode,
    /** Name of the stream group. */
    streamGroup: string,
    /** Name of the durable group; undefined for anycast. */
    readonly groupName: string | undefined,
  ) {
    super(spec, sink, host, mode, streamGroup);
    this.redelivery = new Redelivery(host, streamGroup, groupName, () => {
      this.pull();
    });
  }

  /** Creates the stream group of the events where it is missing. */
  protected abstract restoreEvents(stream: StreamState): Promise<void>;

  /** There are redeliveries of a type; `counter` says whose turn it is to read them. */
  redeliver(type: string, counter: number): void {
    const stream = this.redelivery.get(type);
    if (stream !== undefined) this.takeTurn(stream, { counter });
  }

  /** Somebody gave redeliveries back: claim them. */
  claimRedeliveries(type: string): void {
    const stream = this.redelivery.get(type);
    if (stream === undefined) return;
    stream.claimable = true;
    this.redelivery.stir(stream);
  }

  override look(type: string, fresh = false): void {
    super.look(type, fresh);
    this.redelivery.look(type, fresh);
  }

  override restored(): void {
    super.restored();
    this.redelivery.restored();
  }

  override async alone(delivery: Delivery): Promise<number> {
    const entry = delivery as RedisDelivery;
    const { crashes, mark } = entry;
    // Also when the call fails: it may have been noted.
    entry.noted = mark.crashesAlone;
    const args = [this.soloKey(entry), noteOf(entry), crashes, NOTES_KEPT, mark.crashesAlone];
    entry.noted = Number(await this.host.connection.persistScript('alone', args));
    return entry.noted;
  }

  override async pause(): Promise<void> {
    this.redelivery.end();
    await super.pause();
  }

  protected override open(type: string): StreamState {
    this.redelivery.open(type);
    return super.open(type);
  }

  protected override async drop(stream: StreamState): Promise<void> {
    const redo = this.redelivery.drop(stream.type);
    await Promise.all([super.drop(stream), redo?.joined === true ? super.drop(redo) : undefined]);
  }

  protected override busy(): StreamState[] {
    return [...this.redelivery.busy(), ...super.busy()];
  }

  protected override stir(stream: StreamState): void {
    super.stir(stream);
    if (stream.redo) this.redelivery.stir(stream);
  }

  protected override async acknowledge(stream: StreamState, ids: readonly string[], noted: boolean): Promise<void> {
    if (!stream.redo && !noted) return super.acknowledge(stream, ids, noted);
    const solo = this.host.keys.solo(stream.type, this.groupName);
    const args = [this.group, stream.redo ? 'r' : '', ...ids];
    await this.host.connection.persistScript('finish', [stream.key, solo, ...args]);
  }

  protected releaseWake({ type, redo }: StreamState): readonly [string, string] {
    const group = this.groupName;
    const [anycast, durable] = redo ? ['rca', 'rc'] : ['ra', 'rb'];
    return [this.host.keys.wake(type), group === undefined ? anycast : `${durable} ${group}`];
  }

  protected restoreGroup(stream: StreamState): Promise<void> {
    return stream.redo ? this.restoreRedeliveries(stream) : this.restoreEvents(stream);
  }

  /** Not alone any more, and nobody died: what was noted does not count. */
  protected override async release(entry: RedisDelivery): Promise<void> {
    const { noted } = entry;
    if (noted !== undefined)
      await this.host.connection.persist((client) =>
        client.hset(this.soloKey(entry), noteOf(entry), `${String(noted)} -1`),
      );
    await super.release(entry);
  }

  /** Dead letters, retries and the acknowledgement, in one script. */
  protected async record(entry: RedisDelivery, { deadLetters = [], retries = [] }: Acknowledgement): Promise<void> {
    const { stream, entryId, event } = entry;
    try {
      let [status, wait] = await this.settleOnce(entry, deadLetters, retries);
      // Somebody deleted the entry; what was read of it is as good.
      if (status === 'LOST' && event !== undefined)
        [status, wait] = await this.settleOnce(entry, deadLetters, retries, bodyArgs(event));
      if (status === 'OK') {
        this.redelivery.keepTime(stream.type, wait);
        if (deadLetters.length > 0) await this.tellFiled(entry, deadLetters);
      } else if (status === 'BIG') await this.recordBig(entry, [...deadLetters, ...retries.map(givenUp)]);
      else if (status === 'LOST') await this.acknowledge(stream, [entryId], true);
      else this.tellStale(entry);
    } finally {
      // Where it could not be settled, its claim runs out and it comes again.
      stream.inFlight.delete(entryId);
    }
  }

  private async settleOnce(
    entry: RedisDelivery,
    letters: readonly DeadLetterRow[],
    retries: readonly RetryRow[],
    body: readonly [ce: string, data: string] = ['', ''],
  ): Promise<Settled> {
    const { connection, keys, instanceId } = this.host;
    const { stream, entryId, mark } = entry;
    const { type } = stream;
    const group = this.groupName;
    const args = [
      stream.key,
      keys.dead(type),
      keys.redo(type, group),
      keys.wait(type, group),
      keys.solo(type, group),
      ...[this.group, instanceId, entryId, entry.origin, group ?? '', this.modeOf(entry), mark.operation],
      ...[keys.wake(type), this.redelivery.wakeMessage(), ...body, entry.crashes, mark.crashesAlone, letters.length],
      ...letters.flatMap(rowArgs),
      ...retries.flatMap((row) => retryArgs(entry, row)),
    ];
    let calls = 0;
    const settled = (await connection.persist((client) => {
      calls++;
      return callScript(client, 'settle', args);
    })) as Settled;
    // The answer of the first call was lost, not its effect: the entry is settled.
    return settled[0] === 'STALE' && calls > 1 ? ['OK', '0'] : settled;
  }

  /** An entry that no script can copy: its failures are filed by a copy from here, and it is not tried again. */
  private async recordBig(entry: RedisDelivery, rows: readonly DeadLetterRow[]): Promise<void> {
    const { connection, clock } = this.host;
    const { stream, entryId: id } = entry;
    const head = { group: this.groupName ?? '', mode: this.modeOf(entry), at: clock.now() };
    await connection.persist(() => copyToDeadLetters(this.host, stream.type, { stream: stream.key, id }, rows, head));
    await this.acknowledge(stream, [id], true);
    tellDead(this.host, entry, rows, head.group);
  }

  private async tellFiled(entry: RedisDelivery, rows: readonly DeadLetterRow[]): Promise<void> {
    await indexLetters(this.host, entry.stream.type);
    tellDead(this.host, entry, rows, this.groupName ?? '');
  }

  private tellStale({ type, entryId }: RedisDelivery): void {
    this.host.warn({
      cause: 'reclaimed',
      message: `'${type}' ${entryId} was taken over by another process before its failure could be settled`,
      details: { type, entry: entryId },
    });
  }

  private soloKey({ stream }: RedisDelivery): string {
    return this.host.keys.solo(stream.type, this.groupName);
  }

  private modeOf({ event, mark }: RedisDelivery): EventMode {
    return event?.mode ?? mark.mode ?? this.mode;
  }

  /** What is there is read from the start: nothing of it has ended. */
  private async restoreRedeliveries(stream: StreamState): Promise<void> {
    await this.host.connection
      .run((client) => client.xgroup('CREATE', stream.key, this.group, '0'))
      .catch(ignoreBusyGroup);
  }
}

/**
 * A retry as the script takes it. What was not handled (somebody else's claim, no such handler here) keeps the deaths that
 * it has behind it: otherwise none would ever add up.
 */
function retryArgs(entry: RedisDelivery, { handler = '', delay, attempt, failures, since }: RetryRow): Argument[] {
  const same = failures === entry.failures;
  const base = same ? attempt - entry.crashes : attempt;
  return [handler, Math.ceil(delay), Math.max(1, base), failures, since ?? '', same ? 1 : 0];
}

/** The field under which an entry is noted as handled alone. */
function noteOf({ stream, entryId }: RedisDelivery): string {
  return stream.redo ? `r${entryId}` : entryId;
}

/** The dead letter in place of a retry that cannot be stored. */
function givenUp({ handler, attempt, failures }: RetryRow): DeadLetterRow {
  return {
    handler,
    reason: failures > 0 ? 'handler-failed' : 'unhandled',
    attempts: Math.max(failures, attempt - 1),
    error: 'the entry has too many fields to be tried again',
  };
}

import type { Delivery, Verdict } from '../../core/delivery.js';
import type { EventMode } from '../../core/envelope.js';
import { messageOf } from '../../core/message-of.js';
import { hasWildcard, matches } from '../../core/pattern.js';
import type { Gate, Sink, Source, SourceSpec, StartFrom } from '../../ports/driver.js';
import { readEntry } from './codec.js';
import type { RedisHost } from './redis-host.js';
import { FIRST, readMark } from './redo-mark.js';
import { RedisDelivery, StreamState, type Entry } from './stream-state.js';

/** A wake-up: who shall read. */
export interface Wake {
  readonly counter: number;
  /** The instance that shall have it if it can. */
  readonly preferred?: string | undefined;
}

/** Streams read at once. */
const PARALLEL = 16;

/**
 * A subscriber's flow from the streams of its types: which streams there are, which may hold something, and one loop that
 * reads as much as there is room for.
 */
export abstract class StreamSource implements Source {
  readonly streams = new Map<string, StreamState>();
  protected readonly patterns = new Set<string>();
  protected paused = false;
  private scheduled = false;
  private reading: Promise<void> | undefined;
  private turn = 0;

  constructor(
    readonly spec: SourceSpec,
    protected readonly sink: Sink,
    protected readonly host: RedisHost,
    protected readonly mode: EventMode,
  ) {}

  protected abstract keyOf(type: string): string;
  /** Reads up to `count` entries and hands them over; true when there may be more. */
  protected abstract read(stream: StreamState, count: number): Promise<boolean>;
  abstract settle(delivery: Delivery, verdict: Verdict): void | Promise<void>;
  /** Prepares the streams that a pattern adds; they are read after that. */
  protected abstract begin(pattern: string, startFrom: StartFrom, fresh: readonly StreamState[]): Promise<void>;

  listening(): string[] {
    return [...this.patterns];
  }

  async listen(pattern: string, startFrom: StartFrom): Promise<Gate | undefined> {
    const known = [...this.streams.keys()].filter((type) => matches(pattern, type));
    const fresh = this.typesOf(pattern)
      .filter((type) => !this.streams.has(type))
      .map((type) => this.open(type));
    this.patterns.add(pattern);
    const gate = startFrom === 'new' ? await this.gate(known) : undefined;
    await this.begin(pattern, startFrom, fresh);
    for (const stream of fresh) if (!this.streams.has(stream.type)) this.streams.set(stream.type, stream);
    await this.host.connection.subscribe(...fresh.map(({ type }) => this.host.keys.wake(type)));
    for (const { type } of fresh) this.look(type, true);
    await this.host.announce();
    return gate;
  }

  async unlisten(pattern: string): Promise<void> {
    this.patterns.delete(pattern);
    const unused = [...this.streams.values()].filter((stream) => !this.wants(stream.type));
    for (const stream of unused) this.streams.delete(stream.type);
    await Promise.all([...unused.map((stream) => this.drop(stream)), this.host.announce()]);
    await this.host.forgetChannels(unused.map(({ type }) => type));
  }

  wants(type: string): boolean {
    for (const pattern of this.patterns) if (matches(pattern, type)) return true;
    return false;
  }

  /** A type is new on the bus: its entries count from the first one on. */
  found(type: string): void {
    if (this.streams.has(type) || !this.wants(type)) return;
    this.streams.set(type, this.open(type));
    void this.host.connection.subscribe(this.host.keys.wake(type)).then(() => {
      this.look(type, true);
    });
    this.touch(type);
  }

  /** The stream of a type may hold something: read it as soon as there is room. */
  touch(type: string): void {
    const stream = this.streams.get(type);
    if (stream === undefined) return;
    stream.dirty = true;
    this.pull();
  }

  /**
   * Nobody said anything about a type, but a message may have been missed: look at all that there is of it. `fresh`: for the
   * first time.
   */
  look(type: string, _fresh = false): void {
    this.touch(type);
  }

  /** Nothing is kept for this subscriber beyond the deaths of its consumers. */
  alone(_delivery: Delivery): Promise<number> {
    return Promise.resolve(0);
  }

  /** Somebody published. */
  wake(type: string, _wake: Wake): void {
    this.touch(type);
  }

  /** The connection is there again: anything may have been missed. */
  restored(): void {
    for (const stream of this.streams.values()) {
      stream.dirty = true;
      stream.suspect = true;
    }
    this.pull();
  }

  pull(): void {
    if (this.scheduled || this.paused) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.reading ??= this.readAll().finally(() => {
        this.reading = undefined;
      });
    });
  }

  async pause(): Promise<void> {
    this.paused = true;
    await this.reading;
  }

  async close(): Promise<void> {
    await this.pause();
    await Promise.all([...this.streams.values()].map((stream) => this.drop(stream)));
    this.patterns.clear();
    this.host.detach(this);
  }

  /** A stream that this process begins to read. */
  protected open(type: string): StreamState {
    return new StreamState(type, this.keyOf(type));
  }

  /** This process no longer reads the stream. */
  protected drop(_stream: StreamState): Promise<void> {
    return Promise.resolve();
  }

  /** Tells, for types that are read already, what came after now. */
  protected gate(_types: readonly string[]): Promise<Gate | undefined> {
    return Promise.resolve(undefined);
  }

  /** Streams that have something to do, the older entries first. */
  protected busy(): StreamState[] {
    return [...this.streams.values()].filter((stream) => stream.busy);
  }

  protected delivery(stream: StreamState, [id, fields]: Entry, deliveries = 1): RedisDelivery {
    const type = this.typeOf(stream);
    let mark = FIRST;
    let original = fields ?? [];
    if (stream.redo) [mark, original] = readMark(original);
    const crashes = Math.max(0, deliveries - 1) + mark.crashes;
    try {
      const event = readEntry(type, mark.mode ?? this.mode, mark.origin === '' ? id : mark.origin, original);
      return new RedisDelivery(id, stream, event.type, event, undefined, crashes, mark);
    } catch (error) {
      return new RedisDelivery(id, stream, type, undefined, messageOf(error), crashes, mark);
    }
  }

  protected typeOf(stream: StreamState): string {
    return stream.type;
  }

  private typesOf(pattern: string): string[] {
    const known = [...this.host.types.all()].filter((type) => matches(pattern, type));
    return hasWildcard(pattern) || known.includes(pattern) ? known : [...known, pattern];
  }

  private async readAll(): Promise<void> {
    while (!this.paused) {
      const room = this.sink.room();
      if (room <= 0 || !this.host.connection.isUp) return;
      const streams = this.next(Math.min(room, PARALLEL));
      if (streams.length === 0) return;
      const share = Math.max(1, Math.floor(room / streams.length));
      await Promise.all(streams.map((stream) => this.readOne(stream, share)));
    }
  }

  private async readOne(stream: StreamState, count: number): Promise<void> {
    stream.dirty = false;
    try {
      if (await this.read(stream, count)) stream.dirty = true;
    } catch (error) {
      // Whatever it was, the stream is read again: when the connection is back, or by the next poll.
      if (this.host.connection.isUp) this.host.readFailed(stream.key, error);
      // Never at once: a client may refuse commands before it says that its connection is gone.
      await this.host.connection.rest();
    }
  }

  /** Busy streams in turn, so that a full one does not keep the others waiting. */
  private next(count: number): StreamState[] {
    const busy = this.busy();
    if (busy.length <= count) return busy;
    const first = this.turn++ % busy.length;
    return [...busy.slice(first), ...busy.slice(0, first)].slice(0, count);
  }
}

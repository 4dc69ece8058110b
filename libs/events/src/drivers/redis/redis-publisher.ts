import type { EventEnvelope, EventMode } from '../../core/envelope.js';
import { EventsOverloadedError, NoSuchInstanceError, StreamFullError } from '../../core/errors.js';
import type { DriverWarning } from '../../ports/driver.js';
import type { Batch } from './batch.js';
import { packAttributes, packOrigin } from './codec.js';
import { GRACE, type Connection } from './connection.js';
import { ANYCAST_GROUP, type Keys } from './keys.js';
import { PublishLane, type BatchReply, type LaneHost, type LaneTarget } from './publish-lane.js';
import { ignoreBusyGroup } from './reply-errors.js';
import type { ServerClock } from './server-clock.js';
import type { TypeRegistry } from './type-registry.js';

/** Events that travel in one call. */
const MAX_BATCH = 500;
/** Events, and characters of them, that may wait to be sent. */
const MAX_BUFFERED = 100_000;
const MAX_BUFFERED_SIZE = 64 * (1 << 20);
/** Idle lanes that are kept. */
const MAX_LANES = 1_000;

export interface PublisherHost {
  readonly bus: string;
  readonly service: string;
  readonly instanceId: string;
  readonly keys: Keys;
  readonly connection: Connection;
  readonly types: TypeRegistry;
  readonly serverClock: ServerClock;
  readonly limits: { readonly maxLength: number; readonly overflow: string };
  readonly warn: (warning: DriverWarning) => void;
}

/** Stores events in the streams of their types and inboxes, one lane a stream. */
export class RedisPublisher implements LaneHost {
  readonly grace = GRACE;
  readonly batch: number;
  readonly connection: Connection;
  /** By type; unicast by target. */
  private readonly broadcast = new Map<string, PublishLane>();
  private readonly anycast = new Map<string, PublishLane>();
  private readonly anycastLocal = new Map<string, PublishLane>();
  private readonly unicast = new Map<string, PublishLane>();
  /** Who publishes, unless an event says another source. */
  private readonly service: string;
  private readonly origin: string;
  private buffered = 0;
  private bufferedSize = 0;
  /** Rotates who reads at once: it travels with every wake-up. */
  private counter = Math.floor(Math.random() * 1_000);

  constructor(private readonly host: PublisherHost) {
    this.connection = host.connection;
    this.service = host.service;
    this.origin = packOrigin({ source: host.service, sourceInstance: host.instanceId });
    this.batch = Math.min(MAX_BATCH, host.limits.maxLength);
  }

  publish(event: EventEnvelope, preferLocal: boolean): Promise<number> {
    const ce = packAttributes(event, event.source === this.service ? this.origin : undefined);
    const data = event.text ?? '';
    const size = ce.length + data.length;
    if (
      this.buffered >= MAX_BUFFERED ||
      this.bufferedSize + size > MAX_BUFFERED_SIZE + size * Number(this.buffered === 0)
    ) {
      return Promise.reject(new EventsOverloadedError(this.host.bus, `${String(this.buffered)} events`));
    }
    this.buffered++;
    this.bufferedSize += size;
    return new Promise((resolve, reject) => {
      this.lane(event, preferLocal).push({ ce, data, resolve, reject });
    });
  }

  sent(events: number, size: number): void {
    this.buffered -= events;
    this.bufferedSize -= size;
  }

  serverIdNow(): string {
    return this.host.serverClock.idBefore();
  }

  private lane(event: EventEnvelope, preferLocal: boolean): PublishLane {
    const { mode, type, target = '' } = event;
    const lanes = this.lanesOf(mode, preferLocal);
    const key = mode === 'unicast' ? target : type;
    let lane = lanes.get(key);
    if (lane === undefined) {
      const forget = (): void => {
        if (lanes.size > MAX_LANES) lanes.delete(key);
      };
      lane = new PublishLane(this, this.target(event, preferLocal), forget);
      lanes.set(key, lane);
    }
    return lane;
  }

  private lanesOf(mode: EventMode, preferLocal: boolean): Map<string, PublishLane> {
    if (mode === 'unicast') return this.unicast;
    if (mode !== 'anycast') return this.broadcast;
    return preferLocal ? this.anycastLocal : this.anycast;
  }

  private target({ mode, type, target = '' }: EventEnvelope, preferLocal: boolean): LaneTarget {
    if (mode === 'unicast') return this.inboxTarget(target);
    return mode === 'anycast' ? this.anycastTarget(type, preferLocal) : this.logTarget(type);
  }

  private logTarget(type: string): LaneTarget {
    const { keys, types } = this.host;
    let create = '0';
    return {
      ...this.streamTarget(type),
      send: async (batch, since) => {
        const mayCreate = create;
        create = '0';
        const message = `b ${String(this.counter++)}`;
        const reply = await this.append(keys.log(type), mayCreate, since, keys.wake(type), message, batch);
        // The stream may have been reaped between registration and this: make sure that type and groups are there.
        if (mayCreate === '1' && reply[0] === 'OK') await types.register(type);
        return reply;
      },
      prepare: async () => {
        await types.register(type);
        create = '1';
      },
    };
  }

  private anycastTarget(type: string, preferLocal: boolean): LaneTarget {
    const { keys, types, connection, instanceId } = this.host;
    const message = (): string =>
      preferLocal ? `a ${String(this.counter++)} ${instanceId}` : `a ${String(this.counter++)}`;
    return {
      ...this.streamTarget(type),
      send: (batch, since) => this.append(keys.anycast(type), '0', since, keys.wake(type), message(), batch),
      prepare: async () => {
        await types.register(type);
        await connection
          .run((client) => client.xgroup('CREATE', keys.anycast(type), ANYCAST_GROUP, '0', 'MKSTREAM'))
          .catch(ignoreBusyGroup);
      },
    };
  }

  private inboxTarget(target: string): LaneTarget {
    const { keys, connection, limits, bus } = this.host;
    return {
      send: (batch, since) =>
        connection.script('send', [
          keys.inbox(target),
          keys.alive(target),
          since,
          limits.maxLength,
          keys.to(target),
          'i',
          ...batch,
        ]) as Promise<BatchReply>,
      prepare: () => Promise.resolve(),
      refusal: (reply) =>
        reply === 'GONE'
          ? new NoSuchInstanceError(target, bus)
          : new StreamFullError(`inbox of ${target}`, limits.maxLength),
      dropped: () => undefined,
    };
  }

  private streamTarget(type: string): Pick<LaneTarget, 'refusal' | 'dropped'> {
    const { limits, warn } = this.host;
    return {
      refusal: () => new StreamFullError(type, limits.maxLength),
      dropped: (count) => {
        warn({
          cause: 'drop',
          message: `'${type}' is full (maxLength); ${String(count)} unread events were dropped`,
          details: { type, count },
        });
      },
    };
  }

  private append(
    stream: string,
    create: string,
    since: string,
    channel: string,
    message: string,
    batch: Batch,
  ): Promise<BatchReply> {
    const { connection, limits } = this.host;
    return connection.script('publish', [
      stream,
      create,
      since,
      limits.maxLength,
      limits.overflow,
      channel,
      message,
      ...batch,
    ]) as Promise<BatchReply>;
  }
}

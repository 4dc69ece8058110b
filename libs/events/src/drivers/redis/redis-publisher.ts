import type { Clock } from '../../core/clock.js';
import type { EventEnvelope, EventMode } from '../../core/envelope.js';
import { isEventsError, NoSuchInstanceError, StreamFullError, UnroutableError } from '../../core/errors.js';
import { matches } from '../../core/pattern.js';
import type { DriverWarning, StoreOptions } from '../../ports/driver.js';
import type { Batch } from './batch.js';
import { packAttributes, packOrigin } from './codec.js';
import { GRACE, type Connection } from './connection.js';
import { ANYCAST_GROUP, type Keys } from './keys.js';
import type { Membership, Peer } from './membership.js';
import { PublishBuffer } from './publish-buffer.js';
import { PublishLane, type BatchReply, type LaneHost, type LaneTarget, type Waiting } from './publish-lane.js';
import { ignoreBusyGroup } from './reply-errors.js';
import type { ServerClock } from './server-clock.js';
import type { TypeRegistry } from './type-registry.js';

/** Events that travel in one call. */
const MAX_BATCH = 500;
/** Idle lanes that are kept. */
const MAX_LANES = 1_000;
/** Types that are remembered to be wanted. */
const MAX_WANTED = 10_000;

export interface PublisherHost {
  readonly bus: string;
  readonly service: string;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly keys: Keys;
  readonly connection: Connection;
  readonly types: TypeRegistry;
  readonly membership: Membership;
  readonly serverClock: ServerClock;
  readonly limits: { readonly maxLength: number; readonly overflow: string };
  readonly warn: (warning: DriverWarning) => void;
}

/** Stores events in the streams of their types and inboxes, one lane a stream. */
export class RedisPublisher implements LaneHost {
  readonly grace = GRACE;
  readonly batch: number;
  readonly bus: string;
  readonly clock: Clock;
  readonly connection: Connection;
  private readonly audience: Audience;
  /** By type; unicast by target. */
  private readonly broadcast = new Map<string, PublishLane>();
  private readonly anycast = new Map<string, PublishLane>();
  private readonly anycastLocal = new Map<string, PublishLane>();
  private readonly unicast = new Map<string, PublishLane>();
  /** Who publishes, unless an event says another source. */
  private readonly service: string;
  private readonly origin: string;
  private readonly buffer: PublishBuffer;
  /** Rotates who reads at once: it travels with every wake-up. */
  private counter = Math.floor(Math.random() * 1_000);

  constructor(private readonly host: PublisherHost) {
    this.bus = host.bus;
    this.clock = host.clock;
    this.connection = host.connection;
    this.audience = new Audience(host);
    this.buffer = new PublishBuffer(host.bus);
    this.service = host.service;
    this.origin = packOrigin({ source: host.service, sourceInstance: host.instanceId });
    this.batch = Math.min(MAX_BATCH, host.limits.maxLength);
  }

  publish(event: EventEnvelope, options?: StoreOptions): Promise<number> {
    const ce = packAttributes(event, event.source === this.service ? this.origin : undefined);
    const data = event.text ?? '';
    const overload = this.buffer.admit(ce.length + data.length);
    if (overload !== undefined) return Promise.reject(overload);
    const once = options?.deduplicate === true;
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { ce, data, once, resolve, reject };
      const preferLocal = options?.preferLocal === true;
      if (options?.mandatory === true && !this.audience.isKnown(event))
        void this.pushIfWanted(event, preferLocal, waiting);
      else this.lane(event, preferLocal).push(waiting);
    });
  }

  /** Asks the server who listens. Events published meanwhile, and known to be wanted, go first. */
  private async pushIfWanted(event: EventEnvelope, preferLocal: boolean, waiting: Waiting): Promise<void> {
    try {
      if (!(await this.audience.ask(event))) throw new UnroutableError(event.type, this.host.bus);
      this.lane(event, preferLocal).push(waiting);
    } catch (error) {
      this.sent(1, waiting.ce.length + waiting.data.length);
      // Nothing was sent but a question.
      waiting.reject(
        isEventsError(error, 'BACKEND_UNAVAILABLE')
          ? this.connection.unavailable('not-stored', error)
          : (error as Error),
      );
    }
  }

  sent(events: number, size: number): void {
    this.buffer.sent(events, size);
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
        const reply = await this.append(
          keys.log(type),
          keys.ids(type, 'log'),
          mayCreate,
          since,
          keys.wake(type),
          message,
          batch,
        );
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
      send: (batch, since) =>
        this.append(keys.anycast(type), keys.ids(type, 'any'), '0', since, keys.wake(type), message(), batch),
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
          idsFor(batch, keys.inbox(target), keys.inboxIds(target)),
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
    ids: string,
    create: string,
    since: string,
    channel: string,
    message: string,
    batch: Batch,
  ): Promise<BatchReply> {
    const { connection, limits } = this.host;
    return connection.script('publish', [
      stream,
      idsFor(batch, stream, ids),
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

/**
 * The key of the ids where the batch needs it, else that of the stream. While a Cluster moves a slot, commands with several
 * keys wait until the last of them has moved, and those with one go on.
 */
function idsFor([, , , once]: Batch, stream: string, ids: string): string {
  return once === '' ? stream : ids;
}

/** Who would get an event, as far as this process knows, or as the server tells. */
class Audience {
  /** Types that somebody wants, in the eyes of `view`. */
  private wanted = new Set<string>();
  private view: readonly Peer[] = [];

  constructor(private readonly host: Pick<PublisherHost, 'membership' | 'types'>) {}

  /** True when somebody wants the event; false: ask. What it knows is as old as the last beat. */
  isKnown(event: EventEnvelope): boolean {
    const peers = this.host.membership.all();
    if (event.mode === 'unicast') return isWantedBy(event, peers);
    if (this.view === peers && this.wanted.has(keyOf(event))) return true;
    return isWantedBy(event, peers) && this.remember(event, peers);
  }

  /** Reads who is there. @throws BackendUnavailableError */
  async ask(event: EventEnvelope): Promise<boolean> {
    const { membership, types } = this.host;
    if (isWantedBy(event, await membership.refresh())) return true;
    if (event.mode === 'unicast') return !membership.isAlive(event.target ?? '');
    // Only of broadcast events does a group get its own, whether or not a member is alive.
    if (event.mode === 'anycast' || (await types.groupsOf(event.type)).size === 0) return false;
    return this.remember(event, membership.all());
  }

  private remember(event: EventEnvelope, peers: readonly Peer[]): true {
    if (this.view !== peers || this.wanted.size >= MAX_WANTED) this.wanted = new Set();
    this.view = peers;
    this.wanted.add(keyOf(event));
    return true;
  }
}

function keyOf({ mode, type }: EventEnvelope): string {
  return `${mode} ${type}`;
}

/** A live process has a handler. A target that is not alive is none of this: its inbox refuses the event. */
function isWantedBy({ mode, type, target }: EventEnvelope, peers: readonly Peer[]): boolean {
  return peers.some(
    ({ instanceId, anycast }) =>
      (mode !== 'unicast' || instanceId === target) && anycast.some((pattern) => matches(pattern, type)),
  );
}

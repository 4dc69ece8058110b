import type { Clock, Timer } from '../../core/clock.js';
import { InstanceIdInUseError } from '../../core/errors.js';
import { matches } from '../../core/pattern.js';
import type { Member } from '../../ports/driver.js';
import { CONNECT_TIMEOUT, GRACE, type Connection } from './connection.js';
import type { Keys } from './keys.js';
import type { ServerClock } from './server-clock.js';

/** Between two beats, and how long a process may be silent before it is taken for dead, ms. */
const BEAT = 2_000;
export const DEAD_AFTER = 10_000;

/** What a process says of itself beside its id. */
export interface Interests {
  answers: string[];
  groups: Record<string, string[]>;
  anycast: string[];
  /** Topics whose cards it takes. */
  cards: string[];
}

/** A live process, as the others see it. */
export interface Peer extends Member {
  readonly anycast: readonly string[];
  readonly cards: readonly string[];
}

export interface MembershipHost {
  readonly bus: string;
  readonly service: string;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly keys: Keys;
  readonly connection: Connection;
  readonly serverClock: ServerClock;
  /** What this process listens to now. */
  interests(): Interests;
  /** Processes that have been silent for too long. */
  dead(instances: readonly string[]): void;
  /** Another process holds this id now: this one was silent for too long. */
  taken(): void;
  failed(error: unknown): void;
}

/** Says that this process is alive, and knows who else is. A wrong view costs time, never events. */
export class Membership {
  private readonly token = `${String(process.pid)}.${Math.random().toString(36).slice(2)}`;
  private readonly startedAt: number;
  private peers: readonly Peer[] = [];
  private timer: Timer | undefined;
  private announcing: Promise<void> | undefined;
  /** Announcements asked for, and made. */
  private wanted = 0;
  private made = 0;
  private stopped = false;
  private answering = new Map<string, readonly string[]>();

  constructor(private readonly host: MembershipHost) {
    this.startedAt = host.clock.now();
  }

  /** Claims the instance id. @throws InstanceIdInUseError when its holder is alive */
  async join(): Promise<void> {
    const { instanceId, bus, clock, connection } = this.host;
    // A holder that died a moment ago still looks alive: wait for its next beat, or for its end.
    const beat = (): Promise<number | undefined> => connection.persist(() => this.beat(), CONNECT_TIMEOUT);
    let age = await beat();
    while (age !== undefined) {
      await new Promise<void>((resolve) => {
        clock.after(BEAT / 4, resolve, 'awaited');
      });
      const next = await beat();
      if (next !== undefined && next < age) throw new InstanceIdInUseError(instanceId, bus);
      age = next;
    }
    await this.refresh();
    this.arm();
  }

  all(): readonly Peer[] {
    return this.peers;
  }

  isAlive(instance: string): boolean {
    return this.peers.some((peer) => peer.instanceId === instance);
  }

  /** Says what this process listens to now. Resolves when others can read it. */
  announce(): Promise<void> {
    this.wanted++;
    this.announcing ??= this.announceAll().finally(() => {
      this.announcing = undefined;
    });
    return this.announcing;
  }

  /** Reads who is alive. */
  async refresh(): Promise<readonly Peer[]> {
    const { connection, keys, serverClock } = this.host;
    const args = [keys.instances, keys.beats, DEAD_AFTER];
    const [now, living, dead] = (await connection.persistScript('members', args, GRACE)) as [
      string,
      string[],
      string[],
    ];
    serverClock.observe(Number(now));
    const peers: Peer[] = [];
    for (let index = 0; index + 1 < living.length; index += 2) {
      const peer = readPeer(living[index] ?? '', living[index + 1] ?? '');
      if (peer !== undefined) peers.push(peer);
    }
    peers.sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
    this.peers = peers;
    this.answering = new Map();
    // After an outage everybody looks dead until they have had the time to say otherwise.
    if (dead.length > 0 && connection.upFor > DEAD_AFTER + BEAT) this.host.dead(dead);
    return peers;
  }

  /** Who else answers requests of a type. */
  answerers(type: string): readonly string[] {
    let found = this.answering.get(type);
    if (found === undefined) {
      found = this.peers
        .filter((peer) => peer.answers.some((pattern) => matches(pattern, type)))
        .map((peer) => peer.instanceId)
        .filter((each) => each !== this.host.instanceId);
      if (this.answering.size < 10_000) this.answering.set(type, found);
    }
    return found;
  }

  /**
   * This process's place in the queue of those who take an event of a group (or of anycast) that is woken with `counter`:
   * 0 reads at once.
   */
  rank(counter: number, group: string | undefined, type: string): number {
    const takers = this.peers.filter((peer) =>
      (group === undefined ? peer.anycast : (peer.groups[group] ?? [])).some((pattern) => matches(pattern, type)),
    );
    const own = takers.findIndex((peer) => peer.instanceId === this.host.instanceId);
    if (own < 0) return 0;
    return (((own - counter) % takers.length) + takers.length) % takers.length;
  }

  /** Takes no more unicast events. First step of leaving. */
  async closeInbox(): Promise<void> {
    this.stop();
    const { connection, keys, instanceId } = this.host;
    await this.announcing?.catch(() => undefined);
    await connection.persist((client) => client.del(keys.alive(instanceId)), GRACE);
  }

  /** Leaves the list, so that others need not wait for the silence. */
  async leave(): Promise<void> {
    const { connection, keys, instanceId } = this.host;
    const args = [keys.instances, keys.beats, instanceId, this.token, DEAD_AFTER, keys.news];
    await connection.persistScript('forget', args, GRACE);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private async announceAll(): Promise<void> {
    // Those of one turn are one.
    await Promise.resolve();
    while (this.made < this.wanted) {
      const { wanted } = this;
      await this.host.connection.persist(() => this.beat());
      this.made = wanted;
    }
  }

  /** One beat; the age of the holder's last beat in ms where another process holds the id. */
  private async beat(): Promise<number | undefined> {
    const { connection, keys, instanceId, serverClock } = this.host;
    const interests = this.host.interests();
    const description = `${this.token} ${JSON.stringify({ service: this.host.service, startedAt: this.startedAt, ...interests })}`;
    const args = [
      keys.instances,
      keys.beats,
      keys.groupBeats,
      instanceId,
      this.token,
      description,
      DEAD_AFTER,
      keys.news,
      ...Object.keys(interests.groups),
    ];
    const [status, value] = (await connection.script('beat', args)) as [string, string];
    if (status === 'TAKEN') return Number(value);
    serverClock.observe(Number(value));
    if (!this.stopped)
      await connection.run((client) => client.set(keys.alive(instanceId), this.token, 'PX', DEAD_AFTER));
    return undefined;
  }

  private arm(): void {
    this.timer = this.host.clock.after(BEAT * (0.9 + Math.random() * 0.2), () => {
      void this.live();
    });
  }

  private async live(): Promise<void> {
    try {
      if (this.host.connection.isUp) {
        if ((await this.beat()) !== undefined) this.host.taken();
        await this.refresh();
      }
    } catch (error) {
      this.host.failed(error);
    }
    if (!this.stopped) this.arm();
  }
}

/** Reads what a process says of itself; undefined where a foreign hand has written something else. */
function readPeer(instanceId: string, description: string): Peer | undefined {
  try {
    const row = JSON.parse(description.slice(description.indexOf(' ') + 1)) as Record<string, unknown> | null;
    if (row === null || typeof row !== 'object') return undefined;
    const { service, startedAt, answers, groups, anycast, cards = [] } = row;
    if (!isTexts(answers) || !isTexts(anycast) || !isTexts(cards) || typeof groups !== 'object' || groups === null)
      return undefined;
    if (!Object.values(groups).every(isTexts)) return undefined;
    return {
      instanceId,
      service: typeof service === 'string' ? service : '',
      startedAt: typeof startedAt === 'number' ? startedAt : 0,
      answers,
      anycast,
      cards,
      groups: groups as Record<string, string[]>,
    };
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

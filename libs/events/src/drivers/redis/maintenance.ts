import { createHash } from 'node:crypto';
import type { Clock, Timer } from '../../core/clock.js';
import { matches } from '../../core/pattern.js';
import type { Redis } from 'ioredis';
import { copyToDeadLetters, indexLetters, type EntryPlace } from './dead-letters.js';
import { ANYCAST_GROUP, INBOX_GROUP } from './keys.js';
import { LetterUpkeep } from './letter-upkeep.js';
import { DEAD_AFTER } from './membership.js';
import type { RedisHost } from './redis-host.js';
import { redoWake } from './redelivery.js';

/** Between two rounds, ms: a third of the retention, within these. */
const ROUND_MIN = 1_000;
const ROUND_MAX = 10_000;
/** Types and inboxes a round; groups that nobody declares for this long stop holding the trim, ms. */
const TYPES_A_ROUND = 200;
const INBOXES_A_ROUND = 10;
/** Entries of a dead process's inbox that are filed at once, and how long the right to do it lasts without renewal, ms. */
const INBOX_CHUNK = 100;
const UNDERTAKER_LEASE = 30_000;
const GROUP_IDLE = 7 * 24 * 3_600_000;
/** Between two searches for streams that foreign producers made without registering their type, ms. */
const SCAN_EVERY = 300_000;
const EXPIRE_AT_ONCE = 100;

/**
 * Keeps the house: trims what everyone has read, reaps streams of dead types, files what nobody took, empties the inboxes
 * of the dead. Each type belongs to one live process at a time; a wrong view only does work twice.
 */
export class Maintenance {
  private timer: Timer | undefined;
  private turn = 0;
  /** Groups whose silence has been told. */
  private readonly toldIdle = new Set<string>();
  private readonly letters: LetterUpkeep;
  private lastScan: number;
  private stopped = false;

  constructor(
    private readonly host: RedisHost,
    private readonly clock: Clock,
  ) {
    this.lastScan = clock.now();
    this.letters = new LetterUpkeep(host);
  }

  start(): void {
    const round = Math.min(ROUND_MAX, Math.max(ROUND_MIN, this.host.limits.retention / 3));
    this.timer = this.clock.after(round * (0.75 + Math.random() * 0.5), () => {
      void this.round().finally(() => {
        if (!this.stopped) this.start();
      });
    });
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  /** One round. Errors are told, never thrown. */
  async round(): Promise<void> {
    const { connection, membership, types } = this.host;
    if (!connection.isUp) return;
    try {
      const idle = await this.idleGroups();
      const all = [...types.all()];
      for (const type of await this.letters.begin())
        if (!types.has(type) && this.isMine(type)) await this.letters.keep(type);
      for (let count = 0; count < Math.min(TYPES_A_ROUND, all.length) && !this.stopped; count++) {
        const type = all[this.turn++ % all.length];
        if (type !== undefined && this.isMine(type)) await this.keepSafely(type, idle);
      }
      if (this.clock.now() - this.lastScan >= SCAN_EVERY && this.isMine('scan')) await this.scan();
      await membership.refresh();
    } catch (error) {
      this.host.readFailed('maintenance', error);
    }
  }

  /** Processes that have been silent for too long: what is left in their inboxes goes to the dead letters. */
  async bury(instances: readonly string[]): Promise<void> {
    for (const instance of instances.slice(0, INBOXES_A_ROUND)) {
      if (!this.isMine(instance)) continue;
      try {
        const { connection, keys } = this.host;
        if ((await connection.run((client) => client.exists(keys.alive(instance)))) === 1) continue;
        if (!(await this.emptyInbox(instance))) continue;
        await connection.script('forget', [keys.instances, keys.beats, instance, '', DEAD_AFTER, keys.news]);
      } catch (error) {
        this.host.readFailed(`inbox of ${instance}`, error);
      }
    }
  }

  /** Rendezvous hashing: the live process with the highest draw. */
  private isMine(what: string): boolean {
    const { membership, instanceId } = this.host;
    const draw = (instance: string): string => createHash('sha1').update(`${what} ${instance}`).digest('hex');
    const own = draw(instanceId);
    return membership.all().every((peer) => peer.instanceId === instanceId || draw(peer.instanceId) < own);
  }

  /** One type's trouble (a key of another kind, say) is not the others'. */
  private async keepSafely(type: string, idle: readonly string[]): Promise<void> {
    try {
      await this.keep(type, idle);
    } catch (error) {
      this.host.readFailed(`the streams of '${type}'`, error);
    }
  }

  private async keep(type: string, idle: readonly string[]): Promise<void> {
    const { connection, keys, limits, membership } = this.host;
    const unheard = !membership.all().some((peer) => peer.anycast.some((pattern) => matches(pattern, type)));
    if (unheard) await this.expire(type);
    await connection.script('trim', [keys.log(type), limits.retention, ...idle]);
    await connection.script('trim', [keys.anycast(type), limits.retention]);
    if ((await this.letters.keep(type)) === 0) await this.reap(type);
  }

  /** No live process takes anycast events of the type: those past the retention are dead letters, retries of them too. */
  private async expire(type: string): Promise<void> {
    const { connection, keys, limits, warn } = this.host;
    const redo = keys.redo(type, undefined);
    const wake = [keys.wake(type), redoWake(undefined, 0)];
    await connection.script('promote', [keys.wait(type, undefined), redo, ANYCAST_GROUP, EXPIRE_AT_ONCE, ...wake]);
    let moved = 0;
    for (const [stream, kind] of [
      [keys.anycast(type), ''],
      [redo, 'r'],
    ] as const) {
      const args = [ANYCAST_GROUP, limits.retention, EXPIRE_AT_ONCE, limits.reclaimAfter, kind];
      moved += Number(await connection.script('expireUnhandled', [stream, keys.dead(type), ...args]));
    }
    if (moved === 0) return;
    await indexLetters(this.host, type);
    warn({
      cause: 'dead-letter',
      message: `${String(moved)} anycast events of '${type}' found nobody within the retention and are dead letters (unhandled)`,
      details: { type, count: moved, reason: 'unhandled' },
    });
  }

  /** The registry's row goes first: a publisher that comes in between finds the stream, or registers again. */
  private async reap(type: string): Promise<void> {
    const { connection, keys, limits, types } = this.host;
    const log = await this.lastMs(keys.log(type));
    const anycast = await this.lastMs(keys.anycast(type));
    if (this.host.serverClock.now() - Math.max(log, anycast) < limits.streamTtl) return;
    if (await this.owed(type)) return;
    await connection.run((client) => client.hdel(keys.types, type));
    const gone = await connection.script('reap', [
      keys.log(type),
      keys.anycast(type),
      keys.dead(type),
      limits.streamTtl,
    ]);
    // What was still being handled may have failed meanwhile.
    if (gone === 1 && !(await this.owed(type))) types.forget(type);
    else await types.register(type);
  }

  /** Whether redeliveries of any declared group are outstanding; deletes what is left of those that are not. */
  private async owed(type: string): Promise<boolean> {
    const { connection, keys, types } = this.host;
    for (const group of [undefined, ...(await types.groupsOf(type))]) {
      const streams = [keys.redo(type, group), keys.wait(type, group), keys.solo(type, group)];
      if ((await connection.script('reapRedo', streams)) === 0) return true;
    }
    return false;
  }

  private async lastMs(key: string): Promise<number> {
    try {
      const raw = (await this.host.connection.run((client) => client.xinfo('STREAM', key))) as unknown[];
      return Number.parseInt(String(raw[raw.indexOf('last-generated-id') + 1]), 10);
    } catch (error) {
      if (error instanceof Error && error.message.includes('no such key')) return 0;
      throw error;
    }
  }

  private async idleGroups(): Promise<string[]> {
    const { connection, keys, serverClock, warn } = this.host;
    const edge = Math.floor(serverClock.now() - GROUP_IDLE);
    const idle = await connection.run((client) => client.zrangebyscore(keys.groupBeats, '-inf', edge));
    for (const group of idle) {
      if (this.toldIdle.has(group)) continue;
      this.toldIdle.add(group);
      warn({
        cause: 'group-idle',
        message: `no live process has declared group '${group}' for 7 days; it no longer keeps events from being trimmed`,
        details: { group },
      });
    }
    return idle;
  }

  /**
   * Files what is left in the inbox of a process that takes no more, and removes it; false while another process does.
   * Where that one dies between filing and removing, up to a chunk is filed twice.
   */
  async emptyInbox(instance: string): Promise<boolean> {
    const { connection, keys, instanceId } = this.host;
    const stream = keys.inbox(instance);
    const lease = keys.undertaker(instance);
    const taken = await connection.run((client) => client.set(lease, instanceId, 'PX', UNDERTAKER_LEASE, 'NX'));
    if (taken === null) return false;
    for (let ids = await this.unsettled(stream); ids.length > 0; ids = await this.unsettled(stream)) {
      await Promise.all(ids.map((id) => this.fileUnhandled(instance, { stream, id })));
      await connection.run((client) => client.xack(stream, INBOX_GROUP, ...ids));
      await connection.run((client) => client.xdel(stream, ...ids));
      await connection.run((client) => client.set(lease, instanceId, 'PX', UNDERTAKER_LEASE));
    }
    await connection.run((client) => client.del(stream));
    return true;
  }

  private async fileUnhandled(instance: string, place: EntryPlace): Promise<void> {
    const { connection, warn } = this.host;
    const { stream, id } = place;
    const [entry] = await connection.run((client) => client.xrange(stream, id, id));
    if (entry === undefined) return;
    const type = inboxType(entry[1]);
    const reason = 'target-died' as const;
    const error = `instance ${instance} ended before it handled the event`;
    const head = { group: '', mode: 'unicast', at: this.clock.now() } as const;
    await copyToDeadLetters(this.host, type, place, [{ reason, attempts: 0, error }], head);
    warn({
      cause: 'dead-letter',
      message: `'${type}' (${id}) is a dead letter: ${reason}: ${error}`,
      details: { type, id, reason },
    });
  }

  /** Some of the ids in an inbox that were not read, or read and not settled. */
  private async unsettled(stream: string): Promise<string[]> {
    const { connection } = this.host;
    if ((await connection.run((client) => client.exists(stream))) === 0) return [];
    const groups = (await connection.run((client) => client.xinfo('GROUPS', stream))) as unknown[][];
    const group = groups.find((row) => row[row.indexOf('name') + 1] === INBOX_GROUP);
    const last = group === undefined ? '0-0' : String(group[group.indexOf('last-delivered-id') + 1]);
    const pending =
      group === undefined
        ? []
        : ((await connection.run((client) => client.xpending(stream, INBOX_GROUP, '-', '+', INBOX_CHUNK))) as [
            string,
          ][]);
    const unread = await connection.run((client) => client.xrange(stream, `(${last}`, '+', 'COUNT', INBOX_CHUNK));
    return [...pending.map(([id]) => id), ...unread.map(([id]) => id)];
  }

  private async scan(): Promise<void> {
    this.lastScan = this.clock.now();
    const { connection, keys, types } = this.host;
    const { commands } = connection;
    const nodes = commands.isCluster
      ? (commands as unknown as { nodes(role: 'master'): Redis[] }).nodes('master')
      : [commands as Redis];
    for (const node of nodes) {
      let cursor = '0';
      do {
        const [next, found] = await node.scan(cursor, 'MATCH', `${keys.prefix}{t:*}:log`, 'COUNT', 1_000);
        cursor = next;
        for (const key of found) {
          const type = keys.typeOfLog(key);
          if (type !== undefined && !types.has(type)) await types.register(type);
        }
      } while (cursor !== '0' && !this.stopped);
    }
  }
}

function inboxType(fields: readonly string[]): string {
  try {
    const row: unknown = JSON.parse(fields[fields.indexOf('ce') + 1] ?? '');
    return Array.isArray(row) && typeof row[9] === 'string' ? row[9] : 'unknown';
  } catch {
    return 'unknown';
  }
}

import type { BusOptions, RetryRow, SourceSpec } from 'nestjs-cardinal';
import { oneRedis, type OneRedis } from '../faults/one-redis.js';
import { closeMembers, openMember, type Member } from '../support/members.js';

/** Drivers without a consumer, and the keys of the one type `a.b` that they share. */

export const T = 'events:{t:a.b}:';
export const LOG = `${T}log`;
export const ANY = `${T}any`;
export const DEAD = `${T}dead`;
export const GROUP: SourceSpec = { kind: 'group', group: 'g' };
export const ANYCAST: SourceSpec = { kind: 'anycast' };

export interface OneType {
  readonly redis: OneRedis;
  /** A driver that listens as `spec` says; by default in the group `g`, to `a.b`. */
  member(spec?: SourceSpec, options?: BusOptions, pattern?: string): Promise<Member>;
  /** Appends an event, and wakes who reads. Gives its entry id. */
  publish(payload: unknown, key?: string): Promise<string>;
  /** Rows that wait or were moved; `name` is the end of the group's keys. */
  outstanding(name?: string): Promise<number>;
}

/** A private server for all tests of a file; drivers are closed and data is gone after each. */
export function oneType(): OneType {
  const redis = oneRedis(closeMembers);
  return {
    redis,
    member: (spec = GROUP, options = {}, pattern = 'a.b') => openMember(redis.url, spec, options, pattern),
    async publish(payload, key = LOG) {
      const id = (await redis.raw.xadd(key, '*', 'ce', '["e-1","s","i"]', 'data', JSON.stringify(payload))) ?? '';
      await redis.raw.publish('events:wake:a.b', key === ANY ? 'a 0' : 'b 0');
      return id;
    },
    outstanding: async (name = ':g') =>
      (await redis.raw.xlen(`${T}redo${name}`)) + (await redis.raw.zcard(`${T}wait${name}`)),
  };
}

/** The next attempt of handler `h`, after its first has failed. */
export function later(delay: number, more: Partial<RetryRow> = {}): RetryRow[] {
  return [{ handler: 'h', delay, attempt: 2, failures: 1, ...more }];
}

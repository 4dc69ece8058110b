import type { Delivery } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import { FIRST, type RedoMark } from './redo-mark.js';

/** An entry as XREAD and the scripts give it. */
export type Entry = readonly [id: string, fields: readonly string[] | null];

/** An entry handed over. */
export class RedisDelivery implements Delivery {
  /** Noted as handled alone; how many of its consumers had died with it alone before. */
  noted: number | undefined;

  constructor(
    readonly entryId: string,
    readonly stream: StreamState,
    readonly type: string,
    readonly event: EventEnvelope | undefined,
    readonly malformed: string | undefined,
    readonly crashes: number,
    readonly mark: RedoMark,
  ) {}

  get attempt(): number {
    return this.mark.attempt + this.crashes;
  }

  get redelivered(): boolean {
    return this.crashes > 0 || this.mark !== FIRST;
  }

  get failures(): number {
    return this.mark.failures;
  }

  get since(): number | undefined {
    return this.mark.since;
  }

  get handler(): string | undefined {
    return this.mark.handler;
  }

  /** Id of the entry that this event was published as. */
  get origin(): string {
    return this.mark.origin === '' ? this.entryId : this.mark.origin;
  }
}

/** One stream that a source reads. */
export class StreamState {
  /** Last id read, for sources without a group. */
  cursor = '0-0';
  /** Highest id that is known to have existed, for sources without a group. */
  seen = '0-0';
  /** May hold entries that have not been read. */
  dirty = true;
  /** May hold entries whose consumer is silent. */
  claimable = false;
  /** May have lost entries that were not read: look before the next read. */
  suspect = false;
  /** May have entries pending here that this process does not know of: a reply was lost. */
  unsure = false;
  /** The group has been there. */
  joined = false;
  /** Handed over and not confirmed as settled, by entry id. */
  readonly inFlight = new Map<string, RedisDelivery>();
  /** Acknowledgements that wait to be sent. */
  acks: string[] = [];
  /** Among those is one of an entry that was handled alone. */
  noted = false;

  constructor(
    readonly type: string,
    readonly key: string,
    /** It holds redeliveries. */
    readonly redo = false,
  ) {}

  /** There is something to do. */
  get busy(): boolean {
    return this.dirty || this.claimable || this.unsure;
  }
}

/** Order of two stream ids. */
export function compareIds(a: string, b: string): number {
  const [aMs = '0', aSeq = '0'] = a.split('-');
  const [bMs = '0', bSeq = '0'] = b.split('-');
  return aMs === bMs ? compareDecimals(aSeq, bSeq) : compareDecimals(aMs, bMs);
}

function compareDecimals(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

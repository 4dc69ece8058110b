import type { Setup } from '../../harness/bench.js';
import type { Payload } from '../payload.js';

/** Who publishes, who consumes. */
export interface StreamSetup extends Setup {
  readonly options: {
    /** Both by default. */
    readonly part?: 'producer' | 'consumer';
    readonly [option: string]: unknown;
  };
}

/** A system with durable events: stored, handled by one member of a group, acknowledged. */
export interface StreamPeer {
  /** Stores events; resolves when Redis has them all. */
  publish(payloads: readonly Payload[]): Promise<void>;
  /** Resolves when everything that was handled is acknowledged in Redis. */
  acknowledged(): Promise<void>;
  /** Forgets old events, where the system does not by itself. Outside the measured time. */
  trim(): Promise<void>;
  close(): Promise<void>;
}

/** `handle` is undefined for a producer: then events are stored for the group and wait. */
export type OpenStreamPeer = (
  setup: StreamSetup,
  handle: ((payload: Payload) => void) | undefined,
) => Promise<StreamPeer>;

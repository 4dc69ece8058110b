import type { Redis } from 'ioredis';
import { orderNumber, type Payload } from '../payload.js';
import { keys } from '../stream/pending.js';
import type { StreamSetup } from '../stream/stream-peer.js';

/** How events fall to cards: `perCard` events one after the other are of one card, then the next card begins. */
export interface CardSetup {
  readonly perCard: number;
  /** Cards at once. */
  readonly concurrency: number;
  /** Events of a card that are handled, and acknowledged, together. */
  readonly batch?: number;
}

export function cardSetup({ options }: StreamSetup): CardSetup {
  return options as unknown as CardSetup;
}

export function cardOf(payload: Payload, perCard: number): string {
  return `card-${Math.floor(orderNumber(payload) / perCard)}`;
}

/** Removes the streams of cards that are empty, so that rounds begin alike. */
export async function forget(redis: Redis, pattern: string): Promise<void> {
  const all = await keys(redis, pattern, 'stream');
  for (let at = 0; at < all.length; at += 1_000) await redis.unlink(...all.slice(at, at + 1_000));
}

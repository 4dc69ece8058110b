import type { EventHandler } from '../core/handler.js';
import type { Cards } from './cards.js';
import type { DeadLetters } from './dead-letters.js';
import type { DeclareOptions } from './declare.js';
import type { Listenable } from './publish-options.js';
import type { Publisher } from './publisher.js';
import type { RequestClient } from './request-client.js';
import type { Subscription } from './subscription.js';

/** What stands behind an `EventBus`. */
export interface BusCore {
  readonly name: string;
  readonly instanceId: string;
  readonly publisher: Publisher;
  readonly requests: RequestClient;
  readonly cards: Cards;
  readonly deadLetters: DeadLetters;
  /** Resolves when handlers receive. */
  readonly started: Promise<void>;
  /** @throws BusClosedError */
  assertOpen(): void;
  subscribe(
    pattern: Listenable,
    handler: EventHandler,
    options: DeclareOptions & { readonly signal?: AbortSignal },
  ): Promise<Subscription>;
  /** Tells of an `emit` that failed. */
  emitFailed(event: unknown, error: unknown): void;
  /** Calls `run` when the bus closes; the function returned takes that back. */
  onClose(run: () => void): () => void;
  drain(): Promise<void>;
  close(): Promise<void>;
}

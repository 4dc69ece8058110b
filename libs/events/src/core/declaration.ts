import type { EventContext } from './context.js';

/** A handler as the registry knows it: every option resolved. */
export interface HandlerDeclaration {
  readonly name: string;
  /** Normalized patterns, at least one. */
  readonly patterns: readonly string[];
  readonly group: string | undefined;
  readonly startFrom: 'new' | 'earliest';
  readonly concurrency: number;
  /** May answer requests. */
  readonly answers: boolean;
  readonly once: boolean;
  readonly invoke: (payload: unknown, context: EventContext) => unknown;
}

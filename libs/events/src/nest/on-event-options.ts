import type { HandlingOptions } from '../bus/handling-options.js';
import { problemsOf, SWITCH, TEXT, type Check } from './option-checks.js';

/** How a handler listens. An unknown option is an error at start. */
export interface OnEventOptions extends HandlingOptions {
  /**
   * Name in logs and dead letters, unique within a group: 1 to 128 characters without spaces and braces.
   * Defaults to `Class.method`; the second decorator of a method on the same bus and group is `Class.method#2`, and so on
   * from top to bottom.
   */
  readonly name?: string;
  /** The bus to listen on; one that does not exist is an error at start. Defaults to `'default'`. */
  readonly bus?: string;
  /**
   * Durable group: each event goes once to the group, and the member that takes it runs every matching handler of the group.
   * `true` is the bus's own `group`. Defaults to none: every process gets every event.
   */
  readonly group?: string | true;
  /**
   * Where a group's pattern begins the first time it is declared, a process handler at start: with what comes, or with what
   * is retained. Defaults to `'new'`.
   */
  readonly startFrom?: 'new' | 'earliest';
  /** May answer `publishAndWait`. Defaults to true for patterns without wildcards. */
  readonly reply?: boolean;
  /** Handles one event, then listens no more; not together with `group`. Defaults to false. */
  readonly once?: boolean;
}

/** What is checked here; the rest is checked where the handler is declared. */
const KNOWN: Readonly<Record<keyof OnEventOptions, Check | undefined>> = {
  name: TEXT,
  bus: TEXT,
  group: undefined,
  startFrom: undefined,
  concurrency: undefined,
  timeout: undefined,
  retry: undefined,
  filter: undefined,
  idempotent: undefined,
  batch: undefined,
  reply: SWITCH,
  once: SWITCH,
};

/** What is wrong with the options of an `@OnEvent`, in words. */
export function optionProblems(options: unknown): string[] {
  return problemsOf(options, KNOWN, "several patterns go into one array: @OnEvent(['a', 'b'])");
}

import type { CardHandlingOptions } from '../bus/card-options.js';
import { problemsOf, TEXT, type Check } from './option-checks.js';

/** How a handler of cards listens. An unknown option is an error at start. */
export interface OnCardTopicOptions extends CardHandlingOptions {
  /**
   * Name in logs and dead letters: 1 to 128 characters without spaces and braces. Defaults to `Class.method`; the second
   * decorator of a method on the same bus is `Class.method#2`, and so on from top to bottom.
   */
  readonly name?: string;
  /** The bus to listen on; one that does not exist is an error at start. Defaults to `'default'`. */
  readonly bus?: string;
}

/** What is checked here; the rest is checked where the handler is declared. */
const KNOWN: Readonly<Record<keyof OnCardTopicOptions, Check | undefined>> = {
  name: TEXT,
  bus: TEXT,
  retry: undefined,
  timeout: undefined,
  filter: undefined,
  idempotent: undefined,
  batch: undefined,
  concurrency: undefined,
  onExhausted: undefined,
  events: undefined,
};

/** What is wrong with the options of an `@OnCardTopic`, in words. */
export function cardOptionProblems(options: unknown): string[] {
  return problemsOf(options, KNOWN, "several topics go into one array: @OnCardTopic(['a', 'b'])");
}

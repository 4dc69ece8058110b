import { describe, expect, it } from '@jest/globals';
import { EventType } from '../core/event-class.js';
import { isEventsError, type EventsErrorCode } from '../core/errors.js';
import { DEFAULT_RETRY } from '../core/retry-policy.js';
import { declareHandler, type DeclareDefaults, type DeclareOptions } from './declare.js';
import type { Listenable } from './publish-options.js';

class OrderCreated {
  readonly n = 1;
}
EventType('order.created')(OrderCreated);
class Plain {
  readonly n = 1;
}

const defaults: DeclareDefaults = {
  name: 'Orders.on',
  group: 'shop',
  concurrency: 10,
  handlers: { timeout: 30_000, stuckAfter: 60_000, retry: DEFAULT_RETRY },
  filters: new Map(),
};
const handler = (): void => undefined;
const declare = (listenable: Listenable, options: DeclareOptions = {}): ReturnType<typeof declareHandler> =>
  declareHandler(listenable, handler, options, defaults);

function codeOf(run: () => unknown): EventsErrorCode | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return isEventsError(error) ? error.code : undefined;
  }
}

describe('declareHandler', () => {
  it('fills in the defaults', () => {
    expect(declare('order.created')).toEqual({
      name: 'Orders.on',
      patterns: ['order.created'],
      group: undefined,
      startFrom: 'new',
      concurrency: 10,
      once: false,
      pulled: false,
      answers: true,
      retry: DEFAULT_RETRY,
      timeout: 30_000,
      stuckAfter: 60_000,
      filters: [],
      idempotent: undefined,
      batch: undefined,
      classes: new Map(),
      invoke: handler,
    });
  });

  it('keeps the classes that it listens to, by their type', () => {
    expect(declare([OrderCreated, 'order.#']).classes).toEqual(new Map([['order.created', OrderCreated]]));
  });

  it('takes how the handler is run', () => {
    const declared = declare('a', { timeout: '5s', retry: { attempts: 7 }, idempotent: true, filter: () => true });
    expect(declared).toMatchObject({ timeout: 5_000, retry: { attempts: 7 }, idempotent: { key: undefined } });
    expect(declared.filters).toHaveLength(1);
  });

  it('has a batch handler answer no requests', () => {
    expect(declare('a', { batch: { size: 5, maxWait: 10 } })).toMatchObject({ answers: false, concurrency: 1 });
    expect(declare('a', { batch: { size: 5, maxWait: 10 }, reply: false }).answers).toBe(false);
  });

  it('takes patterns, classes and lists of both, normalized, each once', () => {
    expect(declare([OrderCreated, 'order.**', 'order.#', 'order.created']).patterns).toEqual([
      'order.created',
      'order.#',
    ]);
  });

  it('answers requests without wildcards, or as told', () => {
    expect(declare(['a', 'b']).answers).toBe(true);
    expect(declare(['a', 'b.*']).answers).toBe(false);
    expect(declare('a.#', { reply: true }).answers).toBe(true);
    expect(declare('a', { reply: false }).answers).toBe(false);
  });

  it('knows what group: true means', () => {
    expect(declare('a', { group: true }).group).toBe('shop');
    expect(declare('a', { group: 'mail' }).group).toBe('mail');
  });

  const refused: [string, () => unknown, EventsErrorCode][] = [
    ['an empty list', () => declare([]), 'INVALID_HANDLER'],
    ['a class without @EventType', () => declare(Plain), 'INVALID_HANDLER'],
    ['a handler that is no function', () => declareHandler('a', undefined as never, {}, defaults), 'INVALID_HANDLER'],
    ['a malformed pattern', () => declare('a..b'), 'INVALID_PATTERN'],
    ['a malformed pattern in a list', () => declare(['a', 'b*']), 'INVALID_PATTERN'],
    ['a name with a space', () => declare('a', { name: 'a b' }), 'INVALID_OPTION'],
    ['a group with braces', () => declare('a', { group: '{a}' }), 'INVALID_OPTION'],
    ['an empty group', () => declare('a', { group: '' }), 'INVALID_OPTION'],
    ['a concurrency of nothing', () => declare('a', { concurrency: 0 }), 'INVALID_OPTION'],
    ['a concurrency that is no number', () => declare('a', { concurrency: '5' as never }), 'INVALID_OPTION'],
    ['a start that is neither', () => declare('a', { startFrom: 'first' as never }), 'INVALID_OPTION'],
    ['a batch that answers', () => declare('a', { batch: { size: 5, maxWait: 10 }, reply: true }), 'INVALID_HANDLER'],
    ['a batch that is once', () => declare('a', { batch: { size: 5, maxWait: 10 }, once: true }), 'INVALID_HANDLER'],
    ['a retry that is none', () => declare('a', { retry: 3 as never }), 'INVALID_OPTION'],
    ['once in a group', () => declare('a', { once: true, group: true }), 'INVALID_HANDLER'],
  ];
  it.each(refused)('refuses %s', (_, run, code) => {
    expect(codeOf(run)).toBe(code);
  });
});

import assert from 'node:assert/strict';
import type { EventHandler } from '../../../core/handler.js';
import type { Stage } from '../stage.js';
import { promise, type ConformanceTest, type ConformanceTopic } from '../suite.js';

/** No attempt but the first. */
const once = { retry: { attempts: 1 } };

/** What handlers do when they fail; whatever it is, it is a failure of this event and of nothing else. */
export const FAILURES: readonly (readonly [string, EventHandler])[] = [
  ['throws an error', () => fail(new Error('boom'))],
  ['throws undefined', () => fail(undefined)],
  ['throws null', () => fail(null)],
  ['throws a string', () => fail('boom')],
  ['throws a symbol', () => fail(Symbol('boom'))],
  ['throws an object without a prototype', () => fail(Object.create(null))],
  ['throws an error whose message is an object', () => fail(withProperty('message', { value: { code: 1 } }))],
  [
    'throws an error whose message cannot be read',
    () => fail(withProperty('message', { get: () => fail(new Error('no')) })),
  ],
  ['throws an error whose stack is not text', () => fail(withProperty('stack', { value: 7 }))],
  ['rejects', () => Promise.reject(new Error('boom'))],
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- handlers are other people's code
  ['rejects with undefined', () => Promise.reject(undefined)],
  [
    'rejects after a while',
    async () => {
      await Promise.resolve();
      fail(new Error('boom'));
    },
  ],
  [
    'returns a thenable that rejects',
    () => ({
      then: (_: unknown, reject: (error: Error) => void) => {
        reject(new Error('boom'));
      },
    }),
  ],
  ['returns a thenable that throws', () => ({ then: () => fail(new Error('boom')) })],
  [
    'returns something whose then cannot be read',
    () => Object.defineProperty({}, 'then', { get: () => fail(new Error('boom')) }),
  ],
];

/** What handlers may return when they succeed. */
const SUCCESSES: readonly (readonly [string, EventHandler])[] = [
  [
    'returns a thenable that resolves',
    () => ({
      then: (resolve: (value: number) => void) => {
        resolve(1);
      },
    }),
  ],
  ['returns a value that JSON cannot write', () => 1n],
  ['returns an object with a then that is no function', () => ({ then: 1 })],
];

export const failures: ConformanceTopic = {
  name: 'handlers that fail',
  tests: [
    ...FAILURES.map(([what, handler]) =>
      inGroup(`a handler that ${what}: one dead letter, and the next event is handled`, handler, 1),
    ),
    ...SUCCESSES.map(([what, handler]) => inGroup(`a handler that ${what} has handled the event`, handler, 0)),
    ...FAILURES.map(([what, handler]) =>
      promise(`an ungrouped handler that ${what}: one dead letter, and the next event is handled`, async (s) => {
        const bus = await s.bus();
        const options = { name: 'bad', concurrency: 1, ...once };
        const recorder = await s.record(bus, 'order.created', { ...options, then: failOnFirst(handler) });
        const first = await bus.publish('order.created', 'first');
        await bus.publish('order.created', 'second');
        await s.exactly(2, recorder);
        assert.equal(recorder.last.payload, 'second');
        const [letter] = await s.deadLetters(1);
        assert.deepEqual([letter?.id, letter?.handler, letter?.group], [first.id, 'bad', undefined]);
      }),
    ),

    promise('a dead letter tells type, id, handler, group, attempts and error', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'order.*', {
        group: 'billing',
        name: 'charge',
        ...once,
        then: () => fail(new Error('card refused')),
      });
      const { id } = await bus.publish('order.created', 1);
      const [letter] = await s.deadLetters(1);
      assert.ok(letter);
      assert.deepEqual([letter.type, letter.id, letter.reason], ['order.created', id, 'handler-failed']);
      assert.deepEqual([letter.handler, letter.group], ['charge', 'billing']);
      assert.equal(letter.attempts, 1);
      assert.match(letter.error, /card refused/);
    }),

    promise('an error with a message of megabytes makes a bounded dead letter', async (s) => {
      const bus = await s.bus();
      await s.record(bus, 'order.created', {
        group: 'billing',
        ...once,
        then: () => fail(new Error('x'.repeat(5_000_000))),
      });
      await bus.publish('order.created', 1);
      const [letter] = await s.deadLetters(1);
      assert.ok(letter && letter.error.length < 100_000);
    }),
  ],
};

function inGroup(name: string, handler: EventHandler, letters: number): ConformanceTest {
  return promise(name, async (s: Stage) => {
    const bus = await s.bus();
    const recorder = await s.record(bus, 'order.created', {
      group: 'billing',
      then: failOnFirst(handler),
      concurrency: 1,
      ...once,
    });
    const first = await bus.publish('order.created', 'first');
    await bus.publish('order.created', 'second');
    await s.until('the second event', () => recorder.payloads.includes('second'));
    await s.quiet();
    const rows = await s.deadLetters(letters);
    if (letters === 0) return;
    assert.deepEqual([rows[0]?.id, rows[0]?.reason, rows[0]?.handler], [first.id, 'handler-failed', 'handler']);
    assert.equal(typeof rows[0]?.error, 'string');
  });
}

function failOnFirst(handler: EventHandler): EventHandler {
  return (payload, context) => (payload === 'first' ? handler(payload, context) : undefined);
}

function withProperty(name: string, descriptor: PropertyDescriptor): Error {
  return Object.defineProperty(new Error('boom'), name, descriptor);
}

function fail(what: unknown): never {
  throw what;
}

import assert from 'node:assert/strict';
import type { EventHandler } from '../../../core/handler.js';
import type { PublishOptions } from '../../../bus/publish-options.js';
import { promise, type ConformanceTopic } from '../suite.js';

const nothing = (): void => undefined;

class NotAnEvent {
  readonly n = 1;
}

export const badInput: ConformanceTopic = {
  name: 'bad input',
  tests: [
    promise('malformed event types are refused', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, '#');
      const bad = ['', '.', 'a.', '.a', 'a..b', 'a b', 'a/b', 'ä', 'a.*', '#', 'a\n', ' a', 'x'.repeat(256)];
      for (const type of bad) {
        await s.refusal(bus.publish(type), 'INVALID_EVENT_TYPE');
        await s.refusal(bus.publishAndWait(type), 'INVALID_EVENT_TYPE');
      }
      await bus.publish('x'.repeat(255));
      await bus.publish('A-z_0:9.b');
      await s.exactly(2, recorder);
    }),

    promise('what is neither a type nor an event is refused', async (s) => {
      const bus = await s.bus();
      const bad = [undefined, null, 7, true, Symbol('s'), 1n, {}, [], nothing, new Date(), Object.create(null)];
      for (const event of bad) {
        await s.refusal(bus.publish(event as object), 'INVALID_EVENT');
        await s.refusal(bus.publishAndWait(event as object), 'INVALID_EVENT');
      }
    }),

    promise('malformed patterns are refused', async (s) => {
      const bus = await s.bus();
      const bad: unknown[] = [
        '',
        '.',
        'a.',
        'a..b',
        'a*',
        '*a.b',
        'a.#b',
        '***',
        'a b',
        'x'.repeat(256),
        null,
        7,
        ['a', ''],
      ];
      for (const pattern of bad) {
        await s.refusal(bus.subscribe(pattern as string, nothing), 'INVALID_PATTERN');
        await s.refusal(bus.once(pattern as string, nothing), 'INVALID_PATTERN');
      }
      await s.refusal(bus.subscribe([], nothing), 'INVALID_HANDLER');
      await s.refusal(bus.subscribe(NotAnEvent, nothing), 'INVALID_HANDLER');
    }),

    promise('a handler that is no function is refused', async (s) => {
      const bus = await s.bus();
      for (const handler of [undefined, null, {}, 'handler']) {
        await s.refusal(bus.subscribe('a', handler as EventHandler), 'INVALID_HANDLER');
      }
    }),

    promise('malformed options of subscribe are refused', async (s) => {
      const bus = await s.bus();
      for (const concurrency of [0, -1, 1.5, NaN, '3' as unknown as number]) {
        await s.refusal(bus.subscribe('a', nothing, { concurrency }), 'INVALID_OPTION');
      }
      for (const text of ['', 'a b', '{a}', 'x'.repeat(129), 7 as unknown as string]) {
        await s.refusal(bus.subscribe('a', nothing, { name: text }), 'INVALID_OPTION');
        await s.refusal(bus.subscribe('a', nothing, { name: 'n', group: text }), 'INVALID_OPTION');
      }
    }),

    promise('a function of any name can be a handler', async (s) => {
      const bus = await s.bus();
      const odd = { '{a} b\n'() { return 1; }, ['x'.repeat(200)]: () => 2 }; // prettier-ignore
      for (const handler of [...Object.values(odd), nothing.bind(null), () => undefined])
        await bus.subscribe('a', handler);
    }),

    promise('malformed options of publish are refused, and nothing is sent', async (s) => {
      const bus = await s.bus();
      const recorder = await s.record(bus, '#');
      const bad: readonly unknown[] = [
        { id: '' },
        { id: 'a b' },
        { id: 'x'.repeat(129) },
        { id: 7 },
        { source: '' },
        { correlationId: 'ä' },
        { mode: 'request' },
        { mode: 'multicast' },
        { target: 7 },
        { headers: { 'a b': 'x' } },
        { headers: { a: 1 } },
        { headers: JSON.parse('{"__proto__":"x"}') as unknown },
        { headers: { a: 'x'.repeat(10_000) } },
        { headers: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`h${String(index)}`, ''])) },
      ];
      for (const options of bad) await s.refusal(bus.publish('a', 1, options as PublishOptions), 'INVALID_OPTION');
      await s.exactly(0, recorder);
    }),

    ...[undefined, 'billing'].map((group) =>
      promise(
        `an entry that cannot be read does not stop the flow${group === undefined ? '' : ' of a group: it becomes a dead letter'}`,
        async (s) => {
          const bus = await s.bus();
          const recorder = await s.record(bus, 'order.created', {
            concurrency: 1,
            ...(group === undefined ? {} : { group }),
          });
          await bus.publish('order.created', 1);
          await s.harness.rawEntry?.('order.created', { ce: '\u0000 not ours', data: '{"half":' });
          await s.harness.rawEntry?.('order.created', { ce: '', data: 'undefined' });
          await bus.publish('order.created', 2);
          await s.exactly(2, recorder);
          assert.deepEqual(recorder.payloads, [1, 2]);
          if (group === undefined) return;
          const letters = await s.deadLetters(2);
          for (const letter of letters)
            assert.deepEqual([letter.type, letter.reason], ['order.created', 'undecodable']);
        },
        'raw-entries',
      ),
    ),

    promise(
      'an entry of another program, with fields of its own, is an event',
      async (s) => {
        const bus = await s.bus();
        const recorder = await s.record(bus, 'order.created', { group: 'billing' });
        await bus.publish('order.created');
        await s.harness.rawEntry?.('order.created', { a: '1', b: '2' });
        await s.exactly(2, recorder);
        assert.deepEqual(recorder.last.payload, { a: '1', b: '2' });
      },
      'foreign-entries',
    ),
  ],
};

import assert from 'node:assert/strict';
import { listening, sinkOf } from '../card-kit.js';
import { TOPIC, type CardSink } from '../card-sink.js';
import { POLLUTING, randomJson, values } from '../payload-samples.js';
import { numbers, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

/** Publishes from one process and handles in another; gives what arrived, in order. */
async function sent(s: Stage, payloads: readonly unknown[], maxPayload?: number): Promise<CardSink> {
  const [from, to] = await s.buses(2, maxPayload === undefined ? {} : { maxPayload });
  assert.ok(from && to);
  const sink = sinkOf(s);
  await sink.on(to);
  for (const payload of payloads) await from.cards.publish(TOPIC, 'a', payload);
  await s.exactly(payloads.length, sink);
  sink.check();
  return sink;
}

export const cardPayloads: ConformanceTopic = {
  name: 'payloads of cards',
  tests: [
    promise('whatever is published to a card arrives as JSON gives it', async (s) => {
      const given = values();
      const sink = await sent(s, given);
      assert.deepEqual(sink.payloads(), given.map((value) => JSON.parse(JSON.stringify(value)) as unknown)); // prettier-ignore
    }),

    promise('no payload is undefined, null is null', async (s) => {
      const sink = await sent(s, [undefined, null, 0, '', false]);
      assert.deepEqual(sink.payloads(), [undefined, null, 0, '', false]);
    }),

    promise('random JSON arrives unchanged, in order', async (s) => {
      const { seed, next } = s.random();
      const given = numbers(100).map(() => randomJson(next, 4));
      const sink = await sent(s, given);
      for (const [index, value] of given.entries()) {
        const expected: unknown = JSON.parse(JSON.stringify(value));
        assert.deepEqual(sink.events[index]?.payload, expected, `value ${String(index)} of seed ${String(seed)}`);
      }
    }),

    ...POLLUTING.map((text) =>
      promise(`a __proto__ key changes no prototype: ${text}`, async (s) => {
        const sink = await sent(s, [JSON.parse(text)]);
        const value = sink.last.payload as Record<string, unknown>;
        for (const each of [{}, value, value['inner'] ?? {}] as Record<string, unknown>[])
          assert.deepEqual([each['polluted'], Object.getPrototypeOf(each)], [undefined, Object.prototype]);
      }),
    ),

    promise('a payload of megabytes arrives, where maxPayload lets it, and those behind it too', async (s) => {
      const sink = await sent(s, [1, { body: 'x'.repeat(3_000_000) }, 2], 4_000_000);
      assert.equal((sink.events[1]?.payload as { body: string }).body.length, 3_000_000);
    }),

    promise('handlers get a deep-frozen value; the publisher may change its own object after the call', async (s) => {
      const [sink, bus] = await listening(s);
      const payload = { list: [{ n: 1 }] };
      const published = bus.cards.publish(TOPIC, 'a', payload);
      payload.list.push({ n: 2 });
      await published;
      await s.exactly(1, sink);
      const value = sink.last.payload as typeof payload;
      assert.deepEqual(value, { list: [{ n: 1 }] });
      assert.ok(Object.isFrozen(value) && Object.isFrozen(value.list[0]) && !Object.isFrozen(payload));
    }),

    promise('a payload that comes again after a failure is the same, whatever the handler tried with it', async (s) => {
      const work = (payload: unknown, { attempt }: { attempt: number }): void => {
        const value = payload as { n?: number };
        try {
          value.n = 7;
        } catch {
          // It is frozen.
        }
        if (attempt === 1) throw new Error('again');
      };
      const [sink, bus] = await listening(s, { retry: { attempts: 2, delay: 20 } }, work);
      await bus.cards.publish(TOPIC, 'a', { n: 1 });
      await s.exactly(2, sink);
      assert.deepEqual(sink.payloads('a'), [{ n: 1 }, { n: 1 }]);
    }),

    ...(['cloudevents', 'fields'] as const).map((encoding) =>
      promise(`under the encoding '${encoding}' objects of texts arrive, in order, with id and card`, async (s) => {
        const from = await s.bus({ cards: { encoding } });
        const [sink] = await listening(s);
        const given = [{ text: 'ä "quoted" \u2028' }, { a: '1', b: '' }, { long: 'x'.repeat(100_000) }];
        for (const payload of given) await from.cards.publish(TOPIC, 'a:1', payload);
        await s.exactly(3, sink);
        assert.deepEqual(sink.payloads('a:1'), given);
        assert.equal(new Set(sink.events.map(({ context }) => context.id)).size, 3);
        sink.check();
      }),
    ),
  ],
};

import assert from 'node:assert/strict';
import type { CardHandler } from '../../../bus/cards.js';
import { EventType } from '../../../core/event-class.js';
import { fill, LEASE, listening, sinkOf } from '../card-kit.js';
import { TOPIC } from '../card-sink.js';
import { numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

@EventType('comment.added')
class Comment {
  readonly text!: string;
}

class NotAnEvent {
  readonly n = 1;
}

const nothing = (): void => undefined;

export const cardTopics: ConformanceTopic = {
  name: 'who handles a topic',
  tests: [
    promise('a second handler of one topic in a process is refused; the first goes on', async (s) => {
      const [sink, bus] = await listening(s);
      await s.refusal(bus.cards.subscribe(TOPIC, nothing), 'INVALID_HANDLER');
      await s.refusal(bus.cards.subscribe(['other', TOPIC], nothing), 'INVALID_HANDLER');
      // Of the refused one nothing is left.
      await bus.cards.subscribe('other', nothing);
      await fill(bus, 'a', 3);
      await s.exactly(3, sink);
      assert.deepEqual(sink.payloads('a'), numbers(3));
    }),

    promise('two that are added at once: one is refused', async (s) => {
      const bus = await s.bus();
      const sink = sinkOf(s);
      const added = await s.value(Promise.allSettled([sink.on(bus), sink.on(bus), sink.on(bus)]));
      assert.deepEqual(added.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected']);
      await fill(bus, 'a', 3);
      await s.exactly(3, sink);
      sink.check();
    }),

    promise('several topics with one handler, in one list', async (s) => {
      const bus = await s.bus();
      const sink = sinkOf(s);
      const subscription = await sink.on(bus, {}, ['one', 'two', 'three']);
      for (const topic of ['one', 'two', 'three']) await fill(bus, 'a', 2, 0, topic);
      await s.exactly(6, sink);
      for (const topic of ['one', 'two', 'three'])
        assert.deepEqual(sink.events.filter((run) => run.topic === topic).map(({ payload }) => payload), numbers(2)); // prettier-ignore
      await s.value(subscription.close());
      await fill(bus, 'a', 1, 0, 'two');
      await s.exactly(6, sink);
      sink.check();
    }),

    promise('a topic is a name and no pattern', async (s) => {
      const bus = await s.bus();
      const sink = sinkOf(s);
      await sink.on(bus, {}, ['comment.*', '#']);
      await fill(bus, 'a', 1, 0, 'comment.added');
      await s.exactly(0, sink);
      await fill(bus, 'a', 1, 1, 'comment.*');
      await s.exactly(1, sink);
      assert.equal(sink.last.payload, 1);
    }),

    promise('what is no topic, no class of events, no handler is refused', async (s) => {
      const bus = await s.bus();
      for (const topic of ['', 'a:b', '{x}', 'x'.repeat(513), 7, null, undefined, {}, ['a', '']])
        await s.refusal(bus.cards.subscribe(topic as string, nothing), 'INVALID_CARD', 'INVALID_HANDLER');
      await s.refusal(bus.cards.subscribe([], nothing), 'INVALID_HANDLER');
      await s.refusal(bus.cards.subscribe(NotAnEvent, nothing), 'INVALID_HANDLER');
      for (const handler of [undefined, null, {}, 'handler'])
        await s.refusal(bus.cards.subscribe('a', handler as CardHandler), 'INVALID_HANDLER');
    }),

    promise('a handler of a class gets instances of it, deep-frozen', async (s) => {
      const [from, to] = await s.buses(2);
      assert.ok(from && to);
      const got: Comment[] = [];
      await to.cards.subscribe(Comment, (event: Comment) => got.push(event));
      await from.cards.publish('comment.added', 'a', Object.assign(new Comment(), { text: 'one' }));
      await from.cards.publish('comment.added', 'a', { text: 'two' });
      await s.until('both', () => got.length === 2);
      assert.deepEqual(got.map(({ text }) => text), ['one', 'two']); // prettier-ignore
      for (const event of got) assert.ok(event instanceof Comment && Object.isFrozen(event));
    }),

    promise('another service on the topic is refused with its name; another topic is free', async (s) => {
      const [one, two] = [await s.bus({ service: 'desk' }), await s.bus({ service: 'mail' })];
      const sink = sinkOf(s);
      await sink.on(one);
      const error = await s.refusal(two.cards.subscribe(TOPIC, nothing), 'TOPIC_IN_USE');
      assert.match(error.message, /desk/);
      await sink.on(two, {}, 'other');
      await fill(two, 'a', 3);
      await s.exactly(3, sink);
      assert.ok(sink.events.every(({ process }) => process.bus === one));
      sink.check();
    }),

    promise('that service may publish to the topic, list and inspect it', async (s) => {
      const [one, two] = [await s.bus({ service: 'desk' }), await s.bus({ service: 'mail' })];
      const sink = sinkOf(s);
      await sink.on(one);
      await two.cards.publish(TOPIC, 'a', 0);
      await s.exactly(1, sink);
      assert.deepEqual((await two.cards.list(TOPIC)).cards.map(({ cardId }) => cardId), ['a']); // prettier-ignore
      assert.equal((await two.cards.inspect(TOPIC, 'a'))?.cardId, 'a');
    }),

    promise('the topic stays with the service when its processes restart or die', async (s) => {
      const first = await s.bus({ service: 'desk', ...LEASE });
      const sink = sinkOf(s);
      await sink.on(first);
      await s.harness.crash(first);
      const other = await s.bus({ service: 'mail' });
      await s.refusal(other.cards.subscribe(TOPIC, nothing), 'TOPIC_IN_USE');
      const second = await s.bus({ service: 'desk', ...LEASE });
      await sink.on(second);
      await fill(other, 'a', 2);
      await s.exactly(2, sink);
      sink.check();
    }),

    promise('handlers that are added before the bus has started begin with it', async (s) => {
      const sink = sinkOf(s);
      const publisher = await s.bus();
      await fill(publisher, 'a', 2);
      const bus = await s.bus({
        beforeStart: async (starting) => {
          await sink.on(starting);
          await starting.cards.publish(TOPIC, 'a', 2);
        },
      });
      await fill(bus, 'a', 1, 3);
      await s.exactly(4, sink);
      assert.deepEqual(sink.payloads('a'), numbers(4));
      sink.check();
    }),

    promise('publishers need no handler and no topic of their own', async (s) => {
      const publisher = await s.bus({ service: 'mail' });
      await fill(publisher, 'a', 2);
      const [sink] = await listening(s, { bus: { service: 'desk' } });
      await s.exactly(2, sink);
    }),
  ],
};

import assert from 'node:assert/strict';
import { EventType } from '../../../core/event-class.js';
import type { SchemaResult, StandardSchema } from '../../../core/standard-schema.js';
import type { CardContext } from '../../../core/context.js';
import { inState, listening, rested } from '../card-kit.js';
import { TOPIC } from '../card-sink.js';
import { numbers } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const schema: StandardSchema = {
  '~standard': { version: 1, vendor: 'nestjs-cardinal', validate: (value) => checked(value) },
};

function checked(value: unknown): SchemaResult {
  const { text } = (value ?? {}) as { text?: unknown };
  return typeof text === 'string' ? { value: { text } } : { issues: [{ message: 'must be text', path: ['text'] }] };
}

@EventType('comment.added', { schema })
class Comment {
  readonly text!: string;
}

@EventType('comment.added', { version: 2 })
class NewerComment {
  readonly text!: string;
}

const comment = <T extends object>(event: T, text: unknown = 'hello'): T => Object.assign(event, { text });

export const cardUnreadable: ConformanceTopic = {
  name: 'what a card handler cannot read',
  tests: [
    ...(['dead-letter', 'block'] as const).flatMap((onExhausted) => [
      promise(
        `an entry that cannot be read under ${onExhausted}: a dead letter, and those behind it are handled`,
        async (s) => {
          const [sink, bus] = await listening(s, { onExhausted, ends: () => true });
          await bus.cards.publish(TOPIC, 'a', 0);
          await s.harness.rawCardEntry?.(TOPIC, 'a', { ce: '["half', data: '{"half":' });
          await s.harness.rawCardEntry?.(TOPIC, 'a', { ce: '', data: 'undefined' });
          await bus.cards.publish(TOPIC, 'a', 1);
          await s.exactly(2, sink);
          assert.deepEqual(sink.payloads('a'), numbers(2));
          const letters = await s.letters(bus, 2, { topic: TOPIC });
          for (const { reason, event } of letters)
            assert.deepEqual([reason, event?.payload], ['undecodable', undefined]);
          await rested(s, bus);
        },
        'raw-entries',
      ),
    ]),

    promise(
      'an entry that cannot be read under park: the card waits for skip',
      async (s) => {
        const [sink, bus] = await listening(s, { onExhausted: 'park', ends: () => true });
        await bus.cards.register(TOPIC, 'a');
        await s.harness.rawCardEntry?.(TOPIC, 'a', { ce: '["half', data: '{"half":' });
        await bus.cards.publish(TOPIC, 'a', 1);
        await inState(s, bus, 'a', 'parked');
        await s.exactly(0, sink);
        assert.equal(await bus.cards.skip(TOPIC, 'a'), true);
        await s.exactly(1, sink);
        const [letter] = await s.letters(bus, 1, { topic: TOPIC });
        assert.equal(letter?.reason, 'skipped');
      },
      'raw-entries',
    ),

    promise('a payload that breaks the rules of its class is a dead letter at once; the next is handled', async (s) => {
      const bus = await s.bus();
      const got: [Comment, CardContext][] = [];
      await bus.cards.subscribe(Comment, (event: Comment, context) => got.push([event, context]), {
        name: 'clerk',
        retry: { attempts: 5 },
      });
      const { cards } = bus;
      await cards.publish('comment.added', 'a', { text: 7 });
      await cards.publish('comment.added', 'a', { text: 'hello' });
      await s.until('an event', () => got.length === 1);
      const [letter] = await s.letters(bus, 1, { topic: 'comment.added' });
      assert.deepEqual([letter?.reason, letter?.handler], ['invalid', 'clerk']);
      assert.match(letter?.error ?? '', /text: must be text/);
      const [[event, context] = []] = got;
      assert.ok(event instanceof Comment && Object.isFrozen(event));
      assert.deepEqual([event.text, context?.type, context?.topic, context?.cardId], ['hello', 'comment.added', 'comment.added', 'a']); // prettier-ignore
    }),

    promise('an instance that breaks its rules is refused by publish, and nothing is stored', async (s) => {
      const [sink, bus] = await listening(s);
      await s.refusal(bus.cards.publish(TOPIC, 'a', comment(new Comment(), 7)), 'VALIDATION');
      const many = [{ topic: TOPIC, cardId: 'a', payload: comment(new Comment(), 7) }];
      await s.refusal(bus.cards.publishMany(many), 'PUBLISH_MANY');
      await s.exactly(0, sink);
      assert.equal(await bus.cards.inspect(TOPIC, 'a'), undefined);
    }),

    promise('an instance carries the type and version of its class to the card', async (s) => {
      const [sink, bus] = await listening(s);
      const receipt = await bus.cards.publish(TOPIC, 'a', comment(new NewerComment()));
      await s.exactly(1, sink);
      const { context, payload } = sink.last;
      assert.deepEqual([receipt.type, context.type, context.version], ['comment.added', 'comment.added', 2]);
      assert.deepEqual([context.topic, payload], [TOPIC, { text: 'hello' }]);
    }),

    promise('a version that the handler cannot read is a dead letter; the next is handled', async (s) => {
      const bus = await s.bus();
      const got: unknown[] = [];
      await bus.cards.subscribe(Comment, (event: Comment) => got.push(event.text), { retry: { attempts: 5 } });
      await bus.cards.publish('comment.added', 'a', comment(new NewerComment(), 'newer'));
      await bus.cards.publish('comment.added', 'a', comment(new Comment(), 'known'));
      await s.until('an event', () => got.length === 1);
      const [letter] = await s.letters(bus, 1, { topic: 'comment.added' });
      assert.equal(letter?.reason, 'unsupported-version');
      assert.match(letter.error, /version 2; this process knows 1: upgrade it/);
      assert.deepEqual(got, ['known']);
    }),

    promise(
      '`events` names the classes that may come on a topic: instances, by their rules; others as they are',
      async (s) => {
        const [sink, bus] = await listening(s, { events: [Comment], ends: () => true });
        await bus.cards.publish(TOPIC, 'a', comment(new Comment()));
        await bus.cards.publish(TOPIC, 'a', { text: 7 }, { type: 'comment.added' });
        await bus.cards.publish(TOPIC, 'a', { text: 7 }, { type: 'comment.removed' });
        await s.exactly(2, sink);
        const [typed, plain] = sink.payloads();
        assert.ok(typed instanceof Comment);
        assert.deepEqual(plain, { text: 7 });
        const [letter] = await s.letters(bus, 1, { topic: TOPIC });
        assert.deepEqual([letter?.reason, letter?.type, letter?.topic], ['invalid', 'comment.added', TOPIC]);
      },
    ),

    promise('under park both wait for somebody: the card is parked at once', async (s) => {
      const bus = await s.bus();
      await bus.cards.subscribe(Comment, () => undefined, { retry: { attempts: 5 }, onExhausted: 'park' });
      await bus.cards.publish('comment.added', 'a', { text: 7 });
      await bus.cards.publish('comment.added', 'b', comment(new NewerComment()));
      for (const card of ['a', 'b']) await inState(s, bus, card, 'parked', 'comment.added');
      await s.letters(bus, 0);
    }),
  ],
};

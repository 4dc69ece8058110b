import assert from 'node:assert/strict';
import type { EventBus } from '../../../bus/event-bus.js';
import type { EventContext } from '../../../core/context.js';
import type { SubscribeOptions } from '../../../bus/subscription.js';
import { inGroup, Pulling } from '../pulling.js';
import { failing, numbers, type Stage } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
const SOON = { reclaimAfter: 1_000, shutdownTimeout: 200 };
const never = new Promise<never>(() => undefined);

/** More deaths than any of these tests may take. */
const LOOP = 7;

interface Mortal {
  /** Processes that have died before this one. */
  readonly deaths: number;
  /** Dies here and now. */
  readonly die: () => Promise<never>;
}

/**
 * Processes that live one after the other, each with one handler, until `over`: the handler may kill its process, and
 * does nothing more in a dead one. Gives how many died. `between` comes after each death.
 */
async function lives(
  s: Stage,
  options: SubscribeOptions,
  handle: (payload: unknown, context: EventContext, self: Mortal) => unknown,
  over: () => unknown,
  between: () => unknown = () => undefined,
): Promise<number> {
  for (let deaths = 0; deaths < LOOP; deaths++) {
    const bus = await s.bus(SOON);
    const life = { ends: false, ended: false };
    const die = async (): Promise<never> => {
      life.ends = true;
      await s.harness.crash(bus);
      life.ended = true;
      return never;
    };
    const handler = (payload: unknown, context: EventContext): unknown =>
      life.ends ? never : handle(payload, context, { deaths, die });
    // It may be killed by an event before it has subscribed.
    await bus.subscribe('order.*', handler, { name: 'handler', ...options }).catch((error: unknown) => {
      if (!life.ends) throw error;
    });
    await s.harness.waitFor(async () => life.ended || (await over()), { what: 'a death or the end', timeout: '15s' });
    if (!life.ended) {
      await s.value(bus.close());
      return deaths;
    }
    await between();
  }
  throw new Error(`a crash loop: ${String(LOOP)} processes died`);
}

const buried =
  (bus: EventBus, count = 1) =>
  async (): Promise<boolean> =>
    (await bus.deadLetters.list()).total >= count;

export const crashes: ConformanceTopic = {
  name: 'handlers that take their process down',
  tests: [
    promise(
      'an event whose process dies again and again: counted, in the end a dead letter, no crash loop',
      async (s) => {
        const publisher = await s.bus(SOON);
        const seen: [number, boolean][] = [];
        const options: SubscribeOptions = { group, retry: { attempts: 2 }, startFrom: 'earliest' };
        const { id } = await publisher.publish('order.poison', 'poison');
        const deaths = await lives(
          s,
          options,
          (_, { attempt, redelivered }, { die }) => {
            seen.push([attempt, redelivered]);
            return die();
          },
          buried(publisher),
        );
        const [letter] = await s.letters(publisher, 1);
        assert.deepEqual([letter?.reason, letter?.handler, letter?.group], ['crashed', 'handler', group]);
        assert.deepEqual([letter?.event?.id, letter?.type], [id, 'order.poison']);
        // Two deaths make it suspect; of those that come then, alone, it has as many as attempts.
        assert.deepEqual([deaths, seen.length], [4, 4]);
        assert.deepEqual(seen, [
          [1, false],
          [2, true],
          [3, true],
          [4, true],
        ]);
        assert.equal(letter?.attempts, 4, 'attempts that were made');
      },
    ),

    promise(
      'its neighbours, in hand when it died, are handled, none is condemned; after two deaths each runs alone',
      async (s) => {
        const publisher = await s.bus(SOON);
        const payloads = ['poison', ...numbers(5)];
        await publisher.publishMany(payloads.map((payload) => ({ type: 'order.created', payload })));
        const handled: unknown[] = [];
        let [running, most, inHand] = [0, 0, 0];
        let deaths = 0;
        await lives(
          s,
          { group, startFrom: 'earliest', retry: { attempts: 1 } },
          async (payload, _, self) => {
            if (self.deaths > deaths) [deaths, inHand, running] = [self.deaths, 0, 0];
            running++;
            if (deaths < 2) {
              // Nobody ends before all are in hand and one of them takes the process down.
              if (++inHand < payloads.length) return never;
              return self.die();
            }
            most = Math.max(most, running);
            if (payload === 'poison') return self.die();
            for (let turn = 0; turn < 5; turn++) await Promise.resolve();
            await s.harness.deadLetters();
            handled.push(payload);
            running--;
            return undefined;
          },
          async () => handled.length >= 5 && (await buried(publisher)()),
        );
        const [letter] = await s.letters(publisher, 1);
        assert.deepEqual([letter?.reason, letter?.event?.payload], ['crashed', 'poison']);
        assert.deepEqual(handled.sort(), numbers(5));
        assert.equal(most, 1, 'suspects run alone');
      },
    ),

    promise('deaths and failures together: each event is handled or a dead letter, never both', async (s) => {
      const publisher = await s.bus(SOON);
      await publisher.publishMany(
        ['poison', 'fails', 'late', 'fine'].map((payload) => ({ type: 'order.created', payload })),
      );
      const done: unknown[] = [];
      await lives(
        s,
        { group, startFrom: 'earliest', retry: { attempts: 2, delay: 20 } },
        (payload, context, { die }) => {
          if (payload === 'poison') return die();
          if (payload === 'fails') failing()(payload, context);
          if (payload === 'late') failing(1)(payload, context);
          done.push(payload);
          return undefined;
        },
        async () => done.includes('late') && done.includes('fine') && (await buried(publisher, 2)()),
      );
      const letters = await s.letters(publisher, 2);
      const reasons = new Map(letters.map(({ event, reason }) => [event?.payload, reason]));
      assert.deepEqual(reasons, new Map([['fails', 'handler-failed'], ['poison', 'crashed']])); // prettier-ignore
      assert.deepEqual(new Set(done), new Set(['late', 'fine']));
    }),

    promise('an anycast event that takes its processes down is a dead letter in the end', async (s) => {
      const publisher = await s.bus(SOON);
      await publisher.publish('order.run', 'poison', { mode: 'anycast' });
      const deaths = await lives(
        s,
        { retry: { attempts: 1 } },
        (_payload, _context, { die }) => die(),
        buried(publisher),
      );
      const [letter] = await s.letters(publisher, 1);
      assert.deepEqual([letter?.reason, letter?.handler, letter?.group], ['crashed', 'handler', undefined]);
      assert.equal(deaths, 3);
    }),

    ...[false, true].map((lacking) =>
      promise(
        lacking
          ? 'so is one that members without its handler have in hand between the deaths'
          : 'a second attempt that takes its processes down is a dead letter too; other handlers do not run again',
        async (s) => {
          const publisher = await s.bus(SOON);
          const first = await s.bus(SOON);
          const bad = { group, name: 'bad', retry: { attempts: 2, delay: 1_000, backoff: 'fixed' } } as const;
          const failed = await s.record(first, 'order.*', { ...bad, then: failing() });
          const good = await s.record(first, 'order.*', { group, name: 'good' });
          await publisher.publish('order.created', 1);
          await s.exactly(2, failed, good);
          await s.value(first.close());
          const other = lacking ? await s.record(publisher, 'order.*', { group, name: 'good' }) : undefined;
          const seen: number[] = [];
          const deaths = await lives(
            s,
            bad,
            (_, { attempt }, { die }) => {
              seen.push(attempt);
              return die();
            },
            buried(publisher),
            // Time enough for the other member to have it in hand.
            () => (lacking ? s.harness.advance(2_500) : undefined),
          );
          const [letter] = await s.letters(publisher, 1);
          assert.deepEqual([letter?.reason, letter?.handler, deaths], ['crashed', 'bad', 3]);
          assert.deepEqual(seen, [2, 3, 4]);
          if (other !== undefined) await s.exactly(0, other);
        },
      ),
    ),

    promise('an orderly hand-over of a suspect is no death: it runs again, alone, and is not condemned', async (s) => {
      const publisher = await s.bus(SOON);
      await publisher.publish('order.created', 1);
      const options: SubscribeOptions = { group, name: 'handler', startFrom: 'earliest', retry: { attempts: 1 } };
      let calls = 0;
      const died = await lives(
        s,
        options,
        (_payload, _context, { die }) => (++calls < 3 ? die() : s.gate().opened),
        () => calls === 3,
      );
      assert.equal(died, 2);
      const next = await s.record(publisher, 'order.*', options);
      await s.exactly(1, next);
      assert.equal(next.last.attempt, 3);
      await s.letters(publisher, 0);
    }),

    promise('a suspect of a batch handler is a batch of its own, at once, and holds up nothing', async (s) => {
      const publisher = await s.bus(SOON);
      await publisher.publishMany(numbers(3).map((payload) => ({ type: 'order.created', payload })));
      const got: unknown[] = [];
      const options: SubscribeOptions = { group, startFrom: 'earliest', batch: { size: 3, maxWait: '10m' } };
      const died = await lives(
        s,
        options,
        (payloads, _contexts, { deaths, die }) => {
          if (deaths < 2) return die();
          got.push(payloads);
          return undefined;
        },
        () => got.length >= 3,
      );
      assert.deepEqual([died, got.sort()], [2, [[0], [1], [2]]]);
      await s.letters(publisher, 0);
    }),

    promise(
      'suspects of a stream can be pulled before the one before is settled: a loop that collects does not hang',
      async (s) => {
        const publisher = await s.bus(SOON);
        await publisher.publishMany(numbers(3).map((payload) => ({ type: 'order.created', payload })));
        for (const death of numbers(3)) {
          const bus = await s.bus(SOON);
          const stream = new Pulling(s, bus, inGroup);
          const events = await stream.take(3);
          if (death < 2) await s.harness.crash(bus);
          else for (const event of events) event.ack();
          assert.deepEqual(stream.payloads.sort(), numbers(3));
          await stream.end().catch(() => undefined);
        }
        await s.letters(publisher, 0);
      },
    ),

    promise(
      'a crashed letter can be replayed when its fault is mended, and is not held suspect any more',
      async (s) => {
        const publisher = await s.bus(SOON);
        await publisher.publish('order.created', 'poison');
        const options: SubscribeOptions = { group, startFrom: 'earliest', retry: { attempts: 1 } };
        await lives(s, options, (_payload, _context, { die }) => die(), buried(publisher));
        await s.value(publisher.deadLetters.replay({ reason: 'crashed' }));
        const mended: number[] = [];
        await lives(
          s,
          { ...options, name: 'handler' },
          (_, { attempt }) => mended.push(attempt),
          () => mended.length > 0,
        );
        await s.quiet();
        assert.deepEqual(mended, [1]);
        await s.letters(publisher, 0);
      },
    ),
  ],
};

import { describe, expect, it } from '@jest/globals';
import type { HandlerDeclaration } from '../core/declaration.js';
import type { DeadLetterRow, RetryRow } from '../core/delivery.js';
import { isEventsError } from '../core/errors.js';
import { Reject, RetryLater } from '../core/handler-errors.js';
import { eventOf, RETRY } from '../pipeline/handler.spec-kit.js';
import { TestClock, turns } from '../testing/clock.js';
import type { Consumer } from './consumer.js';
import { consumerOf, door, Hand } from './consumer.spec-kit.js';
import type { Failures } from './settle-waiters.js';

type Invoke = HandlerDeclaration['invoke'];

const boom = (): never => {
  throw new Error('boom');
};

/** Fails on these attempts and notes all. */
function failing(attempts: readonly number[], seen: number[] = []): Invoke {
  return (_, { attempt }) => {
    seen.push(attempt);
    if (attempts.includes(attempt)) throw new Error(`failure ${String(attempt)}`);
  };
}

function lettersOf(hand: Hand): DeadLetterRow[] {
  return hand.settled.flatMap(([, verdict]) => (verdict.kind === 'ack' ? (verdict.deadLetters ?? []) : []));
}

function retriesOf(hand: Hand): RetryRow[] {
  return hand.settled.flatMap(([, verdict]) => (verdict.kind === 'ack' ? (verdict.retries ?? []) : []));
}

/** Publishes, as far as the consumer sees it, a broadcast event and waits as `settle` does. */
function settling(consumer: Consumer, hand: Hand, payload: number): Promise<Failures> {
  const failures = consumer.waiters.expect(String(payload), 'a', consumer.expectedIntakes('a'));
  hand.deliver('process', payload);
  return failures;
}

describe('attempts of ungrouped handlers', () => {
  it('are made in the process, each at its time, and only of the handler that failed', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const [seen, other]: number[][] = [[], []];
    const handlers = [
      { name: 'fails', invoke: failing([1, 2], seen) },
      { name: 'other', invoke: failing([], other) },
    ];
    await consumerOf(hand, handlers, { clock });
    hand.deliver('process', 1);
    expect(seen).toEqual([1]);
    await clock.advance(999);
    expect(seen).toEqual([1]);
    await clock.advance(1);
    expect(seen).toEqual([1, 2]);
    await clock.advance(1_999);
    expect(seen).toEqual([1, 2]);
    await clock.advance(1);
    expect([seen, other]).toEqual([[1, 2, 3], [1]]);
    expect([lettersOf(hand), retriesOf(hand), clock.pending()]).toEqual([[], [], 0]);
  });

  it('tell the publisher that waits of the first one alone', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const consumer = await consumerOf(hand, [{ invoke: failing([1]) }], { clock });
    const failures = await settling(consumer, hand, 1);
    expect(failures).toEqual([{ handler: 'h', error: new Error('failure 1') }]);
    await clock.advance(1_000);
    expect(failures).toHaveLength(1);
  });

  it('wait without a place at their handler, and without one of the prefetch', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const seen: unknown[] = [];
    const invoke: Invoke = (payload, { attempt }) => {
      seen.push([payload, attempt]);
      if (attempt === 1) throw new Error('boom');
    };
    await consumerOf(hand, [{ invoke }], { clock });
    const room = hand.sink('process').room();
    for (const payload of [1, 2]) hand.deliver('process', payload);
    expect([seen, hand.sink('process').room()]).toEqual([
      [
        [1, 1],
        [2, 1],
      ],
      room,
    ]);
    await clock.advance(1_000);
    expect(seen.slice(2)).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('take their turn at their handler when their time has come', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const seen: unknown[] = [];
    const invoke: Invoke = (payload, { attempt }) => {
      seen.push([payload, attempt]);
      if (payload === 1 && attempt === 1) throw new Error('boom');
      return opened;
    };
    await consumerOf(hand, [{ invoke }], { clock });
    for (const payload of [1, 2]) hand.deliver('process', payload);
    await clock.advance(1_000);
    expect(seen).toEqual([
      [1, 1],
      [2, 1],
    ]);
    open();
    await turns();
    expect(seen.at(-1)).toEqual([1, 2]);
  });

  it('are told to the handler as redelivered', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const redelivered: boolean[] = [];
    const invoke: Invoke = (_, context) => {
      redelivered.push(context.redelivered);
      boom();
    };
    await consumerOf(hand, [{ invoke }], { clock });
    hand.deliver('process', 1);
    await clock.advance(1_000);
    expect(redelivered).toEqual([false, true]);
  });

  it('end in the dead letters when they are used up', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    await consumerOf(hand, [{ invoke: failing([1, 2, 3]) }], { clock });
    hand.deliver('process', 1);
    await clock.advance(2_999);
    expect(lettersOf(hand)).toEqual([]);
    await clock.advance(1);
    expect(lettersOf(hand)).toEqual([
      expect.objectContaining({ handler: 'h', reason: 'handler-failed', error: 'failure 3', attempts: 3 }),
    ]);
    expect([retriesOf(hand), clock.pending()]).toEqual([[], 0]);
  });

  it('follow the delay that the handler asks for', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    let runs = 0;
    const invoke: Invoke = () => {
      if (++runs === 1) throw new RetryLater('5m');
    };
    await consumerOf(hand, [{ invoke }], { clock });
    hand.deliver('process', 1);
    await clock.advance(299_999);
    expect(runs).toBe(1);
    await clock.advance(1);
    expect(runs).toBe(2);
  });

  it('are none for what is rejected', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const invoke: Invoke = () => {
      throw new Reject('not today');
    };
    const consumer = await consumerOf(hand, [{ invoke }], { clock });
    expect(await settling(consumer, hand, 1)).toMatchObject([{ handler: 'h' }]);
    expect(lettersOf(hand)).toMatchObject([{ reason: 'rejected', error: 'not today', attempts: 1 }]);
    expect(clock.pending()).toBe(0);
  });

  it('are made of a handler that is once', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const seen: number[] = [];
    await consumerOf(hand, [{ once: true, invoke: failing([1], seen) }], { clock });
    hand.deliver('process', 1);
    await clock.advance(1_000);
    hand.deliver('process', 2);
    expect(seen).toEqual([1, 2]);
  });

  it('leave the events of the library to their handlers too', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const seen: number[] = [];
    const consumer = await consumerOf(hand, [{ invoke: failing([1, 2, 3], seen) }], { clock });
    consumer.dispatchLocally(eventOf());
    await clock.advance(3_000);
    expect([seen, hand.settled, consumer.beside.size, clock.pending()]).toEqual([[1, 2, 3], [], 0, 0]);
  });
});

describe('attempts at unicast events', () => {
  it('keep the claim until the last has ended', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const seen: number[] = [];
    await consumerOf(hand, [{ invoke: failing([1], seen) }], { clock });
    const room = hand.sink('inbox').room();
    hand.deliver('inbox', 1);
    expect([hand.settled, hand.sink('inbox').room()]).toEqual([[], room - 1]);
    await clock.advance(1_000);
    expect(seen).toEqual([1, 2]);
    expect([hand.settled, hand.sink('inbox').room()]).toEqual([[[1, { kind: 'ack' }]], room]);
  });

  it('are made of the handler that failed alone, and settled together with the others', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const [seen, other]: number[][] = [[], []];
    const handlers = [
      { name: 'fails', invoke: failing([1, 2, 3], seen) },
      { name: 'other', invoke: failing([], other) },
    ];
    await consumerOf(hand, handlers, { clock });
    hand.deliver('inbox', 1);
    await clock.advance(2_999);
    expect([seen, other, hand.settled]).toEqual([[1, 2], [1], []]);
    await clock.advance(1);
    expect(seen).toEqual([1, 2, 3]);
    expect(hand.settled).toHaveLength(1);
    expect(lettersOf(hand)).toEqual([expect.objectContaining({ handler: 'fails', error: 'failure 3', attempts: 3 })]);
  });

  it('never become rows of the backend, also where a handler was closed before its turn', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const handlers = [
      { name: 'stays', invoke: () => opened },
      { name: 'closes', invoke: () => opened },
    ];
    const consumer = await consumerOf(hand, handlers, { clock });
    for (const payload of [1, 2]) hand.deliver('inbox', payload);
    await consumer.remove(consumer.registry.entries()[1]!);
    open();
    await turns();
    expect(hand.settled).toHaveLength(2);
    expect(retriesOf(hand)).toEqual([]);
  });
});

describe('attempts at the events of a group', () => {
  it('are rows of the backend, and leave the place in this process', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    await consumerOf(hand, [{ group: 'g', invoke: boom }], { clock });
    const room = hand.sink('group').room();
    hand.deliver('group', 1);
    expect(retriesOf(hand)).toEqual([{ handler: 'h', delay: 1_000, attempt: 2, failures: 1 }]);
    expect([lettersOf(hand), hand.sink('group').room(), clock.pending()]).toEqual([[], room, 0]);
  });

  it('go on counting where the row says', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const seen: number[] = [];
    await consumerOf(hand, [{ group: 'g', invoke: failing([4], seen) }], { clock });
    // Two failures and a crash.
    hand.deliver('group', 1, { attempt: 4, failures: 2, crashes: 1, handler: 'h' });
    expect([seen, retriesOf(hand)]).toEqual([[4], []]);
    expect(lettersOf(hand)).toEqual([expect.objectContaining({ handler: 'h', attempts: 4, error: 'failure 4' })]);
  });

  it('run the handler that the row names and no other', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const seen: string[] = [];
    const handlers = ['one', 'two'].map((name) => ({ name, group: 'g', invoke: () => seen.push(name) }));
    await consumerOf(hand, handlers, { clock });
    hand.deliver('group', 1, { attempt: 2, failures: 1, handler: 'two' });
    expect([seen, hand.kinds]).toEqual([['two'], [[1, 'ack']]]);
  });

  it('of anycast are for any handler', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    await consumerOf(hand, [{ invoke: boom }], { clock });
    hand.deliver('anycast', 1);
    expect(retriesOf(hand)).toEqual([{ handler: undefined, delay: 1_000, attempt: 2, failures: 1 }]);
  });
});

describe('an event with which consumers have died', () => {
  const suspect = { attempt: 3, crashes: 2 };

  it('is not alone after one crash', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    await consumerOf(hand, [{ group: 'g' }], { clock });
    hand.deliver('group', 1, { attempt: 2, crashes: 1 });
    expect([hand.alone, hand.kinds]).toEqual([[], [[1, 'ack']]]);
  });

  it('is announced, and runs when nothing else runs; the others go on afterwards', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const doors = [door(), door(), door()];
    const begun: unknown[] = [];
    const invoke: Invoke = (payload) => {
      begun.push(payload);
      return doors[(payload as number) - 1]?.opened;
    };
    const handlers = [
      { name: 'member', group: 'g', concurrency: 10, invoke },
      { name: 'process', concurrency: 10, invoke },
    ];
    await consumerOf(hand, handlers, { clock });
    hand.deliver('process', 1);
    hand.deliver('group', 2, suspect);
    hand.deliver('process', 3);
    hand.deliver('group', 3);
    await turns();
    expect([begun, hand.alone]).toEqual([[1], []]);
    doors[0]?.open();
    await turns();
    expect([begun, hand.alone]).toEqual([[1, 2], [2]]);
    doors[1]?.open();
    await turns();
    expect(begun).toEqual([1, 2, 3, 3]);
    expect(hand.kinds).toEqual([
      [1, 'ack'],
      [2, 'ack'],
    ]);
  });

  it('runs all its handlers', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const seen: string[] = [];
    const handlers = ['one', 'two'].map((name) => ({ name, group: 'g', invoke: () => seen.push(name) }));
    await consumerOf(hand, handlers, { clock });
    hand.deliver('group', 1, suspect);
    await turns();
    expect([seen, hand.kinds]).toEqual([['one', 'two'], [[1, 'ack']]]);
  });

  it('comes one after the other, where there are several', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const doors = [door(), door()];
    const begun: unknown[] = [];
    const invoke: Invoke = (payload) => {
      begun.push(payload);
      return doors[(payload as number) - 1]?.opened;
    };
    await consumerOf(hand, [{ group: 'g', concurrency: 10, invoke }], { clock });
    for (const payload of [1, 2]) hand.deliver('group', payload, suspect);
    await turns();
    expect([begun, hand.alone]).toEqual([[1], [1]]);
    doors[0]?.slam(new Error('boom'));
    await turns();
    expect([begun, hand.alone]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('does not count the crashes before it was alone', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const seen: number[] = [];
    await consumerOf(hand, [{ group: 'g', invoke: failing([], seen) }], { clock });
    hand.deliver('group', 1, { attempt: 10, crashes: 9 });
    await turns();
    expect([seen, hand.kinds]).toEqual([[10], [[1, 'ack']]]);
  });

  it.each([
    [2, 0, 'runs'],
    [3, 0, 'crashed'],
    [1, 1, 'runs'],
    [2, 1, 'crashed'],
  ])('after %i crashes alone and %i failures of 3 attempts: %s', async (noted, failures, outcome) => {
    const [hand, clock] = [new Hand(), new TestClock()];
    hand.noted = noted;
    const seen: number[] = [];
    await consumerOf(hand, [{ group: 'g', invoke: failing([], seen) }], { clock });
    hand.deliver('group', 1, { attempt: 6, crashes: 5, failures });
    await turns();
    expect(seen).toEqual(outcome === 'runs' ? [6] : []);
    const letter = { handler: 'h', reason: 'crashed', attempts: 5, error: expect.stringContaining(String(noted)) };
    expect(lettersOf(hand)).toEqual(outcome === 'runs' ? [] : [expect.objectContaining(letter)]);
  });

  it('is crashed for the handlers that have no attempts left, and runs for the others', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    hand.noted = 1;
    const seen: string[] = [];
    const handlers = [1, 3].map((attempts) => ({
      name: `of ${String(attempts)}`,
      group: 'g',
      retry: { ...RETRY, attempts },
      invoke: () => seen.push(`of ${String(attempts)}`),
    }));
    await consumerOf(hand, handlers, { clock });
    hand.deliver('group', 1, suspect);
    await turns();
    expect(seen).toEqual(['of 3']);
    expect(lettersOf(hand)).toEqual([expect.objectContaining({ handler: 'of 1', reason: 'crashed' })]);
  });

  it('lets the others go on also when it is not announced, because the backend is away', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const consumer = await consumerOf(hand, [{ group: 'g' }], { clock });
    const { source } = consumer.intakes.all().find(({ spec }) => spec.kind === 'group')!;
    source!.alone = () => Promise.reject(new Error('away'));
    hand.deliver('group', 1, suspect);
    hand.deliver('group', 2);
    await turns();
    expect(hand.kinds).toEqual([
      [1, 'ack'],
      [2, 'ack'],
    ]);
  });

  it('is not announced when it was given back before its turn: it has not been alone', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const consumer = await consumerOf(hand, [{ group: 'g', invoke: () => opened }], { clock });
    hand.deliver('group', 1);
    hand.deliver('group', 2, suspect);
    const intake = consumer.intakes.all().find(({ spec }) => spec.kind === 'group')!;
    consumer.release([...intake.inFlight].find(({ delivery }) => delivery.crashes > 0)!);
    open();
    await turns();
    expect(hand.kinds).toEqual([
      [2, 'release'],
      [1, 'ack'],
    ]);
    expect(hand.alone).toEqual([]);
  });

  it('waits also for a handler that runs on after its subscription was closed', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const handlers = [{ name: 'member', group: 'g' }, { invoke: () => opened }];
    const consumer = await consumerOf(hand, handlers, { clock });
    hand.deliver('process', 1);
    await consumer.remove(consumer.registry.entries()[1]!);
    hand.deliver('group', 2, suspect);
    await turns();
    expect(hand.alone).toEqual([]);
    open();
    await turns();
    expect(hand.alone).toEqual([2]);
  });
});

describe('what no handler is for', () => {
  it('is a dead letter where it cannot be read', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    await consumerOf(hand, [{ group: 'g' }], { clock });
    hand.deliver('group', 1, { event: undefined, malformed: 'no id' });
    hand.deliver('group', 2, {}, { text: '{' });
    expect(lettersOf(hand)).toMatchObject([{ reason: 'undecodable' }, { reason: 'undecodable' }]);
    expect(lettersOf(hand)[0]?.error).toBe('no id');
  });

  it('is offered again later, where another process may have the handler of a retry', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    await consumerOf(hand, [{ group: 'g' }], { clock });
    hand.deliver('group', 1, { attempt: 2, failures: 1, handler: 'elsewhere' });
    expect(retriesOf(hand)).toEqual([
      { handler: 'elsewhere', delay: 1_000, attempt: 2, failures: 1, since: clock.now() },
    ]);
  });
});

describe('the registry of the consumer', () => {
  it('refuses two handlers of one name in a group', async () => {
    const consumer = await consumerOf(new Hand(), [{ group: 'g' }], { clock: new TestClock() });
    let thrown: unknown;
    await consumer.add(consumer.registry.entries()[0]!.declaration).catch((error: unknown) => (thrown = error));
    expect(isEventsError(thrown, 'INVALID_HANDLER')).toBe(true);
    expect(consumer.registry.entries()).toHaveLength(1);
  });
});

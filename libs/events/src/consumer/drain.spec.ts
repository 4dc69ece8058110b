import { describe, expect, it } from '@jest/globals';
import type { HandlerDeclaration } from '../core/declaration.js';
import { Batcher } from '../pipeline/batch.js';
import type { Pipeline } from '../pipeline/compose.js';
import { TestClock, turns } from '../testing/clock.js';
import { waitForOutcome } from '../testing/wait-for.js';
import type { Consumer } from './consumer.js';
import { consumerOf, door, Hand } from './consumer.spec-kit.js';
import { drain } from './drain.js';

type Invoke = HandlerDeclaration['invoke'];

/** One handler of a group, one at a time. */
function memberOf(hand: Hand, invoke: Invoke, clock: TestClock): Promise<Consumer> {
  return consumerOf(hand, [{ group: 'g', invoke }], { clock });
}

const boom = (): never => {
  throw new Error('boom');
};

describe('drain', () => {
  it('pauses every source, and resolves at once when nothing is in flight', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const consumer = await memberOf(hand, () => undefined, clock);
    await drain(consumer, { clock, timeout: 100, handOver: true });
    expect(hand.paused.sort()).toEqual(['anycast', 'group', 'inbox']);
    expect(clock.pending()).toBe(0);
  });

  it('lets running handlers finish, and gives back what has not begun', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const begun: unknown[] = [];
    const consumer = await memberOf(
      hand,
      (payload) => {
        begun.push(payload);
        return opened;
      },
      clock,
    );
    for (const payload of [1, 2, 3]) hand.deliver('group', payload);
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    expect(hand.kinds).toEqual([
      [2, 'release'],
      [3, 'release'],
    ]);
    open();
    await drained;
    expect(begun).toEqual([1]);
    expect(hand.kinds.at(-1)).toEqual([1, 'ack']);
  });

  it('runs what waits where nobody else could', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const consumer = await memberOf(hand, () => opened, clock);
    for (const payload of [1, 2]) hand.deliver('group', payload);
    const drained = drain(consumer, { clock, timeout: 100, handOver: false });
    open();
    await drained;
    expect(hand.kinds).toEqual([
      [1, 'ack'],
      [2, 'ack'],
    ]);
  });

  it('aborts and gives back what has not finished after the timeout; what it still returns does not count', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const signals: AbortSignal[] = [];
    const consumer = await memberOf(
      hand,
      (_, context) => {
        signals.push(context.signal);
        return opened;
      },
      clock,
    );
    hand.deliver('group', 1);
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    await clock.advance(99);
    expect([hand.kinds, signals[0]?.aborted]).toEqual([[], false]);
    await clock.advance(1);
    await drained;
    expect([hand.kinds, signals[0]?.aborted]).toEqual([[[1, 'release']], true]);
    open();
    await clock.advance(0);
    expect(hand.kinds).toEqual([[1, 'release']]);
  });

  it('gives back only the handlers that have not settled, where others have', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened } = door();
    const quick = { name: 'quick', group: 'g' };
    const slow = { name: 'slow', group: 'g', invoke: () => opened };
    const consumer = await consumerOf(hand, [quick, slow], { clock });
    hand.deliver('group', 1, { attempt: 2, failures: 1 });
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    await clock.advance(100);
    await drained;
    const again = { handler: 'slow', delay: 0, attempt: 2, failures: 1 };
    expect(hand.settled).toEqual([[1, expect.objectContaining({ kind: 'ack', retries: [again] })]]);
  });

  it('leaves the retries of a group to the backend', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, slam } = door();
    const consumer = await memberOf(hand, () => opened, clock);
    hand.deliver('group', 1);
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    slam(new Error('boom'));
    await drained;
    const again = { handler: 'h', delay: 1_000, attempt: 2, failures: 1 };
    expect(hand.settled).toEqual([[1, expect.objectContaining({ kind: 'ack', retries: [again] })]]);
    expect(clock.pending()).toBe(0);
  });

  it('waits until the backend has confirmed what was settled before', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    hand.confirm = opened;
    const consumer = await memberOf(hand, () => undefined, clock);
    hand.deliver('group', 1);
    let done = false;
    const drained = drain(consumer, { clock, timeout: 100, handOver: true }).then(() => (done = true));
    await clock.advance(50);
    expect(done).toBe(false);
    open();
    expect(await waitForOutcome(drained)).toMatchObject({ status: 'fulfilled' });
    expect(clock.pending()).toBe(0);
  });

  it('waits for a handler whose subscription was closed meanwhile', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const consumer = await memberOf(hand, () => opened, clock);
    hand.deliver('group', 1);
    await consumer.remove(consumer.registry.entries()[0]!);
    let done = false;
    const drained = drain(consumer, { clock, timeout: 100, handOver: true }).then(() => (done = true));
    await clock.advance(50);
    expect(done).toBe(false);
    open();
    await drained;
    expect(hand.kinds).toEqual([[1, 'ack']]);
  });
});

describe('drain with attempts that wait in the process', () => {
  it('files those of ungrouped handlers as dead letters, at once', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const consumer = await consumerOf(hand, [{ invoke: boom }], { clock });
    hand.deliver('process', 1);
    hand.settled.length = 0;
    await drain(consumer, { clock, timeout: 100, handOver: true });
    const letter = { handler: 'h', reason: 'handler-failed', error: 'boom', attempts: 1 };
    expect(hand.settled).toEqual([[1, { kind: 'ack', deadLetters: [expect.objectContaining(letter)] }]]);
    expect(clock.pending()).toBe(0);
  });

  it('files what fails while it drains', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, slam } = door();
    const consumer = await consumerOf(hand, [{ invoke: () => opened }], { clock });
    hand.deliver('process', 1);
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    slam(new Error('late'));
    await drained;
    expect(hand.settled.flatMap(([, verdict]) => (verdict.kind === 'ack' ? (verdict.deadLetters ?? []) : []))).toEqual([
      expect.objectContaining({ handler: 'h', error: 'late', attempts: 1 }),
    ]);
    expect(clock.pending()).toBe(0);
  });

  it('waits for one that runs', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const invoke: Invoke = (_, { attempt }) => (attempt === 1 ? boom() : opened);
    const consumer = await consumerOf(hand, [{ invoke }], { clock });
    hand.deliver('process', 1);
    await clock.advance(1_000);
    let done = false;
    const drained = drain(consumer, { clock, timeout: 100, handOver: true }).then(() => (done = true));
    await turns();
    expect(done).toBe(false);
    open();
    await drained;
    expect(hand.kinds.at(-1)).toEqual([1, 'ack']);
  });

  it('aborts one that runs on after the timeout', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened } = door();
    const signals: AbortSignal[] = [];
    const invoke: Invoke = (_, { attempt, signal }) => {
      signals.push(signal);
      return attempt === 1 ? boom() : opened;
    };
    const consumer = await consumerOf(hand, [{ invoke }], { clock });
    hand.deliver('process', 1);
    await clock.advance(1_000);
    expect(signals).toHaveLength(2);
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    await clock.advance(100);
    await drained;
    expect(signals[1]?.aborted).toBe(true);
  });

  it('gives unicast events back', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const consumer = await consumerOf(hand, [{ invoke: boom }], { clock });
    hand.deliver('inbox', 1);
    await drain(consumer, { clock, timeout: 100, handOver: true });
    expect(hand.settled).toEqual([[1, { kind: 'release' }]]);
    expect(clock.pending()).toBe(0);
  });

  it('gives a unicast event back once, whichever of its handlers wait', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const handlers = ['one', 'two'].map((name) => ({ name, invoke: boom }));
    const consumer = await consumerOf(hand, handlers, { clock });
    hand.deliver('inbox', 1);
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    await turns();
    expect(hand.settled).toEqual([[1, { kind: 'release' }]]);
    // At once: nobody waits for the timeout.
    expect(clock.pending('awaited')).toBe(0);
    await clock.advance(100);
    await drained;
  });

  it('waits for a handler of a unicast event that runs while another of them waits for its next attempt', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, open } = door();
    const handlers = [
      { name: 'fails', invoke: boom },
      { name: 'runs', invoke: () => opened },
    ];
    const consumer = await consumerOf(hand, handlers, { clock });
    hand.deliver('inbox', 1);
    let done = false;
    const drained = drain(consumer, { clock, timeout: 100, handOver: true }).then(() => (done = true));
    await turns();
    expect(done).toBe(false);
    open();
    await drained;
    expect(hand.kinds).toEqual([[1, 'release']]);
  });

  it('gives back a unicast event whose handler fails while it drains: no backend keeps its retries', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const { opened, slam } = door();
    const consumer = await consumerOf(hand, [{ invoke: () => opened }], { clock });
    hand.deliver('inbox', 1);
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    slam(new Error('boom'));
    await drained;
    expect(hand.settled).toEqual([[1, { kind: 'release' }]]);
  });
});

describe('drain with a batch that waits for its size', () => {
  /** A handler whose batches need a day. */
  async function batching(hand: Hand, clock: TestClock, done: unknown[]): Promise<Consumer> {
    const pipeline = (): Pipeline => {
      const invoke = (payloads: readonly unknown[]): number => done.push(payloads);
      const batch = { size: 10, maxWait: 86_400_000, concurrency: 1, clock, watchdog: undefined };
      const batcher = new Batcher({ ...batch, invoke });
      return { step: batcher.step, hurry: (always: boolean) => { batcher.hurry(always); } }; // prettier-ignore
    };
    return consumerOf(hand, [{ group: 'g', concurrency: 10 }], { clock, pipeline });
  }

  it('does not wait', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const done: unknown[] = [];
    const consumer = await batching(hand, clock, done);
    for (const number of [1, 2]) hand.deliver('group', number);
    await drain(consumer, { clock, timeout: 100, handOver: true });
    expect([done, clock.pending()]).toEqual([[[1, 2]], 0]);
    expect(hand.kinds).toEqual([
      [1, 'ack'],
      [2, 'ack'],
    ]);
  });

  it('does not wait where the subscription was closed before', async () => {
    const [hand, clock] = [new Hand(), new TestClock()];
    const done: unknown[] = [];
    const consumer = await batching(hand, clock, done);
    hand.deliver('group', 1);
    await consumer.remove(consumer.registry.entries()[0]!);
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    await turns();
    expect([done, hand.kinds]).toEqual([[[1]], [[1, 'ack']]]);
    await clock.advance(100);
    await drained;
  });
});

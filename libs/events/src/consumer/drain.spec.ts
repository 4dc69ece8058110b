import { describe, expect, it } from '@jest/globals';
import { isEventsError } from '../core/errors.js';
import type { Delivery, Verdict } from '../core/delivery.js';
import { EventEnvelope } from '../core/envelope.js';
import { createScopeStorage } from '../core/scope.js';
import type { HandlerDeclaration } from '../core/declaration.js';
import { compose } from '../pipeline/compose.js';
import { invokeStep } from '../pipeline/invoke.js';
import type { EventDriver, Sink, Source, SourceSpec } from '../ports/driver.js';
import { TestClock } from '../testing/clock.js';
import { waitForOutcome } from '../testing/wait-for.js';
import { Consumer } from './consumer.js';
import { drain } from './drain.js';

/** A driver whose deliveries the test makes itself. */
class Hand {
  readonly settled: [number, Verdict['kind']][] = [];
  readonly paused: string[] = [];
  sink!: Sink;
  confirm: Promise<void> | undefined;

  readonly driver = {
    attach: (spec: SourceSpec, sink: Sink): Promise<Source> => {
      if (spec.kind === 'group') this.sink = sink;
      return Promise.resolve({
        listen: () => Promise.resolve(undefined),
        unlisten: () => Promise.resolve(),
        pull: () => undefined,
        settle: (delivery: Delivery, verdict: Verdict) => {
          this.settled.push([delivery.event?.payload() as number, verdict.kind]);
          return this.confirm;
        },
        pause: () => {
          this.paused.push(spec.kind);
          return Promise.resolve();
        },
        close: () => Promise.resolve(),
      });
    },
  } as unknown as EventDriver;

  deliver(payload: number): void {
    const event = new EventEnvelope({
      type: 'a',
      id: String(payload),
      source: 's',
      sourceInstance: 'i',
      time: 0,
      mode: 'broadcast',
      text: String(payload),
    });
    this.sink.deliver({ event, type: 'a', attempt: 1, redelivered: false });
  }
}

async function consumerOf(hand: Hand, invoke: HandlerDeclaration['invoke'], concurrency = 1): Promise<Consumer> {
  const silent = { log: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };
  const consumer = new Consumer(hand.driver, {
    bus: 'b',
    limits: { count: 10, size: 1_000 },
    maxPayload: 1_000,
    logger: silent,
    scope: createScopeStorage(),
    pipeline: (declaration) => compose([], invokeStep(declaration.invoke)),
    reply: () => Promise.reject(new Error('not here')),
  });
  consumer.register({
    name: 'h',
    patterns: ['a'],
    group: 'g',
    startFrom: 'new',
    concurrency,
    answers: false,
    once: false,
    invoke,
  });
  await consumer.start();
  return consumer;
}

function door(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => { open(); } }; // prettier-ignore
}

describe('drain', () => {
  it('pauses every source, and resolves at once when nothing is in flight', async () => {
    const hand = new Hand();
    const clock = new TestClock();
    const consumer = await consumerOf(hand, () => undefined);
    await drain(consumer, { clock, timeout: 100, handOver: true });
    expect(hand.paused.sort()).toEqual(['anycast', 'group', 'inbox']);
    expect(clock.pending()).toBe(0);
  });

  it('lets running handlers finish, and gives back what has not begun', async () => {
    const hand = new Hand();
    const { opened, open } = door();
    const begun: unknown[] = [];
    const consumer = await consumerOf(hand, (payload) => {
      begun.push(payload);
      return opened;
    });
    for (const payload of [1, 2, 3]) hand.deliver(payload);
    const drained = drain(consumer, { clock: new TestClock(), timeout: 100, handOver: true });
    expect(hand.settled).toEqual([
      [2, 'release'],
      [3, 'release'],
    ]);
    open();
    await drained;
    expect(begun).toEqual([1]);
    expect(hand.settled.at(-1)).toEqual([1, 'ack']);
  });

  it('runs what waits where nobody else could', async () => {
    const hand = new Hand();
    const { opened, open } = door();
    const consumer = await consumerOf(hand, () => opened);
    for (const payload of [1, 2]) hand.deliver(payload);
    const drained = drain(consumer, { clock: new TestClock(), timeout: 100, handOver: false });
    open();
    await drained;
    expect(hand.settled).toEqual([
      [1, 'ack'],
      [2, 'ack'],
    ]);
  });

  it('aborts and gives back what has not finished after the timeout; what it still returns does not count', async () => {
    const hand = new Hand();
    const clock = new TestClock();
    const { opened, open } = door();
    const signals: AbortSignal[] = [];
    const consumer = await consumerOf(hand, (_, context) => {
      signals.push(context.signal);
      return opened;
    });
    hand.deliver(1);
    const drained = drain(consumer, { clock, timeout: 100, handOver: true });
    await clock.advance(99);
    expect([hand.settled, signals[0]?.aborted]).toEqual([[], false]);
    await clock.advance(1);
    await drained;
    expect([hand.settled, signals[0]?.aborted]).toEqual([[[1, 'release']], true]);
    open();
    await clock.advance(0);
    expect(hand.settled).toEqual([[1, 'release']]);
  });

  it('waits until the backend has confirmed what was settled before', async () => {
    const hand = new Hand();
    const clock = new TestClock();
    const { opened, open } = door();
    hand.confirm = opened;
    const consumer = await consumerOf(hand, () => undefined);
    hand.deliver(1);
    let done = false;
    const drained = drain(consumer, { clock, timeout: 100, handOver: true }).then(() => (done = true));
    await clock.advance(50);
    expect(done).toBe(false);
    open();
    expect(await waitForOutcome(drained)).toMatchObject({ status: 'fulfilled' });
    expect(clock.pending()).toBe(0);
  });

  it('waits for a handler whose subscription was closed meanwhile', async () => {
    const hand = new Hand();
    const { opened, open } = door();
    const consumer = await consumerOf(hand, () => opened);
    hand.deliver(1);
    const [entry] = consumer.registry.entries();
    if (entry === undefined) throw new Error('no handler');
    await consumer.remove(entry);
    let done = false;
    const clock = new TestClock();
    const drained = drain(consumer, { clock, timeout: 100, handOver: true }).then(() => (done = true));
    await clock.advance(50);
    expect(done).toBe(false);
    open();
    await drained;
    expect(hand.settled).toEqual([[1, 'ack']]);
  });
});

describe('the registry of the consumer', () => {
  it('refuses two handlers of one name in a group', async () => {
    const consumer = await consumerOf(new Hand(), () => undefined);
    const again = consumer.registry.entries()[0]?.declaration;
    if (again === undefined) throw new Error('no handler');
    let thrown: unknown;
    await consumer.add(again).catch((error: unknown) => (thrown = error));
    expect(isEventsError(thrown, 'INVALID_HANDLER')).toBe(true);
    expect(consumer.registry.entries()).toHaveLength(1);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { CardContext } from '../core/context.js';
import { TestClock, turns } from '../testing/clock.js';
import { door } from '../consumer/consumer.spec-kit.js';
import { pipelineFor } from '../runtime/pipeline.js';
import { cardDeclarationOf, entriesOf, HandTurn, cardsWith } from './cards.spec-kit.js';

const cardsOf = cardsWith(pipelineFor, () => new TestClock());

const nothing = (): void => undefined;

describe('handlers', () => {
  it('one a topic in a process', async () => {
    const { consumer } = await cardsOf([cardDeclarationOf(nothing, { name: 'one', patterns: ['t', 'u'] })]);
    expect(() => consumer.register(cardDeclarationOf(nothing, { patterns: ['x', 'u'] }))).toThrow(
      "Topic 'u' on bus 'b' has the handler one already",
    );
    await consumer.add(cardDeclarationOf(nothing, { patterns: ['x'] }));
  });

  it('idempotent ones need names of their own', async () => {
    const idempotent = { key: undefined, ttl: 1 };
    const { consumer } = await cardsOf([cardDeclarationOf(nothing, { idempotent })]);
    const other = cardDeclarationOf(nothing, { idempotent, patterns: ['x'] });
    expect(() => consumer.register(other)).toThrow("idempotent handler of cards named 'h'");
    consumer.register({ ...other, name: 'other' });
  });

  it('take as many events as are in hand at most, a batch handler its size', async () => {
    const batch = { size: 50, maxWait: 0 };
    const { hand } = await cardsOf([
      cardDeclarationOf(nothing),
      cardDeclarationOf(nothing, { patterns: ['x'], batch }),
    ]);
    expect(hand.told).toEqual(['consume t 3', 'consume x 50']);
  });

  it('have room for so many cards at once on all their topics; a place that is free again is offered', async () => {
    const gate = door();
    const { hand } = await cardsOf([cardDeclarationOf(() => gate.opened, { patterns: ['t', 'u'], concurrency: 2 })]);
    const room = (): (number | undefined)[] => ['t', 'u'].map((topic) => hand.sinks.get(topic)?.room());
    expect(room()).toEqual([2, 2]);
    hand.begin(new HandTurn(entriesOf([1])));
    hand.begin(new HandTurn(entriesOf([2]), 'u'));
    expect([room(), hand.told.slice(2)]).toEqual([[0, 0], []]);
    gate.open();
    await turns();
    // Each topic is told of each place.
    expect([room(), hand.told.slice(2)]).toEqual([[2, 2], ['pull t', 'pull u', 'pull t', 'pull u']]); // prettier-ignore
  });

  it('run no more at once than that, though two topics have handed over more cards', async () => {
    const gates = [door(), door()];
    const seen: number[] = [];
    const handler = (n: number): unknown => {
      seen.push(n);
      return gates[n]?.opened;
    };
    const { hand } = await cardsOf([cardDeclarationOf(handler, { patterns: ['t', 'u'], concurrency: 1 })]);
    const [first, second] = [new HandTurn(entriesOf([0])), new HandTurn(entriesOf([1]), 'u')];
    hand.begin(first);
    hand.begin(second);
    await turns();
    expect(seen).toEqual([0]);
    gates[0]?.open();
    await turns();
    expect([seen, second.names]).toEqual([[0, 1], []]);
    gates[1]?.open();
  });
});

describe('removing a handler', () => {
  it('what runs ends and is acknowledged, the rest goes back; then the topic is left, and free for another', async () => {
    const gate = door();
    const { consumer, hand } = await cardsOf([]);
    const entry = await consumer.add(cardDeclarationOf(() => gate.opened));
    const turn = new HandTurn(entriesOf([1, 2]));
    hand.begin(turn);
    await turns();
    consumer.remove(entry);
    consumer.remove(entry);
    expect(hand.told).toEqual(['consume t 3', 'pause t']);
    const added = consumer.add(cardDeclarationOf(nothing));
    await turns();
    expect([hand.told.length, hand.sinks.get('t')?.room()]).toEqual([2, 0]);
    gate.open();
    await added;
    expect(turn.calls).toEqual([['ack', 1, 'keep'], ['release'], ['end']]);
    expect(hand.told.slice(2)).toEqual(['close t', 'consume t 3']);
  });

  it('a card that is handed over after that goes back untouched', async () => {
    const seen: unknown[] = [];
    const { consumer, hand } = await cardsOf([]);
    const entry = await consumer.add(cardDeclarationOf((n) => seen.push(n)));
    const sink = hand.sinks.get('t');
    consumer.remove(entry);
    const turn = new HandTurn(entriesOf([1]));
    sink?.begin(turn);
    await turns();
    expect([turn.names, seen]).toEqual([['release', 'end'], []]); // prettier-ignore
  });

  it('one that a backend refuses is not registered', async () => {
    const { consumer, hand } = await cardsOf([]);
    const { consume } = hand.store;
    hand.store.consume = () => Promise.reject(new Error('in use'));
    await expect(consumer.add(cardDeclarationOf(nothing))).rejects.toThrow('in use');
    hand.store.consume = consume;
    await consumer.add(cardDeclarationOf(nothing));
  });
});

describe('drain', () => {
  it('one that does not end in time: its signal aborts, its card goes back at once, and what it returns counts no more', async () => {
    const gate = door();
    const signals: AbortSignal[] = [];
    const handler = (_: number, { signal }: CardContext): Promise<void> => {
      signals.push(signal);
      return gate.opened;
    };
    const { consumer, hand, clock, lines } = await cardsOf([cardDeclarationOf(handler)]);
    const turn = new HandTurn(entriesOf([1, 2]));
    hand.begin(turn);
    await turns();
    const drained = consumer.drain({ clock, timeout: 1_000, handOver: true });
    await clock.advance(999);
    expect([signals[0]?.aborted, turn.calls]).toEqual([false, []]);
    await clock.advance(1);
    await drained;
    expect([signals[0]?.reason, turn.calls]).toEqual([new Error('The process shuts down.'), [['release']]]);
    expect(lines).toEqual([expect.stringContaining("Bus 'b': 1 cards did not finish within 1000 ms")]);
    gate.open();
    await turns();
    expect(turn.names).toEqual(['release', 'end']);
  });

  it('one whose backend does not answer is left alone: it is not asked twice at once', async () => {
    const answer = door();
    const { consumer, hand, clock } = await cardsOf([cardDeclarationOf(nothing)]);
    const turn = new HandTurn(entriesOf([1, 2]));
    turn.before = (call) => (call === 'ack' ? answer.opened : undefined);
    hand.begin(turn);
    await turns();
    const drained = consumer.drain({ clock, timeout: 1_000, handOver: true });
    await clock.advance(1_000);
    await drained;
    expect(turn.names).toEqual(['ack']);
    answer.open();
    await turns();
    expect(turn.names).toEqual(['ack', 'release', 'end']);
  });

  it('takes nothing more, and no handlers', async () => {
    const { consumer, hand, clock } = await cardsOf([cardDeclarationOf(nothing)]);
    await consumer.drain({ clock, timeout: 1_000, handOver: true });
    expect([hand.told, hand.sinks.get('t')?.room()]).toEqual([['consume t 3', 'pause t'], 0]); // prettier-ignore
    await expect(consumer.add(cardDeclarationOf(nothing, { patterns: ['x'] }))).rejects.toMatchObject({
      code: 'BUS_CLOSED',
    });
  });

  it('where others cannot take what waits: it is handled until the source has nothing more', async () => {
    const gate = door();
    const seen: unknown[] = [];
    const { consumer, hand, clock } = await cardsOf([cardDeclarationOf((n) => seen.push(n))]);
    hand.pausing = gate.opened;
    const drained = consumer.drain({ clock, timeout: 1_000, handOver: false });
    const turn = new HandTurn(entriesOf([1, 2]));
    hand.begin(turn);
    await turns();
    expect([seen, turn.names]).toEqual([[1, 2], ['ack', 'ack', 'end']]); // prettier-ignore
    gate.open();
    await drained;
    expect(hand.sinks.get('t')?.room()).toBe(0);
  });

  it('so does what waits for its batch to be full, then and later', async () => {
    const gate = door();
    const seen: unknown[] = [];
    const batch = { size: 5, maxWait: 600_000 };
    const { consumer, hand, clock } = await cardsOf([cardDeclarationOf((all) => seen.push(all), { batch })]);
    hand.pausing = gate.opened;
    const waiting = new HandTurn(entriesOf([1, 2]));
    waiting.refills = [entriesOf([1, 2])];
    hand.begin(waiting);
    await turns();
    const drained = consumer.drain({ clock, timeout: 1_000, handOver: false });
    await turns();
    hand.begin(new HandTurn(entriesOf([3])));
    await turns();
    expect(seen).toEqual([[1, 2], [3]]); // prettier-ignore
    gate.open();
    await drained;
  });

  it('where there is no end to it, the timeout is', async () => {
    const { consumer, hand, clock } = await cardsOf([cardDeclarationOf(nothing)]);
    hand.pausing = door().opened;
    const drained = consumer.drain({ clock, timeout: 1_000, handOver: false });
    await clock.advance(1_000);
    await drained;
    const late = new HandTurn(entriesOf([1]));
    hand.begin(late);
    await turns();
    expect(late.names).toEqual(['release', 'end']);
  });
});

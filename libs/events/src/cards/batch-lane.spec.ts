import { describe, expect, it } from '@jest/globals';
import type { CardContext } from '../core/context.js';
import { BatchError, Reject } from '../core/handler-errors.js';
import type { CardDeclaration } from '../core/declaration.js';
import { TestClock, turns } from '../testing/clock.js';
import { door } from '../consumer/consumer.spec-kit.js';
import { pipelineFor } from '../runtime/pipeline.js';
import { cardDeclarationOf, entriesOf, HandTurn, cardsWith, type Setup } from './cards.spec-kit.js';

const cardsOf = cardsWith(pipelineFor, () => new TestClock());

const boom = new Error('boom');

interface Case {
  readonly turn: HandTurn;
  readonly seen: unknown[];
  readonly setup: Setup<TestClock>;
}

/** A batch handler that has got a card with these events. */
async function batchOf(
  turn: HandTurn,
  work: (payloads: readonly number[]) => unknown = () => undefined,
  fields: Partial<CardDeclaration> = {},
): Promise<Case> {
  const seen: unknown[] = [];
  const handler = (payloads: readonly number[]): unknown => {
    seen.push(payloads);
    return work(payloads);
  };
  const setup = await cardsOf([cardDeclarationOf(handler, { batch: { size: 3, maxWait: 100 }, ...fields })]);
  setup.hand.begin(turn);
  await turns();
  return { turn, seen, setup };
}

/** With a middleware around the handler, so that each event goes through the pipeline by itself; and without. */
const ways: [string, Partial<CardDeclaration>][] = [
  ['through the pipeline', { filters: [() => true] }],
  ['as one call', {}],
];

describe.each(ways)('a batch %s', (_way, fields) => {
  it('is acknowledged as one, and what follows is the next', async () => {
    const turn = new HandTurn(entriesOf([1, 2, 3]));
    turn.following = [entriesOf([4, 5, 6])];
    const { seen } = await batchOf(turn, undefined, fields);
    expect(seen).toEqual([[1, 2, 3], [4, 5, 6]]); // prettier-ignore
    expect(turn.calls).toEqual([['ack', 3, 'next'], ['ack', 3, 'yield'], ['end']]);
  });

  it('BatchError: what is before its lowest index is done, that one failed, the rest waits', async () => {
    const turn = new HandTurn(entriesOf([1, 2, 3]));
    const work = (): never => {
      throw new BatchError([2, 1], { cause: boom });
    };
    await batchOf(turn, work, fields);
    expect(turn.calls).toEqual([['ack', 1, 'keep'], ['retry', 1_000, true, 'boom'], ['end']]);
  });

  it('any other error, and an index that there is not: the first has failed', async () => {
    for (const error of [boom, new BatchError([1, 3])]) {
      const turn = new HandTurn(entriesOf([1, 2, 3]));
      await batchOf(turn, () => Promise.reject(error), fields);
      expect(turn.names).toEqual(['retry', 'end']);
      expect(turn.calls[0]?.[3]).toContain(error === boom ? 'boom' : '0 to 2');
    }
  });

  it('one that is a dead letter: the card goes on with those behind it', async () => {
    const turn = new HandTurn(entriesOf([1, 2, 3]));
    turn.refills = Array.from({ length: 20 }, () => entriesOf([3, 4]));
    const work = (payloads: readonly number[]): void => {
      if (payloads.includes(2)) throw new BatchError([payloads.indexOf(2)], { cause: new Reject('no') });
    };
    const { seen, setup } = await batchOf(turn, work, fields);
    await setup.clock.advance(100);
    expect(seen).toEqual([[1, 2, 3], [3, 4]]); // prettier-ignore
    expect(turn.calls.filter(([name]) => name !== 'refill')).toEqual([
      ['ack', 1, 'keep'],
      ['bury', 'rejected', 1, 'keep'],
      ['ack', 2, 'yield'],
      ['end'],
    ]);
  });

  it('is given up when the card is lost: its signals abort', async () => {
    const gate = door();
    const signals: AbortSignal[] = [];
    const handler = (_: number[], contexts: CardContext[]): Promise<void> => {
      signals.push(...contexts.map(({ signal }) => signal));
      return gate.opened;
    };
    const { hand } = await cardsOf([cardDeclarationOf(handler, { batch: { size: 2, maxWait: 0 }, ...fields })]);
    const turn = new HandTurn(entriesOf([1, 2]));
    hand.begin(turn);
    await turns();
    turn.lose(boom);
    expect(signals.map(({ reason }) => reason as unknown)).toEqual([boom, boom]);
    gate.open();
    await turns();
    expect(turn.calls).toEqual([['ack', 2, 'next'], ['end']]);
  });
});

describe('an event that has to wait', () => {
  it('is not passed by those behind it', async () => {
    const turn = new HandTurn(entriesOf([1, 2, 3]));
    const unsure = (n: number): boolean => {
      if (n === 2) throw boom;
      return true;
    };
    const { seen } = await batchOf(turn, undefined, { filters: [unsure] });
    expect(seen).toEqual([[1]]);
    expect(turn.calls).toEqual([['ack', 1, 'keep'], ['retry', 1_000, true, 'boom'], ['end']]);
  });

  it('nor is one that parks its card; one that becomes a dead letter is', async () => {
    const refuse = (n: number): boolean => {
      if (n === 2) throw new Reject('no');
      return true;
    };
    const outcomes: unknown[] = [];
    for (const onExhausted of ['park', 'dead-letter'] as const) {
      const turn = new HandTurn(entriesOf([1, 2, 3]));
      const { seen } = await batchOf(turn, undefined, { filters: [refuse], onExhausted });
      outcomes.push(seen, turn.calls);
    }
    expect(outcomes).toEqual([
      [[1]],
      [['ack', 1, 'keep'], ['park', 'rejected', 1], ['end']],
      [[1, 3]],
      [['ack', 1, 'keep'], ['bury', 'rejected', 1, 'keep'], ['ack', 1, 'next'], ['end']],
    ]);
  });

  it('what nobody wants is acknowledged with the others, and the handler is not called for it alone', async () => {
    const odd = (n: number): Promise<boolean> => Promise.resolve(n % 2 === 1);
    const first = await batchOf(new HandTurn(entriesOf([1, 2, 3])), undefined, { filters: [odd] });
    const second = await batchOf(new HandTurn(entriesOf([2, 4, 6])), undefined, { filters: [odd] });
    expect([first.seen, second.seen]).toEqual([[[1, 3]], []]); // prettier-ignore
    for (const { turn } of [first, second]) expect(turn.calls).toEqual([['ack', 3, 'next'], ['end']]);
  });
});

describe('fewer than a batch', () => {
  it('wait until it is full', async () => {
    const turn = new HandTurn(entriesOf([1]));
    turn.refills = [entriesOf([1, 2]), entriesOf([1, 2, 3])];
    const { seen, setup } = await batchOf(turn);
    expect(seen).toEqual([]);
    await setup.clock.advance(99);
    expect(seen).toEqual([[1, 2, 3]]);
    expect(turn.names).toEqual(['refill', 'refill', 'ack', 'end']);
  });

  it('go after maxWait, with what has come last', async () => {
    const turn = new HandTurn(entriesOf([1]));
    turn.refills = Array.from({ length: 20 }, () => entriesOf([1, 2]));
    const { seen, setup } = await batchOf(turn);
    await setup.clock.advance(99);
    expect(seen).toEqual([]);
    await setup.clock.advance(1);
    expect(seen).toEqual([[1, 2]]);
  });

  it('go at once where the first of them has failed before', async () => {
    const { seen } = await batchOf(new HandTurn(entriesOf([1, 2], { failures: 1 })));
    expect(seen).toEqual([[1, 2]]);
  });

  it('go back when the process ends, without a run', async () => {
    const { turn, seen, setup } = await batchOf(new HandTurn(entriesOf([1])));
    await setup.consumer.drain({ clock: setup.clock, timeout: 1_000, handOver: true });
    expect([seen, turn.names]).toEqual([[], ['release', 'end']]); // prettier-ignore
    expect(setup.clock.pending()).toBe(0);
  });

  it('are let go when somebody else has taken them off the card', async () => {
    const { turn, seen, setup } = await batchOf(new HandTurn(entriesOf([1])));
    await setup.clock.advance(100);
    expect([seen, turn.names]).toEqual([[], ['refill', 'release', 'end']]);
  });

  it('are let go when the card is lost meanwhile', async () => {
    const { turn, seen } = await batchOf(new HandTurn(entriesOf([1])));
    turn.lose();
    await turns();
    expect([seen, turn.names]).toEqual([[], ['end']]); // prettier-ignore
  });

  it('hold no place: another card is handled meanwhile, though one batch runs at once', async () => {
    const { setup, seen } = await batchOf(new HandTurn(entriesOf([1])), undefined, { concurrency: 1, cards: 10 });
    const full = new HandTurn(entriesOf([2, 3, 4]));
    setup.hand.begin(full);
    await turns();
    expect(seen).toEqual([[2, 3, 4]]);
  });
});

describe('what is alone', () => {
  it('an entry that cannot be read: the batch ends before it', async () => {
    const [first, bad, last] = entriesOf([1, 2, 3]);
    const entries = [first!, { ...bad!, event: undefined, malformed: 'no JSON' }, last!];
    const { turn, seen } = await batchOf(new HandTurn(entries), undefined, { batch: { size: 3, maxWait: 0 } });
    expect(seen).toEqual([[1], [3]]);
    expect(turn.calls).toEqual([['ack', 1, 'keep'], ['bury', 'undecodable', 1, 'keep'], ['ack', 1, 'next'], ['end']]);
  });

  it('a suspect: it is noted, and runs in a batch of its own', async () => {
    const turn = new HandTurn(entriesOf([1, 2, 3], { crashes: 2 }));
    const { seen } = await batchOf(turn, undefined, { batch: { size: 3, maxWait: 0 } });
    expect(seen).toEqual([[1], [2, 3]]); // prettier-ignore
    expect(turn.names).toEqual(['alone', 'ack', 'ack', 'end']);
  });
});

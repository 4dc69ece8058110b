import { describe, expect, it } from '@jest/globals';
import { Reject } from '../core/handler-errors.js';
import type { CardContext } from '../core/context.js';
import { TestClock, turns } from '../testing/clock.js';
import { door } from '../consumer/consumer.spec-kit.js';
import { pipelineFor } from '../runtime/pipeline.js';
import { cardDeclarationOf, entriesOf, HandTurn, cardsWith } from './cards.spec-kit.js';

const cardsOf = cardsWith(pipelineFor, () => new TestClock());

const boom = (): never => {
  throw new Error('boom');
};

describe('one card', () => {
  it('begins nothing inside the call that hands it over', async () => {
    const seen: unknown[] = [];
    const { hand } = await cardsOf([cardDeclarationOf((n) => seen.push(n))]);
    hand.begin(new HandTurn(entriesOf([1])));
    expect(seen).toEqual([]);
    await turns();
    expect(seen).toEqual([1]);
  });

  it('acknowledges each before the next begins, takes what follows, and ends when nothing does', async () => {
    const order: unknown[] = [];
    const { hand } = await cardsOf([cardDeclarationOf((n) => Promise.resolve().then(() => order.push(n)))]);
    const turn = new HandTurn(entriesOf([1, 2]));
    turn.following = [entriesOf([3])];
    turn.before = async (call) => {
      await turns(1);
      order.push(call);
    };
    hand.begin(turn);
    await turns(10);
    expect(order).toEqual([1, 'ack', 2, 'ack', 3, 'ack']);
    expect(turn.calls).toEqual([['ack', 1, 'keep'], ['ack', 1, 'next'], ['ack', 1, 'next'], ['end']]);
  });

  it('yields after a quantum, whatever is in hand', async () => {
    const { hand } = await cardsOf([cardDeclarationOf(() => undefined)]);
    const turn = new HandTurn(entriesOf([1, 2, 3]));
    turn.following = [entriesOf([4, 5, 6])];
    hand.begin(turn);
    await turns();
    expect(turn.calls.map(([, , then]) => then)).toEqual(['keep', 'keep', 'next', 'yield', undefined]);
  });

  it('a dead letter counts for the quantum, and is followed by the next', async () => {
    const { hand } = await cardsOf([
      cardDeclarationOf((n: number) => {
        if (n < 3) throw new Reject('no');
      }),
    ]);
    const turn = new HandTurn(entriesOf([1, 2, 3]));
    hand.begin(turn);
    await turns();
    const buried = [1, 2].map(() => ['bury', 'rejected', 1, 'keep']);
    expect(turn.calls).toEqual([...buried, ['ack', 1, 'next'], ['end']]);
  });

  it('a failure ends the turn: the card waits', async () => {
    const { hand } = await cardsOf([cardDeclarationOf(boom)]);
    const turn = new HandTurn(entriesOf([1, 2], { failures: 1, attempt: 2 }));
    hand.begin(turn);
    await turns();
    expect(turn.calls).toEqual([['retry', 2_000, true, 'boom'], ['end']]);
  });

  it('cannot read an entry: a dead letter of no handler, or parked with it; never tried again', async () => {
    const malformed = { event: undefined, malformed: 'no JSON' };
    const outcomes: unknown[] = [];
    for (const onExhausted of ['dead-letter', 'park', 'block'] as const) {
      const { hand, lines, parked } = await cardsOf([cardDeclarationOf(() => undefined, { onExhausted })]);
      const turn = new HandTurn(entriesOf([1], malformed));
      hand.begin(turn);
      await turns();
      outcomes.push(turn.calls[0], parked);
      expect(lines[0]).toBe("An entry of card 't:c' on bus 'b' is not an event: no JSON.");
    }
    const row = { reason: 'undecodable', error: 'no JSON', attempts: 1, handler: undefined, stack: undefined };
    expect(outcomes).toEqual([
      ...[['bury', 'undecodable', 1, 'next'], []],
      ...[['park', 'undecodable', 1], [['t:c', row]]],
      ...[['bury', 'undecodable', 1, 'next'], []],
    ]);
  });
});

describe('without attempts left', () => {
  const last = { failures: 2, attempt: 3 };

  it('park: waits with its head, and says so', async () => {
    const { hand, parked, lines } = await cardsOf([cardDeclarationOf(boom, { onExhausted: 'park' })]);
    const turn = new HandTurn(entriesOf([1, 2], last));
    hand.begin(turn);
    await turns();
    expect(turn.calls).toEqual([['park', 'handler-failed', 3], ['end']]);
    expect(parked).toMatchObject([['t:c', { reason: 'handler-failed', handler: 'h', attempts: 3, error: 'boom' }]]);
    expect(lines[0]).toContain("failed on 't' of card 't:c' (1, attempt 3): boom; its card is parked (handler-failed)");
  });

  it('block: is tried again for ever, with waits that grow to the longest', async () => {
    const waits: unknown[] = [];
    for (const failures of [2, 3, 50]) {
      const { hand, lines } = await cardsOf([cardDeclarationOf(boom, { onExhausted: 'block' })]);
      const turn = new HandTurn(entriesOf([1], { failures }));
      hand.begin(turn);
      await turns();
      waits.push(turn.calls[0]);
      expect(lines[0]).toContain(`again in ${String(turn.calls[0]?.[1])} ms (failure ${String(failures + 1)})`);
    }
    expect(waits).toEqual([4_000, 8_000, 60_000].map((wait) => ['retry', wait, true, 'boom']));
  });

  it('block: what no attempt can mend is a dead letter', async () => {
    const reject = (): never => {
      throw new Reject('no');
    };
    const { hand } = await cardsOf([cardDeclarationOf(reject, { onExhausted: 'block' })]);
    const turn = new HandTurn(entriesOf([1]));
    hand.begin(turn);
    await turns();
    expect(turn.calls[0]).toEqual(['bury', 'rejected', 1, 'next']);
  });
});

describe('a card that is lost', () => {
  it('while its handler runs: the signal aborts, nothing further begins, the turn ends with the handler', async () => {
    const gate = door();
    const contexts: CardContext[] = [];
    const { hand } = await cardsOf([
      cardDeclarationOf((_: number, context: CardContext) => {
        contexts.push(context);
        return gate.opened;
      }),
    ]);
    const turn = new HandTurn(entriesOf([1, 2]));
    hand.begin(turn);
    await turns();
    const early = contexts[0]?.signal;
    const reason = new Error('another has it');
    turn.lose(reason);
    await turns();
    expect([early?.reason, turn.calls]).toEqual([reason, []]);
    gate.open();
    await turns();
    // The backend knows better whether the acknowledgement counts.
    expect(turn.calls).toEqual([['ack', 1, 'keep'], ['end']]);
    expect(contexts).toHaveLength(1);
  });

  it('before its signal was asked for: that has aborted', async () => {
    const gate = door();
    const signals: AbortSignal[] = [];
    const { hand } = await cardsOf([
      cardDeclarationOf((_: number, context: CardContext) => gate.opened.then(() => signals.push(context.signal))),
    ]);
    const turn = new HandTurn(entriesOf([1]));
    hand.begin(turn);
    await turns();
    turn.lose();
    gate.open();
    await turns();
    expect(signals[0]?.aborted).toBe(true);
  });

  it('during an acknowledgement: nothing further begins', async () => {
    const seen: unknown[] = [];
    const { hand } = await cardsOf([cardDeclarationOf((n) => seen.push(n))]);
    const turn = new HandTurn(entriesOf([1, 2]));
    turn.before = () => {
      turn.lose();
    };
    hand.begin(turn);
    await turns();
    expect([seen, turn.calls]).toEqual([[1], [['ack', 1, 'keep'], ['end']]]);
  });
});

describe('a backend that refuses', () => {
  it('its events come again a second later, uncounted, and the log has it', async () => {
    const { hand, lines } = await cardsOf([cardDeclarationOf(() => undefined)]);
    const turn = new HandTurn(entriesOf([1, 2]));
    turn.before = (call) => {
      if (call === 'ack') throw new Error('OOM');
    };
    hand.begin(turn);
    await turns();
    expect(turn.calls.slice(1)).toEqual([['retry', 1_000, false, 'OOM'], ['end']]);
    expect(lines).toEqual(["Card 't:c' on bus 'b' could not be settled, its events will come again: OOM"]);
  });

  it('for ever: the turn ends all the same', async () => {
    const { hand } = await cardsOf([cardDeclarationOf(() => undefined)]);
    const turn = new HandTurn(entriesOf([1]));
    turn.before = () => Promise.reject(new Error('OOM'));
    hand.begin(turn);
    await turns();
    expect(turn.names).toEqual(['ack', 'retry', 'end']);
  });
});

describe('a suspect', () => {
  const suspect = { crashes: 2, attempt: 3 };

  it('runs alone: it is noted before, and others wait until it has ended', async () => {
    const seen: string[] = [];
    const gates = [door(), door()];
    const { hand } = await cardsOf([
      cardDeclarationOf((n: number) => {
        seen.push(`${String(n)} begins`);
        return gates[n]?.opened.then(() => seen.push(`${String(n)} ends`));
      }),
    ]);
    const [other, bad, late] = [new HandTurn(entriesOf([0])), new HandTurn(entriesOf([1], suspect)), new HandTurn(entriesOf([2]))]; // prettier-ignore
    hand.begin(other);
    await turns();
    hand.begin(bad);
    await turns();
    hand.begin(late);
    await turns();
    expect([seen, bad.calls]).toEqual([['0 begins'], []]);
    gates[0]?.open();
    await turns();
    expect([seen.slice(1), bad.names]).toEqual([['0 ends', '1 begins'], ['alone']]);
    gates[1]?.open();
    await turns();
    expect(seen.slice(3)).toEqual(['1 ends', '2 begins']);
    expect([bad.names, late.names]).toEqual([['alone', 'ack', 'end'], ['ack', 'end']]); // prettier-ignore
  });

  it.each([
    ['dead-letter', ['bury', 'crashed', 2, 'next']],
    ['park', ['park', 'crashed', 2]],
    ['block', ['retry', 4_000, true, 'The process died 3 times while handler h ran on this event alone.']],
  ] as const)('that has died alone too often, with %s', async (onExhausted, expected) => {
    const seen: unknown[] = [];
    const { hand } = await cardsOf([cardDeclarationOf((n) => seen.push(n), { onExhausted })]);
    const turn = new HandTurn(entriesOf([1], suspect));
    turn.crashesAlone = 3;
    hand.begin(turn);
    await turns();
    expect([turn.calls[1], seen]).toEqual([expected, []]);
  });

  it('block: after the wait that its death has cost it runs again', async () => {
    const seen: unknown[] = [];
    const { hand } = await cardsOf([cardDeclarationOf((n) => seen.push(n), { onExhausted: 'block' })]);
    const turn = new HandTurn(entriesOf([1], { ...suspect, failures: 3 }));
    turn.crashesAlone = 3;
    hand.begin(turn);
    await turns();
    expect(seen).toEqual([1]);
  });

  it('that waits for its turn is given back when the process ends', async () => {
    const gate = door();
    const { hand, consumer, clock } = await cardsOf([cardDeclarationOf(() => gate.opened)]);
    const [other, bad] = [new HandTurn(entriesOf([0])), new HandTurn(entriesOf([1], suspect))];
    hand.begin(other);
    await turns();
    hand.begin(bad);
    await turns();
    const drained = consumer.drain({ clock, timeout: 1_000, handOver: true });
    await turns();
    expect(bad.names).toEqual(['release', 'end']);
    gate.open();
    await drained;
    await turns();
    expect([other.calls, bad.names]).toEqual([
      [['ack', 1, 'keep'], ['release'], ['end']],
      ['release', 'end'],
    ]);
  });
});

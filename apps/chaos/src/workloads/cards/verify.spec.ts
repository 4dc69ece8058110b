import { describe, expect, it } from '@jest/globals';
import type { DeadLetter } from 'nestjs-cardinal';
import type { Recorded, Verdict } from '../../sink/fenced-sink.js';
import type { Produced } from './producer.js';
import { verify, type Evidence } from './verify.js';

let at = 0;
const effect = (number: number, verdict: Verdict = 'accepted', instanceId = 'one'): Recorded => {
  const sequence = `${number}-0`;
  return { verdict, card: 'a', token: '1', sequence, at: ++at, note: `${number} ${instanceId}` };
};
const letter = (number: number | string): DeadLetter =>
  ({ reason: 'handler-failed', event: { payload: { card: 'a', number } } }) as unknown as DeadLetter;

/** Numbers up to `last` were produced. */
function evidence(last: number, recorded: readonly Recorded[], more: Partial<Evidence> = {}): Evidence {
  const produced: Produced = { last, refused: new Set(), uncertain: new Set() };
  const producer = { cards: new Map([['a', produced]]), byStyle: { library: last, silent: 0, foreign: 0 } };
  return { producer, recorded, letters: [], harms: [], refused: 0, left: { cards: [], indexes: [] }, ...more };
}

const failing = (given: Evidence): string[] =>
  verify(given).checks.flatMap(({ name, ok, found }) => (ok ? [] : [`${name}: ${found}`]));

describe('what a chaos run finds', () => {
  it('holds where all that was produced was handled in order, with repetitions and refused late effects, or is dead', () => {
    const recorded = [effect(1), effect(2), effect(2, 'repeated', 'two'), effect(1, 'stale'), effect(4)];
    expect(failing(evidence(4, recorded, { letters: [letter('3')] }))).toEqual([]);
  });

  it('tells of an event that is neither handled nor dead', () => {
    expect(failing(evidence(3, [effect(1), effect(3)]))).toEqual(['nothing was lost: a 2']);
  });

  it('tells of one that nobody produced', () => {
    expect(failing(evidence(1, [effect(1), effect(2)]))).toEqual([
      'handled and dead-lettered is what was produced, and nothing else: a 2',
    ]);
  });

  it('tells of one that was refused, and handled all the same', () => {
    const given = evidence(2, [effect(1), effect(2)]);
    given.producer.cards.get('a')?.refused.add(2);
    expect(failing(given)).toHaveLength(1);
  });

  it('accepts one of which the producer does not know, handled or not', () => {
    const given = evidence(3, [effect(1), effect(2)]);
    for (const number of [2, 3]) given.producer.cards.get('a')?.uncertain.add(number);
    expect(failing(given)).toEqual([]);
    expect(verify(given).figures[0]).toEqual({ name: 'produced', value: 2 });
  });

  it('tells of disorder at the sink, and of disorder of the producer', () => {
    expect(failing(evidence(2, [effect(1), effect(2), effect(1, 'reordered')]))).toEqual([
      'in order at the fenced sink: a 1-0',
    ]);
    expect(failing(evidence(2, [effect(2), effect(1)]))).toEqual(['in the order of the producer: a 2 then 1']);
  });

  it('tells of what is left', () => {
    expect(failing(evidence(0, [], { left: { cards: ['a (1)'], indexes: ['own'] } }))).toHaveLength(2);
  });

  it('measures from a harm until another process goes on with what was held', () => {
    const recorded = [effect(1), effect(2), effect(2, 'repeated', 'two')];
    const harms = [{ kind: 'kill' as const, at: recorded[0]!.at, instanceId: 'one', held: ['a', 'b'] }];
    expect(verify(evidence(2, recorded, { harms })).handOvers).toEqual({ kill: [2] });
  });
});

import type { DeadLetter } from 'nestjs-cardinal';
import type { Harm, HarmKind } from '../../faults/harm.js';
import type { Recorded, Verdict } from '../../sink/fenced-sink.js';
import { none, type Findings } from '../workload.js';
import type { Producer } from './producer.js';
import type { Payload } from './topic.js';

export interface Evidence {
  readonly producer: Pick<Producer, 'cards' | 'byStyle'>;
  /** What came to the sink. */
  readonly recorded: readonly Recorded[];
  readonly letters: readonly DeadLetter[];
  readonly harms: readonly Harm[];
  /** What Redis refused of processes that had lost their card, as far as they have told. */
  readonly refused: number;
  readonly left: { readonly cards: readonly string[]; readonly indexes: readonly string[] };
}

interface Effect {
  readonly number: number;
  readonly instanceId: string;
  readonly at: number;
}

/** By card, in the order in which they were applied. */
type Applied = ReadonlyMap<string, readonly Effect[]>;

export function verify({ producer, recorded, letters, harms, left, refused: stale }: Evidence): Findings {
  const applied = appliedBy(recorded);
  const dead = deadBy(letters);
  const count = (verdict: Verdict): number => recorded.filter((each) => each.verdict === verdict).length;
  const { lost, invented, uncertain } = compare(producer, applied, dead);
  const { library, silent, foreign } = producer.byStyle;
  const refused = [...producer.cards.values()].reduce((sum, card) => sum + card.refused.size, 0);
  return {
    figures: [
      { name: 'produced', value: library + silent + foreign - refused - uncertain },
      { name: '  by cards.publish', value: library, note: `${refused} refused while cut off, ${uncertain} uncertain` },
      { name: '  by XADD, without a word', value: silent },
      { name: '  by XADD and register:', value: foreign },
      { name: 'handled', value: [...applied.values()].reduce((sum, effects) => sum + distinct(effects), 0) },
      { name: 'dead-lettered', value: letters.length, note: byReason(letters) },
      { name: 'lost', value: lost.length },
      { name: 'reordered', value: count('reordered') + jumps(applied).length },
      { name: 'repeated', value: count('repeated'), note: 'attempts that had their effect before' },
      {
        name: 'stale acknowledgements',
        value: stale,
        note: 'refused by Redis, as far as their processes lived to tell',
      },
      { name: 'stale effects', value: count('stale'), note: 'refused by the sink; late effects without a fence' },
    ],
    handOvers: handOvers(harms, applied),
    checks: [
      none('every card is empty', left.cards),
      none('the indexes rdy, own, exp, blk, att are empty', left.indexes),
      none('nothing was lost', lost),
      none('handled and dead-lettered is what was produced, and nothing else', invented),
      none(
        'in order at the fenced sink',
        recorded.flatMap(({ verdict, card, sequence }) => (verdict === 'reordered' ? [`${card} ${sequence}`] : [])),
      ),
      none('in the order of the producer', jumps(applied)),
    ],
  };
}

function appliedBy(recorded: readonly Recorded[]): Applied {
  const byCard = new Map<string, Effect[]>();
  for (const { verdict, card, note, at } of recorded) {
    if (verdict !== 'accepted' && verdict !== 'repeated') continue;
    const [number, instanceId = ''] = note.split(' ');
    const effects = byCard.get(card) ?? [];
    effects.push({ number: Number(number), instanceId, at });
    byCard.set(card, effects);
  }
  return byCard;
}

function deadBy(letters: readonly DeadLetter[]): ReadonlyMap<string, ReadonlySet<number>> {
  const byCard = new Map<string, Set<number>>();
  for (const { event } of letters) {
    const { card, number } = event?.payload as Payload;
    byCard.set(card, (byCard.get(card) ?? new Set()).add(Number(number)));
  }
  return byCard;
}

/** What was produced beside what ended: handled, or a dead letter. */
function compare(
  producer: Evidence['producer'],
  applied: Applied,
  dead: ReadonlyMap<string, ReadonlySet<number>>,
): { lost: string[]; invented: string[]; uncertain: number } {
  const lost: string[] = [];
  const invented: string[] = [];
  let uncertain = 0;
  for (const card of new Set([...producer.cards.keys(), ...applied.keys(), ...dead.keys()])) {
    const ended = new Set([...(applied.get(card) ?? []).map(({ number }) => number), ...(dead.get(card) ?? [])]);
    const produced = producer.cards.get(card);
    for (let number = 1; number <= (produced?.last ?? 0); number++) {
      if (produced?.refused.has(number) === true || ended.has(number)) continue;
      if (produced?.uncertain.has(number) === true) uncertain++;
      else lost.push(`${card} ${number}`);
    }
    for (const number of ended) {
      const known = produced !== undefined && number >= 1 && number <= produced.last && !produced.refused.has(number);
      if (!known) invented.push(`${card} ${number}`);
    }
  }
  return { lost, invented, uncertain };
}

/** Effects whose number is less than one before it on their card. */
function jumps(applied: Applied): string[] {
  return [...applied].flatMap(([card, effects]) =>
    effects.flatMap(({ number }, index) => {
      const before = effects[index - 1];
      return before !== undefined && number < before.number ? [`${card} ${before.number} then ${number}`] : [];
    }),
  );
}

function distinct(effects: readonly Effect[]): number {
  return new Set(effects.map(({ number }) => number)).size;
}

/** From the harm until another process had an effect on what was held. */
function handOvers(harms: readonly Harm[], applied: Applied): Partial<Record<HarmKind, number[]>> {
  const found: Partial<Record<HarmKind, number[]>> = {};
  for (const { kind, at, instanceId, held } of harms) {
    for (const card of held) {
      const next = applied.get(card)?.find((effect) => effect.at >= at && effect.instanceId !== instanceId);
      if (next) (found[kind] ??= []).push(next.at - at);
    }
  }
  return found;
}

function byReason(letters: readonly DeadLetter[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of letters) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(', ');
}

import { columns, count } from '../text.js';
import type { CardsCheck, CheckResult, Verdict } from './self-check.js';

/** The self-check for people. The last word is OK or MISMATCH. */
export function toSummary({ verdict, changes, subscribers, files, cards }: CheckResult): string {
  const rows = subscribers.map(({ name, kind, events, expected, repeats, verdict: own }) => {
    const of = expected === undefined ? 'shared with other processes' : `of ${count(expected)}`;
    return [name, kind, events, of, `${count(repeats)} repeats`, final(own)];
  });
  const different = files.different.map(
    ({ file, expected, lines }) =>
      `  ${file}: ${lines === undefined ? 'never seen' : `${count(lines)} lines`}, by the plain loop ${count(expected)}`,
  );
  return [
    columns(rows),
    `lines per file, against a plain loop over ${count(changes)} changes: ${count(files.equal)} of ${count(files.expected)} files equal  ${final(files.verdict)}`,
    ...different,
    ...(cards === undefined ? [] : [cardsLine(cards)]),
    `self-check: ${final(verdict)}`,
  ].join('\n');
}

function cardsLine({ equal, expected, disorder, negative, verdict }: CardsCheck): string {
  return `cards, one a file: ${count(equal)} of ${count(expected)} running counts equal, ${count(disorder)} out of order, ${count(negative)} below zero  ${final(verdict)}`;
}

/** At the end, what has not come is missing. */
function final(verdict: Verdict): 'OK' | 'MISMATCH' {
  return verdict === 'OK' ? 'OK' : 'MISMATCH';
}

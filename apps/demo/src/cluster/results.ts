import { checkCards, type CheckResult } from '../check/self-check.js';
import { SUBSCRIBERS, type SubscriberName } from '../handlers/subscribers.js';
import type { Change } from '../history/history.js';
import { columns, count } from '../text.js';
import type { Cluster } from './cluster.js';
import type { Member } from './member.js';

export interface Check {
  readonly ok: boolean;
  readonly text: string;
}

/** Who did what. */
export function table({ members }: Cluster): string {
  const names = SUBSCRIBERS.map(({ name }) => name);
  const head = ['process', ...SUBSCRIBERS.map(({ name, kind }) => `${name} (${kind})`)];
  const rows = members.map(({ name, fate, accounts }) => [
    fate === 'killed' ? `${name} (killed)` : name,
    ...names.map((each) => accounts[each].events),
  ]);
  const sum = (name: SubscriberName): number => members.reduce((all, { accounts }) => all + accounts[name].events, 0);
  return columns([head, ...rows, ['together', ...names.map(sum)]]);
}

/** Every change once to the group; where a process was killed, at least once. */
export function checkGroup(cluster: Cluster, name: SubscriberName, changes: number): Check {
  const { seqs, history, repeats } = cluster.group(name);
  const killed = cluster.members.some(({ fate }) => fate === 'killed');
  const ok = seqs.size === changes && history === changes && (killed || repeats === 0);
  const missing = count(changes - seqs.size);
  return {
    ok,
    text: `group ${name}: ${count(seqs.size)} of ${count(changes)} events, ${missing} missing, ${count(repeats)} repeats`,
  };
}

/** Each file's changes in their order, over all processes: nothing lost, nothing twice, no count of lines below zero. */
export function checkCardsOf({ cards }: Cluster, changes: readonly Change[]): Check {
  const { equal, expected, disorder, negative, verdict } = checkCards(cards, changes);
  const text =
    `cards: ${count(cards.entries)} of ${count(changes.length)} events, ${count(equal)} of ${count(expected)} files equal a plain loop, ` +
    `${count(disorder)} out of order, ${count(negative)} counts below zero, ${count(cards.repeats)} repeats, ${count(cards.stale)} of stale owners`;
  return { ok: verdict === 'OK', text };
}

/** Every change from `first` on, none twice. */
export function checkProcess({ name, accounts }: Member, changes: number, first = 1): Check {
  const { seqs, repeats } = accounts['line-totals'];
  const expected = Array.from({ length: changes - first + 1 }, (_, at) => first + at);
  const missing = expected.filter((seq) => !seqs.has(seq)).length;
  const since = first === 1 ? '' : `, all since number ${count(first)}`;
  const text = `process ${name}: ${count(seqs.size)} events${since}: ${count(missing)} missing, ${count(repeats)} repeats`;
  return { ok: missing === 0 && repeats === 0, text };
}

/** The process compares its lines per file with a plain loop; it still answers over HTTP. */
export async function checkFiles({ name, url }: Member): Promise<Check> {
  const response = await fetch(`${url ?? ''}/check`);
  const { verdict, files } = (await response.json()) as CheckResult;
  const text = `process ${name}: lines of ${count(files.equal)} of ${count(files.expected)} files equal a plain loop`;
  return { ok: verdict === 'OK', text };
}

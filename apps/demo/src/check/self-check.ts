import { Injectable } from '@nestjs/common';
import { Backend } from '../backend.js';
import { LineTotals } from '../handlers/line-totals.js';
import { SUBSCRIBERS, type SubscriberKind, type SubscriberName } from '../handlers/subscribers.js';
import { History, type Change } from '../history/history.js';
import type { CardBook } from '../ledger/card-book.js';
import { CardLedger } from '../ledger/card-ledger.js';
import { Ledger } from '../ledger/ledger.js';

export type Verdict = 'OK' | 'INCOMPLETE' | 'MISMATCH';

export interface SubscriberCheck {
  readonly name: SubscriberName;
  readonly kind: SubscriberKind;
  /** Events of the history that it handled in this process. */
  readonly events: number;
  /** How many it has to handle here; undefined where it shares them with other processes. */
  readonly expected: number | undefined;
  /** Deliveries of an event that it had handled before. */
  readonly repeats: number;
  readonly verdict: Verdict;
}

export interface FilesCheck {
  readonly expected: number;
  readonly equal: number;
  /** The first few that differ, when everything has come. */
  readonly different: readonly {
    readonly file: string;
    readonly expected: number;
    readonly lines: number | undefined;
  }[];
  readonly verdict: Verdict;
}

export interface CardsCheck {
  readonly expected: number;
  /** Cards whose running count of lines ended at that of the plain loop. */
  readonly equal: number;
  /** Changes that came after a later one of their file. */
  readonly disorder: number;
  /** Times that a file had less than no lines. */
  readonly negative: number;
  readonly verdict: Verdict;
}

export interface CheckResult {
  readonly verdict: Verdict;
  readonly changes: number;
  readonly subscribers: readonly SubscriberCheck[];
  readonly files: FilesCheck;
  /** Undefined where other processes have some of the cards. */
  readonly cards: CardsCheck | undefined;
}

const SHOWN = 10;

/** Compares what the handlers have with a plain loop over the input. Events published by hand do not count. */
@Injectable()
export class SelfCheck {
  private readonly expected: ReadonlyMap<string, number>;

  constructor(
    private readonly history: History,
    private readonly totals: LineTotals,
    private readonly ledger: Ledger,
    private readonly cards: CardLedger,
    private readonly backend: Backend,
  ) {
    this.expected = linesPerFile(history.changes);
  }

  /** Resolves when every subscriber has had every change; a group that is shared, when this process's handler has. */
  async complete(signal?: AbortSignal): Promise<void> {
    await this.ledger.until(() => SUBSCRIBERS.every((each) => this.subscriber(each).verdict !== 'INCOMPLETE'), signal);
  }

  result(): CheckResult {
    const subscribers = SUBSCRIBERS.map((each) => this.subscriber(each));
    const played = subscribers.find(({ kind }) => kind === 'process')?.verdict !== 'INCOMPLETE';
    const files = this.files(played);
    const cards = this.backend.shared ? undefined : checkCards(this.cards.book, this.history.changes);
    const verdicts = [...subscribers, files, ...(cards === undefined ? [] : [cards])].map((each) => each.verdict);
    return { verdict: worst(verdicts), changes: this.history.changes.length, subscribers, files, cards };
  }

  private subscriber({ name, kind }: (typeof SUBSCRIBERS)[number]): SubscriberCheck {
    const account = this.ledger.account(name);
    const expected = kind !== 'process' && this.backend.shared ? undefined : this.history.changes.length;
    const { history: events, seqs, repeats } = account;
    const row = (verdict: Verdict): SubscriberCheck => ({ name, kind, events, expected, repeats, verdict });
    if (expected === undefined) return row(repeats === 0 ? 'OK' : 'MISMATCH');
    if (seqs.size < expected) return row('INCOMPLETE');
    return row(account.isExactly(expected) ? 'OK' : 'MISMATCH');
  }

  private files(played: boolean): FilesCheck {
    const different = [...this.expected]
      .map(([file, expected]) => ({ file, expected, lines: this.totals.get(file)?.lines }))
      .filter(({ expected, lines }) => lines !== expected);
    const equal = this.expected.size - different.length;
    const verdict = different.length === 0 ? 'OK' : played ? 'MISMATCH' : 'INCOMPLETE';
    return { expected: this.expected.size, equal, different: played ? different.slice(0, SHOWN) : [], verdict };
  }
}

/** What the data says of itself: the count of a file's lines is never negative, and its changes come in their order. */
export function checkCards(book: CardBook, changes: readonly Change[]): CardsCheck {
  const expected = linesPerFile(changes);
  const equal = [...expected].filter(([file, lines]) => book.linesOf(file) === lines).length;
  const { disorder, negative } = book;
  const all = book.entries === changes.length && equal === expected.size;
  const verdict = disorder + negative > 0 ? 'MISMATCH' : all ? 'OK' : 'INCOMPLETE';
  return { expected: expected.size, equal, disorder, negative, verdict };
}

/** The plain loop. */
export function linesPerFile(changes: readonly Change[]): Map<string, number> {
  const lines = new Map<string, number>();
  for (const { file, plus, minus } of changes) lines.set(file, (lines.get(file) ?? 0) + plus - minus);
  return lines;
}

function worst(verdicts: readonly Verdict[]): Verdict {
  return verdicts.find((each) => each === 'MISMATCH') ?? verdicts.find((each) => each === 'INCOMPLETE') ?? 'OK';
}

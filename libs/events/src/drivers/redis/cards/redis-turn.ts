import { BackendError } from '../../../core/errors.js';
import type { DeadLetterRow } from '../../../core/delivery.js';
import type { CardDelivery, CardFailure, CardTurn } from '../../../ports/cards.js';
import { readEntries, type CardEntry, type RawEntry } from './card-entry.js';
import type { Question } from './coalescer.js';
import { MARGIN, type Leased } from './lease-keeper.js';

/** What is to come after an acknowledgement; `release`: as `yield`, and others are told. */
export type After = 'keep' | 'next' | 'yield' | 'release';

/** What the scripts answer to a holder. `again`: how many of the entries were handed over before; `attempts` is `att`. */
export type TurnReply =
  | readonly ['OK', again: number, lost: number, attempts: string, entries: readonly RawEntry[]]
  | readonly ['EMPTY', lost: number]
  | readonly ['ERR', message: string]
  | 'STALE'
  | 'KEPT'
  | 'EMPTY'
  | 'ENDED';

/** What a failed head comes to. */
export type HeadFate =
  | { readonly kind: 'retry'; readonly failure: CardFailure }
  | { readonly kind: 'park'; readonly row: DeadLetterRow }
  | { readonly kind: 'dead'; readonly row: DeadLetterRow; readonly then: After };

/** What turns need of their topic. */
export interface TurnHost {
  readonly topic: string;
  readonly lease: number;
  now(): number;
  /** Sends the acknowledgement that `mode` and `count` say, several cards' together; the turn gets the answer. */
  acknowledge(turn: RedisTurn): void;
  /** Sends what becomes of the head; the turn gets the answer. */
  settleHead(turn: RedisTurn, head: CardEntry, fate: HeadFate): void;
  /** Notes that the head is handled alone. Resolves with the deaths so noted; undefined: it is not held any more. */
  noteAlone(turn: RedisTurn, head: CardEntry): Promise<number | undefined>;
  /** A card that was granted: with entries, or without, where it is not held. */
  opened(turn: RedisTurn): void;
  /** It is not held any more: nothing is to be renewed. */
  released(turn: RedisTurn): void;
  /** The server refused what was said of it: it is not held. */
  refused(turn: RedisTurn): void;
  /** Entries that were pending are gone from the stream. */
  missed(turn: RedisTurn, count: number): void;
  /** An entry of the size that they have came. */
  weighed(size: number): void;
  /** It could not be opened. */
  failed(turn: RedisTurn, error: Error): void;
  ended(turn: RedisTurn): void;
}

const NONE: readonly CardEntry[] = Object.freeze([]);

/**
 * A card in the hands of this process: from the try to take it, over the events that it hands over, to the end of the last
 * handler. It is its own question to the server: one at a time.
 */
export class RedisTurn implements CardTurn, Question, Leased {
  token = '';
  since = 0;
  entries: readonly CardEntry[] = NONE;
  /** What the acknowledgement under way says. */
  after: After = 'next';
  count = 0;
  /** Somebody said, while it was here, that the card has something. */
  again = false;
  /** The server counts it as not held, or may. */
  over = false;
  private inHand: readonly CardEntry[] = NONE;
  private first = 0;
  /** Something is noted of the head. */
  private noted = false;
  private opening = true;
  private asking = false;
  private ended = false;
  private loss: Error | undefined;
  private losers: ((reason: Error) => void)[] | undefined;
  private resolve: ((entries: readonly CardDelivery[]) => void) | undefined;
  private reject: ((error: Error) => void) | undefined;

  constructor(
    private readonly host: TurnHost,
    readonly cardId: string,
  ) {}

  get topic(): string {
    return this.host.topic;
  }

  get fencingToken(): string {
    return this.token.slice(this.token.lastIndexOf('|') + 1);
  }

  get held(): boolean {
    return !this.over && this.loss === undefined && this.host.now() < this.since + this.host.lease * (1 - MARGIN);
  }

  onLost(lost: (reason: Error) => void): void {
    if (this.loss !== undefined) lost(this.loss);
    else (this.losers ??= []).push(lost);
  }

  ack(count: number, then: 'keep' | 'next' | 'yield'): Promise<readonly CardDelivery[]> {
    return this.over ? Promise.resolve(NONE) : this.ask(count, then);
  }

  refill(): Promise<readonly CardDelivery[]> {
    return this.ack(0, 'next');
  }

  async retry(failure: CardFailure): Promise<void> {
    await this.settleHead({ kind: 'retry', failure });
  }

  bury(row: DeadLetterRow, then: 'keep' | 'next' | 'yield'): Promise<readonly CardDelivery[]> {
    return this.settleHead({ kind: 'dead', row, then });
  }

  async park(row: DeadLetterRow): Promise<void> {
    await this.settleHead({ kind: 'park', row });
  }

  async alone(): Promise<number> {
    const head = this.inHand[this.first];
    if (this.over || head === undefined) return 0;
    this.noted = true;
    const deaths = await this.host.noteAlone(this, head);
    if (deaths === undefined) this.stale(false);
    return deaths ?? 0;
  }

  async release(): Promise<void> {
    if (!this.over) await this.ask(0, 'release');
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    if (!this.over) this.letGo();
    this.host.ended(this);
  }

  /** Is granted, and asks for entries. */
  fetch(token: string, since: number): void {
    this.token = token;
    this.since = since;
    this.asking = true;
    this.host.acknowledge(this);
  }

  /** Is granted and not wanted: opened without entries when it is somebody else's. */
  giveBack(token: string): void {
    this.token = token;
    this.after = 'release';
    this.asking = true;
    this.host.acknowledge(this);
  }

  /** Adds to the arguments of a call how many ids the acknowledgement has, and these. */
  writeIds(into: (string | number)[]): void {
    const end = Math.min(this.first + this.count, this.inHand.length);
    into.push(end - this.first);
    for (let index = this.first; index < end; index++) into.push(this.inHand[index]?.sequence ?? '');
  }

  /** 1: what is noted of the head goes with it. */
  get clears(): 0 | 1 {
    return this.noted && this.count > 0 ? 1 : 0;
  }

  /**
   * Takes the answer.
   * @param since when the call began, ms
   * @param repeated an earlier try may have run without an answer: what it ended looks stale now
   */
  answer(reply: TurnReply, since: number, repeated: boolean): void {
    this.asking = false;
    if (reply === 'STALE') this.stale(repeated && this.after !== 'keep');
    else if (reply === 'KEPT') {
      this.since = since;
      this.first = Math.min(this.first + this.count, this.inHand.length);
      this.noted &&= this.count === 0;
      this.settle(NONE);
    } else if (reply === 'EMPTY' || reply === 'ENDED') this.finish();
    else if (reply[0] === 'OK') {
      const [, again, lost, attempts, raw] = reply;
      if (lost > 0) this.host.missed(this, lost);
      this.since = since;
      this.take(raw, again, attempts);
      this.settle(this.inHand);
    } else if (reply[0] === 'EMPTY') {
      this.host.missed(this, reply[1]);
      this.finish();
    } else {
      this.over = true;
      this.host.released(this);
      this.fail(new BackendError(`Redis refused card '${this.cardId}' of topic '${this.topic}': ${reply[1]}`));
    }
    // Granted to a turn that nobody waits for any more.
    if (!this.over && (this.ended || (this.loss !== undefined && reply !== 'KEPT'))) this.letGo();
  }

  /** Its lease was renewed by a call that began then, ms. */
  renewed(since: number): void {
    if (since > this.since) this.since = since;
  }

  fail(error: Error): void {
    this.asking = false;
    const { reject } = this;
    if (this.opening) {
      this.host.failed(this, error);
      this.settle(NONE);
    }
    this.resolve = this.reject = undefined;
    reject?.(error);
  }

  lose(reason: string): void {
    if (this.over || this.loss !== undefined) return;
    this.host.released(this);
    this.loss = new BackendError(`Card '${this.cardId}' of topic '${this.topic}' may be somebody else's: ${reason}`);
    const { losers = [] } = this;
    this.losers = undefined;
    for (const lost of losers) lost(this.loss);
    // Whoever waits for an answer need not wait for the connection.
    if (!this.opening) this.settle(NONE);
  }

  /** The server does not know the token. `quietly`: because this holder gave the card up. */
  private stale(quietly: boolean): void {
    this.again = true;
    if (!quietly) {
      this.host.refused(this);
      this.lose('another process holds it, or its keys are gone');
    }
    this.finish();
  }

  private ask(count: number, then: After): Promise<readonly CardDelivery[]> {
    // An answer that nobody waited for any more is still to come.
    if (this.asking) return Promise.resolve(NONE);
    // What was lost is not held for more.
    this.after = this.loss === undefined ? then : 'release';
    this.count = count;
    this.asking = true;
    // What was said until now, the script sees itself.
    if (this.after !== 'keep') this.again = false;
    this.host.acknowledge(this);
    return this.answered();
  }

  private settleHead(fate: HeadFate): Promise<readonly CardDelivery[]> {
    const head = this.inHand[this.first];
    if (this.over || this.asking || head === undefined) return Promise.resolve(NONE);
    this.after = fate.kind === 'dead' ? fate.then : 'release';
    this.count = 1;
    this.asking = true;
    this.host.settleHead(this, head, fate);
    return this.answered();
  }

  private answered(): Promise<readonly CardDelivery[]> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  private take(raw: readonly RawEntry[], again: number, attempts: string): void {
    const entries = readEntries(this.topic, raw, again, attempts);
    // What was in hand is as it was.
    if (this.count === 0)
      for (let index = this.first; index < this.inHand.length; index++) {
        const before = this.inHand[index];
        if (before !== undefined && before.sequence === entries[index - this.first]?.sequence)
          entries[index - this.first] = before;
      }
    this.inHand = entries;
    this.first = 0;
    this.noted = attempts !== '';
    this.host.weighed(entries[0]?.event?.size ?? 0);
  }

  private finish(): void {
    this.asking = false;
    this.over = true;
    this.host.released(this);
    this.settle(NONE);
  }

  private settle(entries: readonly CardEntry[]): void {
    if (this.opening) {
      this.opening = false;
      this.entries = entries;
      this.host.opened(this);
      return;
    }
    const { resolve } = this;
    this.resolve = this.reject = undefined;
    resolve?.(entries);
  }

  /** Nobody works on it: whoever wants may have it now. */
  private letGo(): void {
    if (this.asking) return;
    this.after = 'release';
    this.count = 0;
    this.asking = true;
    this.host.acknowledge(this);
  }
}

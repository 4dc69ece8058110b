import { Deque } from '../deque.js';
import type { Card } from './card.js';
import type { CardEntry } from './card-entry.js';
import { crashed, type CardPast } from './card-past.js';
import type { Pace } from './pace.js';
import { RegisteredCards } from './registered-cards.js';

/** A process that takes cards of a topic. */
export interface Taker {
  /** How many more cards are welcome; 0 when paused. */
  room(): number;
  /** True while it must not have the card: it has not done with it yet. */
  refuses(card: Card): boolean;
  /** Becomes the card's holder. */
  take(card: Card): void;
}

/** What the topics of a broker share. */
export interface TopicHost {
  readonly pace: Pace;
  now(): number;
  /** Calls back at a time, by the clock of whoever is alive then. */
  at(due: number, run: () => void): void;
  /** A card has become idle. */
  idle(): void;
}

/** The cards of a topic, of all processes: which are ready, who takes them. Every change of a card's state is made here. */
export class TopicCards {
  readonly registered = new RegisteredCards();
  private readonly takers: Taker[] = [];
  /** First come, first served. One that is not ready any more is passed over. */
  private readonly ready = new Deque<Card>();
  /** Ready, and refused by everybody who had room. */
  private readonly refused = new Set<Card>();
  /** Cards that have replays, and how many. */
  private readonly replays = new Map<Card, number>();
  /** What was refused is to be offered again. */
  private again = false;
  private scheduled = false;

  constructor(
    readonly topic: string,
    private readonly host: TopicHost,
  ) {}

  /** Replays that have not ended, but for those of cards that wait for people. */
  get outstanding(): number {
    let count = 0;
    for (const [card, replays] of this.replays) if (card.state !== 'parked') count += replays;
    return count;
  }

  /** Nobody else takes cards of the topic. */
  isAlone(taker: Taker): boolean {
    return this.takers.length === 1 && this.takers[0] === taker;
  }

  /** No card waits for a process. */
  get isQuiet(): boolean {
    return this.ready.length === 0 && this.refused.size === 0;
  }

  join(taker: Taker): void {
    this.takers.push(taker);
    this.look();
  }

  leave(taker: Taker): void {
    const index = this.takers.indexOf(taker);
    if (index >= 0) this.takers.splice(index, 1);
    this.look();
  }

  /** Registers the card, or wakes it. */
  register(cardId: string): Card {
    const now = this.host.now();
    const isNew = this.registered.get(cardId) === undefined;
    const card = this.registered.wake(cardId, now);
    card.activeAt = now;
    card.unregistering = false;
    if (isNew) this.host.idle();
    return card;
  }

  /** Appends to the card's queue. */
  append(card: Card, entry: CardEntry): void {
    const isFirst = card.length === 0 && card.holder === undefined;
    card.append(entry);
    if (entry.past.operation !== undefined) this.countReplays(card, 1);
    if (isFirst) this.makeReady(card);
  }

  /** Takes the head of a card off for good. */
  shift(card: Card): CardEntry | undefined {
    const entry = card.shift();
    if (entry?.past.operation !== undefined) this.countReplays(card, -1);
    return entry;
  }

  /** A card that is in nobody's hands any more, or whose head is gone, goes where it belongs now. */
  settle(card: Card): void {
    card.activeAt = this.host.now();
    if (card.length > 0) this.makeReady(card);
    else if (card.unregistering) this.registered.remove(card.cardId);
    else this.host.idle();
  }

  /** The holder lets go; what it had in hand is as before. */
  release(card: Card, change?: (past: CardPast) => CardPast): void {
    card.letGo(change);
    this.settle(card);
  }

  /** The holder lets go, and the card waits until `due` ms; `Infinity`: until somebody ends the wait. */
  wait(card: Card, due: number, change: (past: CardPast) => CardPast): void {
    card.letGo(change);
    card.activeAt = this.host.now();
    const wait = (card.wait = { due });
    if (due === Infinity) return;
    this.host.at(due, () => {
      if (card.wait !== wait) return;
      card.wait = undefined;
      this.makeReady(card);
    });
  }

  /** Ends the wait of a card, where it waits. */
  resume(card: Card, change: (past: CardPast) => CardPast): boolean {
    if (card.wait === undefined) return false;
    card.wait = undefined;
    card.changeHead(change);
    this.settle(card);
    return true;
  }

  /** The holder has died; it has the card until its lease ends at `due` ms. Then the card goes before others. */
  orphan(card: Card, due: number): void {
    const { holder } = card;
    this.host.at(due, () => {
      if (card.holder !== holder || holder === undefined) return;
      card.letGo(crashed);
      if (card.length > 0) this.ready.unshift(card);
      card.queued ||= card.length > 0;
      this.settle(card);
    });
  }

  /** Takes the head of a card that nobody holds off for good; undefined: it is held, or empty. */
  skip(card: Card): CardEntry | undefined {
    const head = card.holder === undefined ? this.shift(card) : undefined;
    if (head === undefined) return undefined;
    card.wait = undefined;
    this.settle(card);
    return head;
  }

  /** Forgets a card when what it has is handled: at once where it has nothing. */
  retire(card: Card): void {
    card.unregistering = true;
    if (card.state === 'idle') this.registered.remove(card.cardId);
  }

  /** Forgets a card with all that it has; gives how many events that were. */
  drop(card: Card, reason: Error): number {
    const { length, holder } = card;
    while (this.shift(card) !== undefined);
    card.holder = undefined;
    this.registered.remove(card.cardId);
    holder?.lose(reason);
    return length;
  }

  /** Looks soon, outside the caller, whether somebody takes what is ready. */
  look(): void {
    this.again = this.refused.size > 0;
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || (this.ready.length === 0 && !this.again)) return;
    this.scheduled = true;
    this.host.pace.later(this.pump);
  }

  private makeReady(card: Card): void {
    if (!card.queued) {
      card.queued = true;
      this.ready.push(card);
    }
    this.schedule();
  }

  private readonly pump = (): void => {
    this.scheduled = false;
    if (this.again) this.offerAgain();
    for (;;) {
      const card = this.ready.peek();
      if (card === undefined) return;
      if (this.host.pace.exhausted) break;
      const taker = card.state === 'ready' ? this.takerOf(card) : undefined;
      if (taker === 'full') return;
      this.ready.shift();
      if (taker === 'refused') this.refused.add(card);
      else {
        card.queued = false;
        taker?.take(card);
      }
    }
    this.schedule();
  };

  private offerAgain(): void {
    this.again = false;
    for (const card of [...this.refused].reverse()) this.ready.unshift(card);
    this.refused.clear();
  }

  private countReplays(card: Card, by: 1 | -1): void {
    const count = (this.replays.get(card) ?? 0) + by;
    if (count > 0) this.replays.set(card, count);
    else this.replays.delete(card);
  }

  /** Each card has a first choice, so that it stays where it was; the others where that has no room. */
  private takerOf(card: Card): Taker | 'full' | 'refused' {
    const { takers } = this;
    let found: Taker | 'full' | 'refused' = 'full';
    for (let offset = 0; offset < takers.length; offset++) {
      const taker = takers[(card.ordinal + offset) % takers.length];
      if (taker === undefined || taker.room() <= 0) continue;
      if (taker !== card.avoid && !taker.refuses(card)) return taker;
      found = 'refused';
    }
    return found;
  }
}

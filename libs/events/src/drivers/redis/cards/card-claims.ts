import type { Clock, Timer } from '../../../core/clock.js';

/** Cards that one call takes from those that wait. */
const MOST = 100;
/** Cards of a slot that are known by name to wait for room; the others are found in the index. */
const MOST_QUEUED = 10_000;
/** How long cards are taken by name before the index is asked who has waited longest, ms. */
const BY_NAME = 50;
/** How long the first choice for a card has before the second looks, ms. */
const HEAD_START = 50;
/** In a Cluster: this part of the slots in use is looked at in a round. */
const SHARE = 1 / 8;

export interface ClaimsHost<Slot> {
  readonly clock: Clock;
  /** How many more cards may be asked for now. */
  free(): number;
  /** Takes a card by its name. */
  begin(slot: Slot, cardId: string): void;
  /** Asks a slot for cards, at most so many. Never rejects. Gives what the server says of those that wait. */
  claim(slot: Slot, most: number): Promise<ClaimResult | undefined>;
}

export interface ClaimResult {
  readonly granted: number;
  /** Cards that are ready still, and that this process is not about to take. */
  readonly left: number;
  /** ms until the next is due that waits for a time; undefined: none does. */
  readonly due: number | undefined;
}

/**
 * Takes cards that wait in the ready index, oldest first: those that found no room when they were woken, that others have
 * not taken, whose backoff or whose holder's lease has ended. Of the first it knows the names, which saves a call for each;
 * the index has the others, and the last word.
 */
export class CardClaims<Slot> {
  /** Slots in which cards wait for room here. While one does, cards that are woken wait behind it. */
  private readonly waiting = new Set<Slot>();
  private readonly names = new Map<Slot, Set<string>>();
  private readonly underWay = new Set<Slot>();
  /** When a slot's index was asked last, ms. */
  private readonly asked = new Map<Slot, number>();
  /** When something is due in a slot, ms. */
  private readonly due = new Map<Slot, number>();
  private timer: Timer | undefined;
  private timerAt = Infinity;
  private helper: Timer | undefined;
  private readonly toHelp = new Set<Slot>();
  private turn = 0;
  private stopped = false;

  constructor(private readonly host: ClaimsHost<Slot>) {}

  /** Cards of the slot are to wait for their turn. */
  isBehind(slot: Slot): boolean {
    return this.waiting.has(slot);
  }

  /** Cards of any slot are. */
  isBehindAny(): boolean {
    return this.waiting.size > 0;
  }

  /** A card of the slot waits in the index: it is taken when there is room. */
  wait(slot: Slot, cardId: string): void {
    this.waiting.add(slot);
    let names = this.names.get(slot);
    if (names === undefined) this.names.set(slot, (names = new Set()));
    if (names.size < MOST_QUEUED) names.add(cardId);
  }

  /** A card was taken. */
  taken(slot: Slot, cardId: string): void {
    this.names.get(slot)?.delete(cardId);
  }

  /** There may be room. */
  pull(): void {
    for (const slot of [...this.waiting]) {
      if (this.host.free() <= 0) return;
      this.look(slot);
    }
  }

  /** Another process should take a card of the slot: looks whether it has. */
  help(slot: Slot): void {
    this.toHelp.add(slot);
    this.helper ??= this.host.clock.after(HEAD_START, () => {
      this.helper = undefined;
      for (const each of this.toHelp) this.look(each);
      this.toHelp.clear();
    });
  }

  /** Something of the slot is due in so many ms. */
  dueIn(slot: Slot, ms: number): void {
    const at = this.host.clock.now() + ms;
    if (at < (this.due.get(slot) ?? Infinity)) this.due.set(slot, at);
    if (at < this.timerAt) this.arm(at);
  }

  /** The safety net: looks at some of the slots in turn. */
  poll(slots: readonly Slot[]): void {
    const share = slots.length === 1 ? 1 : Math.ceil(slots.length * SHARE);
    for (let count = 0; count < share && this.host.free() > 0; count++) {
      const slot = slots[this.turn++ % slots.length];
      if (slot !== undefined) this.look(slot);
    }
  }

  /** Takes cards of a slot that wait, as soon as there is room. */
  look(slot: Slot): void {
    if (this.stopped) return;
    // Whose turn it was goes behind the other slots.
    const waited = this.waiting.delete(slot);
    this.takeByName(slot);
    const most = Math.min(this.host.free(), MOST);
    const underWay = this.underWay.has(slot);
    if (most > 0 && !underWay) this.ask(slot, most);
    else if (waited || !underWay) this.waiting.add(slot);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.helper?.cancel();
    this.waiting.clear();
    this.names.clear();
  }

  private takeByName(slot: Slot): void {
    const names = this.names.get(slot);
    if (names === undefined || this.host.clock.now() - (this.asked.get(slot) ?? -Infinity) >= BY_NAME) return;
    for (const cardId of names) {
      if (this.host.free() <= 0) return;
      names.delete(cardId);
      this.host.begin(slot, cardId);
    }
  }

  private ask(slot: Slot, most: number): void {
    this.underWay.add(slot);
    this.asked.set(slot, this.host.clock.now());
    void this.host.claim(slot, most).then((result) => {
      this.underWay.delete(slot);
      const queued = (this.names.get(slot)?.size ?? 0) > 0;
      if (queued || (result?.granted === most && result.left > 0)) this.waiting.add(slot);
      if (result?.due !== undefined) this.dueIn(slot, result.due);
      if (result !== undefined && this.waiting.size > 0) this.pull();
    });
  }

  private arm(at: number): void {
    if (this.stopped) return;
    this.timer?.cancel();
    this.timerAt = at;
    this.timer = this.host.clock.after(Math.max(0, at - this.host.clock.now()), () => {
      this.timerAt = Infinity;
      const now = this.host.clock.now();
      let next = Infinity;
      for (const [slot, due] of this.due) {
        if (due > now) next = Math.min(next, due);
        else {
          this.due.delete(slot);
          this.look(slot);
        }
      }
      if (next !== Infinity) this.arm(next);
    });
  }
}

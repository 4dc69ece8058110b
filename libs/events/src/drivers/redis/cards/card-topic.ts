import { afterIo } from '../../../core/clock.js';
import { isEventsError } from '../../../core/errors.js';
import type { CardSink, CardSource, CardTopicSpec } from '../../../ports/cards.js';
import { GRACE } from '../connection.js';
import { CardClaims, type ClaimResult, type ClaimsHost } from './card-claims.js';
import type { CardHost } from './card-host.js';
import type { GroupChange } from './notices.js';
import { RedisTurn } from './redis-turn.js';
import { Rivals } from './rivals.js';
import { TopicSlot, type SlotTopic } from './topic-slot.js';

/** A card that nothing has happened to for so long is forgotten, ms. */
const REGISTERED_FOR = 86_400_000;

/** The cards of a topic that this process takes: which are in its hands, and which of those that are ready it wants. */
export class CardTopic implements CardSource, SlotTopic, ClaimsHost<TopicSlot> {
  readonly topic: string;
  readonly take: number;
  readonly rivals: Rivals;
  /** From the try to take a card to the end of its turn, also where its lease is lost meanwhile: never taken twice. */
  private readonly hands = new Map<string, RedisTurn>();
  private readonly slots = new Map<string, TopicSlot>();
  private readonly claims = new CardClaims<TopicSlot>(this);
  /** Cards that are being taken, and asked for. */
  private coming = 0;
  /** Slots of which a claim was not answered: cards may have been granted that nobody here knows of. */
  private readonly unsure = new Set<TopicSlot>();
  private started = false;
  private paused = false;
  private pulling = false;
  private settled: (() => void)[] = [];

  constructor(
    readonly host: CardHost,
    spec: CardTopicSpec,
    private readonly sink: CardSink,
    private readonly detach: (topic: CardTopic) => Promise<void>,
  ) {
    this.topic = spec.topic;
    this.take = spec.take;
    this.rivals = new Rivals(host.membership, spec.topic, host.instanceId);
  }

  get clock(): CardHost['clock'] {
    return this.host.clock;
  }

  /** It takes cards. */
  isTaking(): boolean {
    return !this.paused;
  }

  slot(tag: string): TopicSlot {
    let slot = this.slots.get(tag);
    if (slot === undefined) this.slots.set(tag, (slot = new TopicSlot(this.host, this, tag)));
    return slot;
  }

  /** How many more cards may be asked for now. */
  free(): number {
    return !this.started || this.paused || !this.host.connection.isUp ? 0 : this.sink.room() - this.coming;
  }

  pull(): void {
    this.claims.pull();
  }

  /** Cards may be handed over from now on. What was said before is found by looking. */
  start(): void {
    this.started = true;
  }

  /** Cards have become ready. */
  woken(cards: readonly string[]): void {
    if (!this.started || this.paused) return;
    for (const cardId of cards) {
      const hand = this.hands.get(cardId);
      if (hand !== undefined) {
        hand.again = true;
        continue;
      }
      const rank = this.rivals.rank(cardId);
      if (rank === 0) this.want(cardId);
      else if (rank === 1) this.claims.help(this.slotOf(cardId));
    }
  }

  /** Another program says that a card has events, or that it has done with it. */
  async heard({ kind, topic, cardId }: GroupChange): Promise<void> {
    if (!this.started || this.paused) return;
    const rank = this.rivals.rank(cardId);
    const slot = this.slotOf(cardId);
    if (kind === 'unregister') {
      if (rank === 0) await slot.unregister(cardId);
    } else if (this.hands.has(cardId)) this.woken([cardId]);
    else if (rank === 0 && this.free() > 0 && !this.claims.isBehind(slot)) {
      await this.host.tags.note(topic, slot.tag);
      this.want(cardId);
    } else if (rank <= 1) {
      // It waits in the index, so that whoever has room finds it.
      await this.sweep(slot, [cardId], 0);
      if (rank === 1) this.claims.help(slot);
    }
  }

  /** Puts cards into the ready index that should be in it, and takes those that are. */
  async sweep(slot: TopicSlot, cards: readonly string[], idleAfter: number): Promise<void> {
    if (cards.length === 0) return;
    await this.host.tags.note(this.topic, slot.tag);
    for (const cardId of await slot.sweep(cards, idleAfter, REGISTERED_FOR)) if (!this.paused) this.want(cardId);
  }

  /** The safety net for what was lost on the way. */
  poll(): void {
    if (this.slots.size > 0 && this.free() > 0) this.claims.poll([...this.slots.values()]);
  }

  /** The connection is there again. */
  async restored(): Promise<void> {
    await this.openSlots();
    for (const slot of [...this.unsure]) await this.recover(slot);
    for (const slot of this.slots.values()) this.claims.look(slot);
  }

  /** Opens the slots that are in use. */
  async openSlots(): Promise<void> {
    for (const tag of await this.host.tags.all(this.topic)) this.slot(tag);
  }

  all(): readonly TopicSlot[] {
    return [...this.slots.values()];
  }

  /** The tag under which a card's keys lie is in use here, too. */
  slotOf(cardId: string): TopicSlot {
    return this.slot(this.host.keys.tag(this.topic, cardId));
  }

  async pause(): Promise<void> {
    if (this.paused) return;
    this.paused = true;
    this.claims.stop();
    this.host.announce().catch((error: unknown) => {
      this.host.readFailed('who takes cards', error);
    });
    if (this.coming > 0)
      await this.atMost(
        GRACE,
        new Promise<void>((resolve) => {
          this.settled.push(resolve);
        }),
      );
  }

  async close(): Promise<void> {
    await this.pause();
    // What ended turns give back.
    await this.atMost(GRACE, Promise.all(this.all().map((slot) => slot.idle())));
    this.stop();
    await this.detach(this);
  }

  stop(): void {
    this.paused = true;
    this.claims.stop();
    for (const slot of this.slots.values()) slot.stop();
  }

  opened(turn: RedisTurn): void {
    this.arrived(1);
    if (turn.entries.length === 0) {
      this.drop(turn);
      if (turn.again && !this.paused) this.want(turn.cardId);
      this.pullSoon();
    } else if (this.paused || !turn.held) turn.end();
    else this.sink.begin(turn);
  }

  ended(turn: RedisTurn): void {
    this.drop(turn);
    if (this.paused) return;
    if (turn.after === 'yield') this.claims.wait(this.slotOf(turn.cardId), turn.cardId);
    if (turn.again) this.want(turn.cardId);
    this.pullSoon();
  }

  waits(slot: TopicSlot, ms: number): void {
    this.claims.dueIn(slot, ms);
  }

  async claim(slot: TopicSlot, most: number): Promise<ClaimResult | undefined> {
    this.coming += most;
    const since = this.clock.now();
    try {
      const { granted, left, due } = await slot.claim(most);
      for (const [cardId, token] of granted) {
        this.claims.taken(slot, cardId);
        this.granted(slot, cardId, token, since);
      }
      return { granted: granted.length, left: left - slot.taking, due };
    } catch (error) {
      if (isEventsError(error, 'BACKEND_UNAVAILABLE')) this.unsure.add(slot);
      else this.host.readFailed(`cards of topic '${this.topic}'`, error);
      return undefined;
    } finally {
      this.arrived(most);
    }
  }

  /** First choice for a card that is ready: takes it, or lets it wait for its turn. */
  private want(cardId: string): void {
    const slot = this.slotOf(cardId);
    if (this.claims.isBehind(slot) || this.free() <= 0) this.claims.wait(slot, cardId);
    else this.begin(slot, cardId);
  }

  begin(slot: TopicSlot, cardId: string): void {
    const hand = this.hands.get(cardId);
    if (hand !== undefined) {
      hand.again = true;
      return;
    }
    const turn = new RedisTurn(slot, cardId);
    this.hands.set(cardId, turn);
    this.coming++;
    slot.take(turn);
  }

  /** A card was claimed. What is in hand still, after its lease was lost or before its end, is not taken twice. */
  private granted(slot: TopicSlot, cardId: string, token: string, since: number): void {
    const hand = this.hands.get(cardId);
    // Its own attempt to take the card comes after this grant, and takes its place.
    if (hand?.token === '') return;
    const turn = new RedisTurn(slot, cardId);
    this.coming++;
    if (hand !== undefined) {
      hand.again = true;
      turn.giveBack(token);
    } else if (this.paused) turn.giveBack(token);
    else {
      this.hands.set(cardId, turn);
      turn.fetch(token, since);
    }
  }

  /** There may be room: nobody says so where there was some before, and who ends a turn counts after that. */
  private pullSoon(): void {
    if (this.pulling || !this.claims.isBehindAny()) return;
    this.pulling = true;
    afterIo(() => {
      this.pulling = false;
      this.claims.pull();
    });
  }

  private drop(turn: RedisTurn): void {
    if (this.hands.get(turn.cardId) === turn) this.hands.delete(turn.cardId);
  }

  /** Cards that a claim has granted whose answer was lost. */
  private async recover(slot: TopicSlot): Promise<void> {
    let cursor = '0';
    do {
      const [next, cards] = await slot.granted(cursor);
      for (const [cardId, token] of cards)
        if (!this.hands.has(cardId)) this.granted(slot, cardId, token, this.clock.now());
      cursor = next;
    } while (cursor !== '0');
    this.unsure.delete(slot);
  }

  /** Waits for answers; not for a connection that is away. */
  private async atMost(ms: number, answers: Promise<unknown>): Promise<void> {
    if (!this.host.connection.isUp) return;
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      const timer = this.clock.after(ms, resolve, 'awaited');
      cancel = () => {
        timer.cancel();
      };
    });
    await Promise.race([answers, late]);
    cancel();
  }

  private arrived(count: number): void {
    this.coming -= count;
    if (this.coming > 0) return;
    const { settled } = this;
    this.settled = [];
    for (const resolve of settled) resolve();
  }
}

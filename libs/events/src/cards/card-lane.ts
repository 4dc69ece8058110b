import type { EventJobHost } from '../consumer/event-job.js';
import type { Lane } from '../consumer/lane.js';
import type { Solo } from '../consumer/solo.js';
import type { Clock } from '../core/clock.js';
import type { CardDeclaration } from '../core/declaration.js';
import type { DeadLetterRow, Settlement } from '../core/delivery.js';
import { messageOf } from '../core/message-of.js';
import type { ScopeStorage } from '../core/scope.js';
import type { WaitingStep, WholeBatch } from '../pipeline/compose.js';
import type { CardDelivery, CardRef, CardTurn } from '../ports/cards.js';
import type { CardJob, CardJobHome } from './card-job.js';
import { afterCrashes, boundedError, rowOf, type Failed } from './head-failure.js';

/** An event with which this many of its card's holders have died is handled alone. */
const SUSPECT = 2;
/** Before a card is tried again whose events could not be settled, ms. */
const AFTER_TROUBLE = 1_000;

const NONE: readonly CardJob[] = [];

/** The handler that a lane is for. */
export interface LaneHandler {
  readonly declaration: CardDeclaration;
  readonly lane: Lane;
  readonly step: WaitingStep;
  readonly whole: WholeBatch | undefined;
}

/** What lanes need from the consumer that begins them. */
export interface LaneHost extends EventJobHost {
  readonly scope: ScopeStorage;
  readonly clock: Clock;
  readonly solo: Solo;
  /** Events of one card before others have their turn. */
  readonly quantum: number;
  parked(card: CardRef, row: DeadLetterRow): void;
}

/**
 * One turn of a card in this process, from `begin` to `end`: its events in order, each acknowledged before the next begins.
 * A lane that has lost its card begins nothing more, and lives until its handler has ended.
 */
export abstract class CardLane implements CardJobHome {
  abortReason: Error | undefined;
  /** Events of this turn that have been handled. */
  protected handled = 0;
  /** What runs; it has a place among the handler's runs. */
  protected jobs: readonly CardJob[] = NONE;
  /** Ends what the lane waits for, but for handlers and the backend. */
  protected wake: (() => void) | undefined;
  /** The card has been given back while a handler ran: what that still returns does not count. */
  protected abandoned: Promise<void> | undefined;
  protected hurried = false;
  /** Nothing more begins: what is in hand goes back. */
  private stopped = false;

  constructor(
    protected readonly host: LaneHost,
    protected readonly entry: LaneHandler,
    readonly card: CardTurn,
  ) {}

  get handler(): string {
    return this.entry.declaration.name;
  }

  /** Runs the turn, and ends it. Begins nothing inside the call. Never rejects. */
  async run(): Promise<void> {
    const { card } = this;
    card.onLost((reason) => {
      this.abort(reason);
    });
    try {
      // No handler runs inside the call that hands a card over.
      await Promise.resolve();
      await this.work();
    } catch (error) {
      await this.giveUp(error);
    } finally {
      this.left();
      card.end();
    }
  }

  /** Begins nothing more; what runs ends, and is settled. */
  stop(): void {
    this.stopped = true;
    this.wake?.();
  }

  /** Waits no longer for what would fill a batch. */
  hurry(): void {
    this.hurried = true;
  }

  /** Ends the wait for what runs: its signal aborts, and the card goes back at once. */
  async abandon(reason: Error): Promise<void> {
    this.stop();
    this.abort(reason);
    // Where none runs, the backend is being asked, and the lane gives the card back when that answers.
    if (this.jobs.length > 0) this.abandoned ??= this.card.release();
    await this.abandoned;
  }

  /** Handles what the turn hands over, until the card is not in hand any more. */
  protected abstract work(): Promise<void>;

  protected mayBegin(): boolean {
    return !this.stopped && this.card.held;
  }

  /** What shall happen with the card when the next events are settled, of which so many are in hand afterwards. */
  protected then(left: number): 'keep' | 'next' | 'yield' {
    if (this.stopped) return 'keep';
    if (this.handled >= this.host.quantum) return 'yield';
    return left === 0 ? 'next' : 'keep';
  }

  /** Gives the card back, where it is still in hand. */
  protected async giveBack(): Promise<void> {
    await (this.abandoned ?? (this.card.held ? this.card.release() : undefined));
  }

  /** Waits for a place among the handler's runs. False: nothing may begin any more; else `left` must follow. */
  protected async place(): Promise<boolean> {
    const { lane } = this.entry;
    const placed = await new Promise<boolean>((resolve) => {
      let waits = true;
      this.wake = () => {
        waits = false;
        resolve(false);
      };
      lane.enter({
        run: () => {
          if (waits) resolve(true);
          else lane.leave();
        },
      });
    });
    this.wake = undefined;
    if (!placed || this.mayBegin()) return placed;
    lane.leave();
    return false;
  }

  /** What ran has ended. */
  protected left(): void {
    if (this.jobs.length === 0) return;
    this.jobs = NONE;
    this.entry.lane.leave();
  }

  /** Says that an entry is no event; no attempt can mend it. */
  protected undecodable(why: string): Settlement {
    const { topic, cardId } = this.card;
    this.host.logger.error(`An entry of card '${topic}:${cardId}' on bus '${this.host.bus}' is not an event: ${why}.`);
    return { kind: 'dead-letter', reason: 'undecodable', error: new Error(why) };
  }

  /** Its holders have died with the head again and again. */
  protected suspects({ crashes }: CardDelivery): boolean {
    return crashes >= SUSPECT;
  }

  /**
   * Runs the head with nothing beside it in this process, and only deaths in that time count. `run` sets `jobs`.
   * Undefined: nothing may begin any more.
   */
  protected alone(head: CardDelivery, run: () => Settlement | Promise<Settlement>): Promise<Settlement | undefined> {
    return new Promise((resolve, reject) => {
      let waits = true;
      this.wake = () => {
        waits = false;
        resolve(undefined);
      };
      this.host.solo.add(async () => {
        if (!waits) return;
        this.wake = undefined;
        await this.runAlone(head, run).then(resolve, reject);
      });
    });
  }

  /** The row of a dead letter after which the card goes on; undefined where it stops with its head. */
  protected burial(settlement: Failed, delivery: CardDelivery): DeadLetterRow | undefined {
    const { onExhausted } = this.entry.declaration;
    if (settlement.kind !== 'dead-letter' || onExhausted === 'park') return undefined;
    return rowOf(this.handler, settlement, delivery);
  }

  /** Ends the turn at its head, which has not been handled: it waits for another attempt or for an operator, or goes back. */
  protected async halt(settlement: Failed, head: CardDelivery): Promise<void> {
    const { card } = this;
    if (settlement.kind === 'release') {
      await card.release();
    } else if (settlement.kind === 'retry') {
      const { delay, counted, error } = settlement;
      await card.retry({ delay, counted, error: boundedError(error) });
    } else {
      const row = rowOf(this.handler, settlement, head);
      const held = card.held;
      await card.park(row);
      if (held) this.host.parked(card, row);
    }
  }

  private async runAlone(
    head: CardDelivery,
    run: () => Settlement | Promise<Settlement>,
  ): Promise<Settlement | undefined> {
    const crashes = await this.card.alone().catch(() => 0);
    if (!this.mayBegin()) return undefined;
    const end = afterCrashes(this.entry.declaration, head, crashes);
    if (end !== undefined) return end;
    this.entry.lane.force(NOTHING);
    try {
      return await run();
    } finally {
      this.left();
    }
  }

  private abort(reason: Error): void {
    this.abortReason ??= reason;
    for (const job of this.jobs) job.abort(reason);
    this.wake?.();
  }

  /** The backend refuses what it is asked: the events come again, but later, so that this does not go round and round. */
  private async giveUp(error: unknown): Promise<void> {
    const { card, host } = this;
    host.logger.error(
      `Card '${card.topic}:${card.cardId}' on bus '${host.bus}' could not be settled, its events will come again: ${messageOf(error)}`,
    );
    await card.retry({ delay: AFTER_TROUBLE, counted: false, error: boundedError(error) }).catch(() => undefined);
  }
}

/** Takes a place for what is begun beside the lane. */
const NOTHING = { run: () => undefined };

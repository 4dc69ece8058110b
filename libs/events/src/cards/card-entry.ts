import { HandlerEntry } from '../consumer/registry.js';
import type { LaneGate } from '../consumer/lane.js';
import type { CardDeclaration } from '../core/declaration.js';
import { waiting, type Pipeline, type WaitingStep, type WholeBatch } from '../pipeline/compose.js';
import type { CardTurn } from '../ports/cards.js';
import type { CardIntake } from './card-intake.js';
import type { CardLane } from './card-lane.js';

/** A registered handler of cards with what it has in hand. */
export class CardEntry extends HandlerEntry {
  /** By topic. */
  readonly intakes = new Map<string, CardIntake>();
  readonly lanes = new Set<CardLane>();
  readonly whole: WholeBatch | undefined;
  private readonly waitingStep: WaitingStep;
  private waiting: (() => void)[] = [];
  private hurried = false;

  constructor(
    override readonly declaration: CardDeclaration,
    pipeline: Pipeline,
    gate: LaneGate,
    private readonly makeLane: (entry: CardEntry, turn: CardTurn) => CardLane,
  ) {
    super(declaration, pipeline, gate);
    this.whole = pipeline.whole;
    this.waitingStep = waiting(pipeline.step);
  }

  override get step(): WaitingStep {
    return this.waitingStep;
  }

  /** Runs at once. */
  override get places(): number {
    return this.declaration.concurrency;
  }

  room(): number {
    return this.declaration.cards - this.lanes.size;
  }

  /** Handles what a card hands over, later. */
  begin(turn: CardTurn): void {
    const lane = this.makeLane(this, turn);
    this.lanes.add(lane);
    if (this.closed) lane.stop();
    if (this.hurried) lane.hurry();
    void lane.run().then(() => {
      this.ended(lane);
    });
  }

  /** With `always`: waits no longer for what would fill a batch, never again. What waits so takes no place. */
  override hurry(always: boolean): void {
    if (!always) return;
    this.hurried = true;
    for (const lane of this.lanes) lane.hurry();
  }

  /** Takes no more cards; what runs ends, and what is in hand beside it goes back. */
  close(): void {
    this.closed = true;
    for (const intake of this.intakes.values()) intake.shut();
    for (const lane of this.lanes) lane.stop();
  }

  /** Resolves when no more cards come. */
  async pause(): Promise<void> {
    await Promise.all([...this.intakes.values()].map((intake) => intake.pause()));
  }

  /** Resolves when it has no card in hand. */
  whenIdle(): Promise<void> {
    return this.lanes.size === 0 ? Promise.resolve() : new Promise((resolve) => this.waiting.push(resolve));
  }

  private ended(lane: CardLane): void {
    this.lanes.delete(lane);
    for (const intake of this.intakes.values()) intake.offer();
    if (this.lanes.size > 0) return;
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

import type { CardSink, CardSource, CardTurn } from '../ports/cards.js';

/** The handler of a topic, as its intake knows it. */
export interface IntakeHandler {
  /** Cards that it could take now. */
  room(): number;
  begin(turn: CardTurn): void;
}

/** The consumer's side of one topic. Several of them share the places of one handler. */
export class CardIntake implements CardSink {
  source: CardSource | undefined;
  private open = true;
  private pausing: Promise<void> | undefined;

  constructor(private readonly handler: IntakeHandler) {}

  room(): number {
    return this.open ? Math.max(0, this.handler.room()) : 0;
  }

  begin(turn: CardTurn): void {
    this.handler.begin(turn);
  }

  /** A place is free. The source knows whether a card waits for it; it may count cards that are on their way. */
  offer(): void {
    if (this.room() > 0) this.source?.pull();
  }

  /** Resolves when nothing more comes. Twice is once. */
  async pause(): Promise<void> {
    this.pausing ??= this.source?.pause();
    await this.pausing;
  }

  async close(): Promise<void> {
    await this.source?.close();
  }

  /** Takes nothing more, whatever the source has. */
  shut(): void {
    this.open = false;
  }
}

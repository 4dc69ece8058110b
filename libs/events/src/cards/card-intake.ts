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
  private starved = false;
  private pausing: Promise<void> | undefined;

  constructor(private readonly handler: IntakeHandler) {}

  room(): number {
    if (!this.open) return 0;
    const room = Math.max(0, this.handler.room());
    this.starved = room === 0;
    return room;
  }

  begin(turn: CardTurn): void {
    this.handler.begin(turn);
  }

  /** A place is free. */
  offer(): void {
    if (!this.starved || this.handler.room() <= 0) return;
    this.starved = false;
    this.source?.pull();
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
    this.starved = false;
  }
}

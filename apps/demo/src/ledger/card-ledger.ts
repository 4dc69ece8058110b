import { Injectable } from '@nestjs/common';
import { CardBook, type CardEntry } from './card-book.js';

/** Where card handlers write: the book of this process, and that of the parent where there is one. */
@Injectable()
export class CardLedger {
  readonly book = new CardBook();
  private report: ((entry: CardEntry) => Promise<void>) | undefined;

  /** Resolves when it is written, everywhere. */
  async add(entry: CardEntry): Promise<void> {
    this.book.add(entry);
    await this.report?.(entry);
  }

  /** Tells somebody else about every entry, before its event is acknowledged. */
  reportTo(report: (entry: CardEntry) => Promise<void>): void {
    this.report = report;
  }
}

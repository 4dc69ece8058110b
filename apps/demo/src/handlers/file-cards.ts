import { Injectable, UseInterceptors } from '@nestjs/common';
import { OnCardTopic, type CardContext } from 'nestjs-cardinal';
import { FileAdded, FileDeleted, FileModified, type FileChange } from '../history/file-events.js';
import { CardLedger } from '../ledger/card-ledger.js';
import { Recorded } from '../ledger/recorded.js';

/** The topic of the history: each file is a card, and its changes come in their order, one after the other. */
export const HISTORY = 'history';

/**
 * The running count of a file's lines, which only the right order gives: it is never negative, and a change that came twice,
 * too early or not at all would show.
 */
@Injectable()
export class FileCards {
  constructor(private readonly ledger: CardLedger) {}

  @OnCardTopic(HISTORY, { name: 'file-cards', events: [FileAdded, FileModified, FileDeleted] })
  @UseInterceptors(Recorded)
  async onChange({ plus, minus, seq }: FileChange, context: CardContext): Promise<void> {
    const { cardId, fencingToken, sequence } = context;
    await this.ledger.add({ file: cardId, lines: plus - minus, seq: seq ?? 0, fencingToken, sequence });
  }
}

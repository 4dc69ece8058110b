import { Injectable, UseInterceptors } from '@nestjs/common';
import { OnEvent } from 'nestjs-cardinal';
import type { FileChange } from '../history/file-events.js';
import { Recorded } from '../ledger/recorded.js';

export interface FileLines {
  readonly file: string;
  /** Lines, by the history. */
  lines: number;
  /** Lines that events published by hand added to that. */
  byHand: number;
  changes: number;
  /** The latest change of the history. */
  seq: number;
}

/**
 * Lines per file. Without a group it runs in every process, for every event: each process has the whole picture.
 * Several events are handled at once, in any order: so it only adds up, which comes to the same in every order.
 */
@Injectable()
@UseInterceptors(Recorded)
export class LineTotals {
  private readonly files = new Map<string, FileLines>();

  @OnEvent('file.*', { name: 'line-totals' })
  onChange({ file, plus, minus, seq }: FileChange): void {
    const entry = this.files.get(file) ?? { file, lines: 0, byHand: 0, changes: 0, seq: 0 };
    this.files.set(file, entry);
    entry.changes += 1;
    if (seq === undefined) {
      entry.byHand += plus - minus;
    } else {
      entry.lines += plus - minus;
      entry.seq = Math.max(entry.seq, seq);
    }
  }

  get(file: string): Readonly<FileLines> | undefined {
    return this.files.get(file);
  }

  get size(): number {
    return this.files.size;
  }
}

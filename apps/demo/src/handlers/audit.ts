import { Injectable, UseInterceptors } from '@nestjs/common';
import { OnEvent, type EventContext } from 'nestjs-cardinal';
import type { FileChange } from '../history/file-events.js';
import { Recorded } from '../ledger/recorded.js';

/** Counts events by type: every event once, in one of the processes, whichever is free. */
@Injectable()
@UseInterceptors(Recorded)
export class Audit {
  private readonly types = new Map<string, number>();

  @OnEvent('file.#', { group: 'audit' })
  onEvent(_change: FileChange, { type }: EventContext): void {
    this.types.set(type, (this.types.get(type) ?? 0) + 1);
  }

  /** Events by type. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.types);
  }
}

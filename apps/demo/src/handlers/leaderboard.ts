import { Injectable, UseInterceptors } from '@nestjs/common';
import { EventService, OnEvent } from 'nestjs-cardinal';
import { FileAdded, FileDeleted, FileModified, type FileChange } from '../history/file-events.js';
import { Recorded } from '../ledger/recorded.js';

export interface TopRequest {
  readonly limit: number;
}

export interface TopFiles {
  readonly top: readonly { readonly file: string; readonly changes: number }[];
  /** How many events the list is made of. */
  readonly events: number;
  /** The process that answered. */
  readonly instanceId: string;
}

/**
 * The busiest files. In a durable group each event goes to one process only: with several, each has its share.
 */
@Injectable()
export class Leaderboard {
  private readonly changes = new Map<string, number>();
  private events = 0;

  constructor(private readonly bus: EventService) {}

  @OnEvent([FileAdded, FileModified, FileDeleted], { group: 'leaderboard' })
  @UseInterceptors(Recorded)
  onChange({ file }: FileChange): void {
    this.events += 1;
    this.changes.set(file, (this.changes.get(file) ?? 0) + 1);
  }

  /** Answers requests: what a handler returns is the reply. */
  @OnEvent('leaderboard.top')
  top({ limit }: TopRequest): TopFiles {
    const busiest = [...this.changes].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)).slice(0, limit);
    const top = busiest.map(([file, changes]) => ({ file, changes }));
    return { top, events: this.events, instanceId: this.bus.instanceId };
  }
}

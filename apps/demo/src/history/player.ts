import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { EventService } from 'nestjs-cardinal';
import { HISTORY } from '../handlers/file-cards.js';
import { toEvent } from './file-events.js';
import { History } from './history.js';

/** Events that are on their way at once. They are sent in order, and so each type keeps its order. */
const CHUNK = 100;

export interface PlayOptions {
  /** The first change, counted from 0. Defaults to 0. */
  readonly from?: number;
  /** The change to stop before. Defaults to the end. */
  readonly to?: number;
  readonly onProgress?: (published: number) => void;
}

/** Publishes the history, in the order of the file: to the bus, and each change to the card of its file. */
@Injectable()
export class Player implements OnModuleDestroy {
  /** Changes published by this process. */
  published = 0;
  private stopped = false;

  constructor(
    private readonly events: EventService,
    private readonly history: History,
  ) {}

  /** Resolves when all of it is stored: handlers may still be busy with it. */
  async play({ from = 0, to = this.history.changes.length, onProgress }: PlayOptions = {}): Promise<void> {
    for (let at = from; at < to && !this.stopped; at += CHUNK) {
      const chunk = this.history.changes.slice(at, Math.min(at + CHUNK, to));
      const events = chunk.map(toEvent);
      await Promise.all([
        this.events.publishMany(events.map((event) => ({ event }))),
        this.events.cards.publishMany(events.map((event) => ({ topic: HISTORY, cardId: event.file, payload: event }))),
      ]);
      this.published += chunk.length;
      onProgress?.(this.published);
    }
  }

  onModuleDestroy(): void {
    this.stopped = true;
  }
}

import type { EventEnvelope } from '../../core/envelope.js';
import { Deque } from './deque.js';

export interface LogRow {
  readonly event: EventEnvelope;
  readonly position: number;
}

/** What is retained of one type's broadcast events, for those who begin in the past. */
export class TypeLog {
  readonly rows = new Deque<LogRow>();

  append(row: LogRow, oldest: number, capacity: number): void {
    this.rows.push(row);
    for (let head = this.rows.peek(); head !== undefined; head = this.rows.peek()) {
      if (head.event.time >= oldest && this.rows.length <= capacity) return;
      this.rows.shift();
    }
  }

  /** Rows behind a position, oldest first. */
  after(position: number): LogRow[] {
    return [...this.rows].filter((row) => row.position > position);
  }
}

import { EventType } from 'nestjs-cardinal';
import type { Change } from './history.js';

/** The payload of a `file.*` event. Events that were published by hand have no `seq`. */
export interface FileChange {
  readonly file: string;
  readonly plus: number;
  readonly minus: number;
  readonly seq?: number;
  readonly at?: number;
  readonly commit?: string;
}

/** An event of the history: the line without `change`, which its type says. */
abstract class FileEvent implements FileChange {
  readonly seq: number;
  readonly at: number;
  readonly commit: string;
  readonly file: string;
  readonly plus: number;
  readonly minus: number;

  constructor(change: Change) {
    this.seq = change.seq;
    this.at = change.at;
    this.commit = change.commit;
    this.file = change.file;
    this.plus = change.plus;
    this.minus = change.minus;
  }
}

@EventType('file.added')
export class FileAdded extends FileEvent {}

@EventType('file.modified')
export class FileModified extends FileEvent {}

@EventType('file.deleted')
export class FileDeleted extends FileEvent {}

const EVENTS = { added: FileAdded, modified: FileModified, deleted: FileDeleted };

export function toEvent(change: Change): FileEvent {
  return new EVENTS[change.change](change);
}

export function isFileChange(payload: unknown): payload is FileChange {
  if (typeof payload !== 'object' || payload === null) return false;
  const { file, plus, minus } = payload as Partial<FileChange>;
  return typeof file === 'string' && Number.isInteger(plus) && Number.isInteger(minus);
}

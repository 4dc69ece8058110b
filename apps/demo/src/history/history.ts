import { Injectable } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** A line of the history: what one commit did to one file. */
export interface Change {
  /** The true order, from 1. */
  readonly seq: number;
  /** Unix seconds. */
  readonly at: number;
  readonly commit: string;
  readonly file: string;
  readonly change: 'added' | 'modified' | 'deleted';
  readonly plus: number;
  readonly minus: number;
}

/** The input: every change to every file of a public repository, oldest first. */
@Injectable()
export class History {
  readonly changes: readonly Change[] = readChanges();
}

/** `data/` is two folders up from here, in `src` as in `dist`. */
export function readChanges(): Change[] {
  const packed = readFileSync(new URL('../../data/repository-history.jsonl.gz', import.meta.url));
  const lines = gunzipSync(packed).toString('utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Change);
}

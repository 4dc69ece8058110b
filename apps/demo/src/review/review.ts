import { Injectable, UseInterceptors } from '@nestjs/common';
import { OnEvent } from 'nestjs-cardinal';
import type { FileChange } from '../history/file-events.js';
import { Recorded } from '../ledger/recorded.js';
import { endingOf, ReviewRules } from './rules.js';

/** Assigns each change to the team that reviews it: once, in one of the processes. */
@Injectable()
@UseInterceptors(Recorded)
export class Review {
  private readonly teams = new Map<string, number>();

  constructor(private readonly rules: ReviewRules) {}

  /**
   * A change without a rule is not guessed at. A rule may be on its way to this process, so it is tried once more; then it
   * is a dead letter, until somebody adds the rule and replays it.
   */
  @OnEvent('file.*', { group: 'review', name: 'review', retry: { attempts: 2, delay: '200ms' } })
  onChange({ file }: FileChange): void {
    const team = this.rules.teamOf(endingOf(file));
    if (team === undefined) throw new Error(`no rule for ${endingOf(file)}: who reviews ${file}?`);
    this.teams.set(team, (this.teams.get(team) ?? 0) + 1);
  }

  /** Changes by team, of those that this process has handled. */
  get assigned(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.teams);
  }
}
